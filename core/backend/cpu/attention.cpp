#include "backend/cpu/attention.h"

#include <cstring>

#include "backend/cpu/onednn_product.h"

namespace astroclip::cpu {

namespace {

void clear(const MutableHeadsView& x, const AttentionBackwardArguments& a) {
  const int64_t size = size_of(a.dtype);
  for (int64_t batch = 0; batch < a.batch; ++batch) {
    for (int64_t token = 0; token < x.tokens; ++token) {
      const int64_t at = (batch * x.batch_stride + token * x.token_stride) * size;
      std::memset(static_cast<std::byte*>(x.data) + at, 0, static_cast<size_t>(a.heads * a.width * size));
    }
  }
}

}  // namespace

void CpuBackend::attention(const AttentionArguments& a) {
  expect_stored(ConstView(a.q.data, {}, a.dtype), stored_dtype(a.precision), "attention");
  if (a.batch * a.heads * a.q.tokens * a.k.tokens * a.width == 0) return;
  if (a.dtype == DType::bf16) return attention_amx(a);
  if (a.q.tokens <= few_queries) return attention_few(a);
  if (a.precision == Precision::bf16) return onednn::has_amx() ? attention_amx(a) : attention_bf16(a);
  return attention_f32(a);
}

void CpuBackend::attention_backward(const AttentionBackwardArguments& a) {
  expect_stored(ConstView(a.q.data, {}, a.dtype), stored_dtype(a.precision), "attention_backward");
  if (a.q.tokens == 0 || a.k.tokens == 0) {  // sums over nothing
    for (const MutableHeadsView& gradient : {a.dq, a.dk, a.dv}) clear(gradient, a);
  }
  if (a.batch * a.heads * a.q.tokens * a.k.tokens * a.width == 0) return;
  if (a.dtype == DType::bf16) return attention_amx_backward(a);
  if (a.q.tokens <= few_queries) return attention_few_backward(a);
  if (a.precision == Precision::bf16) {
    return onednn::has_amx() ? attention_amx_backward(a) : attention_bf16_backward(a);
  }
  return attention_f32_backward(a);
}

}  // namespace astroclip::cpu
