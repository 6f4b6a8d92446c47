#pragma once

#include <cuda.h>

#include <cstdint>

#include "backend/cuda/tensor_core.h"

/// What multiprocessors of compute capability 9.0 do beside the threads, which only PTX has: copies of tiles between
/// global and shared memory, products by groups of four warps, and the barriers in shared memory that say when copies
/// are done. Tests replace this header by one that does the same on the host.
///
/// A tile in shared memory has rows of 128 bytes, whose 16-byte chunks change places: chunk c of row r lies at c ^ r
/// % 8. It begins at a multiple of 1024 bytes.
namespace astroclip::cuda {

/// Threads that multiply together: warps 4 i to 4 i + 3 of a block.
constexpr int warpgroup = 128;

/// The block's number within its cluster.
__device__ inline unsigned rank_in_cluster() {
  unsigned rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
/// Waits for all threads of the cluster; each sees what the others wrote.
__device__ inline void meet_cluster() {
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}
/// Waits for the warpgroup's threads; `id` from 1 on tells the warpgroups of a block apart.
template <int id>
__device__ void meet_warpgroup() {
  asm volatile("bar.sync %0, 128;" ::"n"(id) : "memory");
}
/// Sets how many registers each thread of the warpgroup has: less than the kernel began with, or more, which waits
/// until others have given them back.
template <int count>
__device__ void keep_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count>
__device__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}

/// A barrier is 8 bytes of shared memory. Its phase ends when `count` threads have arrived and the bytes that they
/// expect have been copied; then the next one begins.
__device__ inline void make_barrier(SharedAddress barrier, unsigned count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}
/// Lets copies and the cluster's other blocks see the barriers made so far, once they meet.
__device__ inline void show_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
__device__ inline void arrive(SharedAddress barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
/// Arrives, and expects that many bytes.
__device__ inline void arrive_expecting(SharedAddress barrier, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
/// Where another block of the cluster has what this one has at `mine`; arrive_at takes it.
__device__ inline SharedAddress address_in(unsigned rank, SharedAddress mine) {
  SharedAddress theirs;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(theirs) : "r"(mine), "r"(rank));
  return theirs;
}
__device__ inline void arrive_at(SharedAddress barrier) {
  asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(barrier) : "memory");
}
/// Waits until a phase of that parity has ended. The first has parity 0; a barrier just made seems to have ended one of
/// parity 1.
__device__ inline void wait_for_phase(SharedAddress barrier, unsigned parity) {
  asm volatile(
      "{\n.reg .pred ended;\nagain:\nmbarrier.try_wait.parity.shared::cta.b64 ended, [%0], %1;\n@ended bra over;\n"
      "bra again;\nover:\n}" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

/// A matrix in global memory and the extents of the tiles that are copied, made by the driver.
using TileMap = CUtensorMap;

/// Begins to copy the tile at (row, column) to shared memory; what lies outside the matrix is 0. The bytes of the whole
/// tile count at the barrier.
__device__ inline void load_tile(const TileMap& map, int row, int column, SharedAddress to, SharedAddress barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
          to),
      "l"(&map), "r"(column), "r"(row), "r"(barrier)
      : "memory");
}
/// The same to both blocks of a cluster of two, to the same place and barrier in each.
__device__ inline void load_tile_for_both(const TileMap& map, int row, int column, SharedAddress to,
                                          SharedAddress barrier) {
  const uint16_t blocks = 3;
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
      "[%0], [%1, {%2, %3}], [%4], %5;" ::"r"(to),
      "l"(&map), "r"(column), "r"(row), "r"(barrier), "h"(blocks)
      : "memory");
}
/// Lets copies see what the thread wrote to shared memory.
__device__ inline void show_to_copies() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
/// Begins to copy a tile from shared memory; what lies outside the matrix is left out.
__device__ inline void store_tile(const TileMap& map, int row, int column, SharedAddress from) {
  asm volatile(
      "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3];\ncp.async.bulk.commit_group;" ::"l"(
          &map),
      "r"(column), "r"(row), "r"(from)
      : "memory");
}
/// Waits until all but the last `rest` of the thread's store_tile have read their tiles.
template <int rest>
__device__ void wait_for_stores() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(rest) : "memory");
}

