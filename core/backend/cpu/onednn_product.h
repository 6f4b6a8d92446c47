#pragma once

#include <cstdint>
#include <memory>

#include "backend/backend.h"

/// Matrix products by oneDNN. Only the files onednn_* know it: a move to another major version is a change of these.
namespace astroclip::cpu::onednn {

/// What is added to a product at the end.
enum class Sum { nothing, residual, itself };

/// c = scale · gelu(alpha · op(a) op(b) + bias) + sum, with op(a) [m, k], op(b) [k, n] and c [m, n]. Pitches are
/// elements between rows as stored. With more than one batch everything is contiguous.
struct ProductSpec {
  int64_t batch = 1;
  int64_t m = 0, n = 0, k = 0;
  int64_t a_pitch = 0, b_pitch = 0, c_pitch = 0;
  bool transpose_a = false, transpose_b = false;
  DType operand = DType::f32;  ///< of a and b: f32 or bf16
  bool bias = false;
  bool gelu = false;  ///< the activation; without it there is none
  bool scale = false;
  Sum sum = Sum::nothing;
  float alpha = 1.0f;
  int layout = 0;       ///< of a packed b (see Packer); 0: b is stored by rows
  bool serial = false;  ///< to be run by one thread, inside a parallel region; small products are anyway
  bool operator==(const ProductSpec&) const = default;
};

/// What a product reads beside a and b, where its spec has it: bias and scale [n], the residual [m, n] with c's pitch.
struct ProductExtras {
  const float *bias = nullptr, *scale = nullptr, *residual = nullptr;
};

/// A product ready to run, any number of times and by several threads at once, each with its own scratch.
class Product {
 public:
  virtual ~Product() = default;
  virtual int64_t scratch_bytes() const = 0;
  virtual void run(const void* a, const void* b, void* c, const ProductExtras& extras, void* scratch) const = 0;
};

/// Copies a b stored by rows into the layout that its product runs fastest with.
class Packer {
 public:
  virtual ~Packer() = default;
  virtual int layout() const = 0;
  virtual int64_t bytes() const = 0;
  virtual int64_t scratch_bytes() const = 0;
  virtual void run(const void* b, void* packed, void* scratch) const = 0;
};

/// Both are kept by their specs, so that asking again is a look-up; not to be called inside a parallel region.
std::shared_ptr<const Product> product_of(const ProductSpec& spec);
/// For spec.layout == 0; `source` is the dtype that b comes in: spec.operand or f32.
std::shared_ptr<const Packer> packer_of(const ProductSpec& spec, DType source);

/// True when the processor multiplies bf16 pairs natively.
bool has_bf16();
/// True when it multiplies tiles of them (AMX), and the system lets this process use the tile registers.
bool has_amx();

}  // namespace astroclip::cpu::onednn
