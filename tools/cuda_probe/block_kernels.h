// The memory-bound kernels of a transformer block: float residual stream, bf16 operands. Widths of 768 and 1,024.
#pragma once

#include "device.h"

/// Which samples of a batch a branch sees: row r of the branch is token r % tokens of sample samples[r / tokens].
/// samples null: all, in order.
struct Rows {
  int64_t count = 0, tokens = 0;
  const int* samples = nullptr;
  const float* factors = nullptr;  ///< by which a sample's branch is multiplied; null: 1
};

/// y = (x − mean) · inverse · weight + bias of the chosen rows; with `taken`, those rows of x as well.
void layer_norm(const float* x, const Rows& rows, int width, const float* weight, const float* bias, float* taken,
                bf16* y, float* mean, float* inverse, cudaStream_t stream);
/// dx of the chosen rows += the norm's gradient, and with `rounded` once more in bf16; x holds the chosen rows alone,
/// `partial` has room for 2 · norm_blocks · width.
void layer_norm_backward(const bf16* dy, const float* x, const Rows& rows, int width, const float* weight,
                         const float* mean, const float* inverse, float* dx, bf16* rounded, float* partial,
                         float* dweight, float* dbias, cudaStream_t stream);
constexpr int norm_blocks = 264;

/// x of the chosen rows += factor · branch.
void add_branch(float* x, const Rows& rows, int width, const bf16* branch, cudaStream_t stream);
/// dy = factor · dx of the chosen rows.
void take_branch(const float* dx, const Rows& rows, int width, bf16* dy, cudaStream_t stream);

/// The erf form.
void gelu(const bf16* x, bf16* y, int64_t count, cudaStream_t stream);
/// dx = dy · gelu'(x); dx may be dy.
void gelu_backward(const bf16* x, const bf16* dy, bf16* dx, int64_t count, cudaStream_t stream);
/// sums[c] = Σ of column c; `partial` has room for norm_blocks · width.
void column_sums(const bf16* x, int64_t rows, int64_t width, float* partial, float* sums, cudaStream_t stream);

/// One step of AdamW; the bf16 copy is what the next step multiplies with.
void adamw(float* p, const float* gradient, float* first, float* second, bf16* copy, int64_t count, float rate,
           cudaStream_t stream);
