#pragma once

#include "backend/cpu/kernel.h"

/// The kinds of attention that CpuBackend chooses among.
namespace astroclip::cpu {

/// Start of one (batch, head) of a strided operand.
template <class T = float>
const T* head_of(const HeadsView& view, int64_t batch, int64_t head, int64_t width) {
  return static_cast<const T*>(view.data) + batch * view.batch_stride + head * width;
}
template <class T = float>
T* head_of(const MutableHeadsView& view, int64_t batch, int64_t head, int64_t width) {
  return static_cast<T*>(view.data) + batch * view.batch_stride + head * width;
}

/// Heads that make a worthwhile share for one thread.
inline int64_t forward_grain(const AttentionArguments& a) { return unit_grain(2 * a.q.tokens * a.k.tokens * a.width); }
inline int64_t backward_grain(const AttentionBackwardArguments& a) {
  return unit_grain(5 * a.q.tokens * a.k.tokens * a.width);
}

void attention_f32(const AttentionArguments& arguments);
void attention_f32_backward(const AttentionBackwardArguments& arguments);

/// Operands rounded to bf16, on processors that multiply it.
void attention_bf16(const AttentionArguments& arguments);
void attention_bf16_backward(const AttentionBackwardArguments& arguments);

/// The same on processors with AMX (onednn::has_amx), for any number of queries and also for what is stored in bf16.
/// Results differ in the last digits: sums have another order.
void attention_amx(const AttentionArguments& arguments);
void attention_amx_backward(const AttentionBackwardArguments& arguments);

/// For so few queries that packing keys and values costs more than the products.
inline constexpr int64_t few_queries = 8;
void attention_few(const AttentionArguments& arguments);
void attention_few_backward(const AttentionBackwardArguments& arguments);

}  // namespace astroclip::cpu
