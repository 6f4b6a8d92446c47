#pragma once

#include <cuda_bf16.h>

#include <cstdint>

/// Instructions of tensor cores and beside them, which only PTX has. Tests replace this header by one that computes the
/// same on the host.
namespace astroclip::cuda {

/// Where shared memory lies for these instructions.
using SharedAddress = uint32_t;
__device__ inline SharedAddress shared_address(const void* p) {
  return static_cast<SharedAddress>(__cvta_generic_to_shared(p));
}

/// Begins to copy 16 bytes to shared memory, or 16 bytes of zeros.
__device__ inline void copy_async(SharedAddress to, const void* from, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(there ? 16 : 0) : "memory");
}
/// Waits for the thread's own copies.
__device__ inline void wait_for_copies() {
  asm volatile("cp.async.commit_group;\ncp.async.wait_group 0;" ::: "memory");
}

/// Four matrices of 8 × 8 bf16; lane i gives the address of row i % 8 of matrix i / 8. r[m] gets, of matrix m, two
/// neighbours of row lane / 4 from column lane % 4 · 2 on.
__device__ inline void load_matrices(uint32_t (&r)[4], SharedAddress row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(row)
               : "memory");
}
/// The same of the transposed matrices.
__device__ inline void load_matrices_turned(uint32_t (&r)[4], SharedAddress row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(row)
               : "memory");
}
/// d [16, 8] += a [16, 16] b [16, 8], each lane with its part as PTX's mma.m16n8k16 lays them out.
__device__ inline void multiply_add(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// 2^x to 2 units in the last place; 0 where it is below float32's normal numbers.
__device__ inline float power_of_2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace astroclip::cuda