/// Four matrices of 8 × 8 bf16, distributed as load_matrices gives them, to the rows whose addresses the lanes give.
__device__ inline void store_matrices(SharedAddress row, const uint32_t (&r)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(row), "r"(r[0]), "r"(r[1]),
               "r"(r[2]), "r"(r[3])
               : "memory");
}

/// The operands of products: tiles, or 8 i rows of one from row 8 j on, or 16 columns from column 16 j on.
using TileRows = uint64_t;
__device__ inline TileRows tile_rows(SharedAddress at) {
  constexpr uint64_t swizzled_128 = 1, eight_rows = 1024;
  return swizzled_128 << 62 | eight_rows >> 4 << 32 | uint64_t{1} << 16 | at >> 4;
}
__device__ inline TileRows shifted(TileRows rows, int bytes) { return rows + static_cast<uint64_t>(bytes >> 4); }

/// Begins products: what they read has arrived, and the threads have written none of the sums since the last wait.
__device__ inline void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
/// Begins sums [64, 128] (+)= a [64, 16] b[128, 16]ᵀ, of bf16. Warp w of the group has rows 16 w to 16 w + 15: a lane
/// has two neighbours of row lane / 4 from column 8 i + lane % 4 · 2 on in sums[4 i], sums[4 i + 1], of that row + 8 in
/// the next two.
__device__ inline void multiply(float (&sums)[64], TileRows a, TileRows b, bool adds) {
  asm volatile(
      "{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
      "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"
      "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"
      "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,"
      "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
      "}, %64, %65, p, 1, 1, 0, 0;\n}"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3]), "+f"(sums[4]), "+f"(sums[5]), "+f"(sums[6]),
        "+f"(sums[7]), "+f"(sums[8]), "+f"(sums[9]), "+f"(sums[10]), "+f"(sums[11]), "+f"(sums[12]), "+f"(sums[13]),
        "+f"(sums[14]), "+f"(sums[15]), "+f"(sums[16]), "+f"(sums[17]), "+f"(sums[18]), "+f"(sums[19]), "+f"(sums[20]),
        "+f"(sums[21]), "+f"(sums[22]), "+f"(sums[23]), "+f"(sums[24]), "+f"(sums[25]), "+f"(sums[26]), "+f"(sums[27]),
        "+f"(sums[28]), "+f"(sums[29]), "+f"(sums[30]), "+f"(sums[31]), "+f"(sums[32]), "+f"(sums[33]), "+f"(sums[34]),
        "+f"(sums[35]), "+f"(sums[36]), "+f"(sums[37]), "+f"(sums[38]), "+f"(sums[39]), "+f"(sums[40]), "+f"(sums[41]),
        "+f"(sums[42]), "+f"(sums[43]), "+f"(sums[44]), "+f"(sums[45]), "+f"(sums[46]), "+f"(sums[47]), "+f"(sums[48]),
        "+f"(sums[49]), "+f"(sums[50]), "+f"(sums[51]), "+f"(sums[52]), "+f"(sums[53]), "+f"(sums[54]), "+f"(sums[55]),
        "+f"(sums[56]), "+f"(sums[57]), "+f"(sums[58]), "+f"(sums[59]), "+f"(sums[60]), "+f"(sums[61]), "+f"(sums[62]),
        "+f"(sums[63])
      : "l"(a), "l"(b), "r"(static_cast<int>(adds)));
}
/// Ends a group of products.
__device__ inline void end_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Waits for all groups of products but the last `rest`.
template <int rest>
__device__ void wait_for_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(rest) : "memory");
}

}  // namespace astroclip::cuda
