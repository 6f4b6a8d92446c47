#include "backend/cpu/attention.h"

#include "backend/cpu/onednn_product.h"

namespace astroclip::cpu {

void CpuBackend::attention(const AttentionArguments& a) {
  expect_stored(ConstView(a.q.data, {}, a.dtype), stored_dtype(a.precision), "attention");
  if (a.batch * a.heads * a.q.tokens * a.k.tokens * a.width == 0) return;
  if (a.dtype == DType::bf16) return attention_amx(a);
  if (a.q.tokens <= few_queries) return attention_few(a);
  if (a.precision == Precision::bf16) return onednn::has_amx() ? attention_amx(a) : attention_bf16(a);
  return attention_f32(a);
}

}  // namespace astroclip::cpu
