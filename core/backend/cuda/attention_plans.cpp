#include <algorithm>

#include "backend/cuda/attention.h"
#include "backend/cuda/attention_graphs.h"
#include "backend/cuda/scratch.h"

namespace astroclip::cuda {

namespace {

/// The backward pass works on as many samples at a time as need no more memory than this.
constexpr int64_t most_workspace = int64_t{256} << 20;

/// In float32, cuDNN (9.19) accepts heads wider than 128, and its results for 200 are wrong.
int64_t widest_head(DType dtype) { return dtype == DType::bf16 ? 256 : 128; }

template <class... Heads>
bool fits_plans(int64_t width, DType dtype, const Heads&... heads) {
  const int64_t unit = 16 / size_of(dtype);
  const auto fits = [&](const auto& x) {
    return reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.batch_stride % unit == 0 && x.token_stride % unit == 0;
  };
  return width % 8 == 0 && width <= widest_head(dtype) && (fits(heads) && ...);
}

template <class... Heads>
std::vector<int64_t> key_of(std::vector<int64_t> key, const Heads&... heads) {
  (key.insert(key.end(), {heads.tokens, heads.batch_stride, heads.token_stride}), ...);
  return key;
}

/// Samples from `first` on.
template <class Heads>
Heads from_sample(Heads heads, int64_t first, DType dtype) {
  using Byte =
      std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(heads.data)>>, const std::byte, std::byte>;
  heads.data = static_cast<Byte*>(heads.data) + first * heads.batch_stride * size_of(dtype);
  return heads;
}

AttentionBackwardArguments samples(AttentionBackwardArguments a, int64_t first, int64_t count) {
  for (HeadsView* heads : {&a.q, &a.k, &a.v, &a.y, &a.dy}) *heads = from_sample(*heads, first, a.dtype);
  for (MutableHeadsView* heads : {&a.dq, &a.dk, &a.dv}) *heads = from_sample(*heads, first, a.dtype);
  a.log_sum_exp.data = a.log_sum_exp.as<float>() + first * a.heads * a.q.tokens;
  a.batch = count;
  return a;
}

const auto* backward_plan(const AttentionBackwardArguments& a) {
  static auto* plans = new dnn::Plans<dnn::AttentionBackwardGraph>();
  return plans->find(
      key_of({static_cast<int64_t>(a.dtype), a.batch, a.heads, a.width}, a.q, a.k, a.v, a.y, a.dy, a.dq, a.dk, a.dv),
      a);
}

int64_t rounded_up(int64_t x, int64_t unit) { return (x + unit - 1) / unit * unit; }

}  // namespace

bool attend_by_plan(const AttentionArguments& a) {
  if (!fits_plans(a.width, a.dtype, a.q, a.k, a.v, a.y)) return false;
  static auto* plans = new dnn::Plans<dnn::AttentionGraph>();
  const auto* planned = plans->find(
      key_of({static_cast<int64_t>(a.dtype), a.batch, a.heads, a.width, a.log_sum_exp ? 1 : 0}, a.q, a.k, a.v, a.y), a);
  if (planned == nullptr) return false;
  const Scratch workspace(planned->plan->workspace_bytes());
  const auto scale = static_cast<float>(a.scale);
  planned->plan->run(Card::get().networks(), planned->graph.pointers(a, scale), workspace.data());
  return true;
}

bool attend_backward_by_plan(const AttentionBackwardArguments& a) {
  if (a.dtype != DType::bf16 || !fits_plans(a.width, a.dtype, a.q, a.k, a.v, a.y, a.dy, a.dq, a.dk, a.dv)) return false;
  const int64_t sample_bytes = 2 * a.heads * rounded_up(a.q.tokens, 64) * rounded_up(a.k.tokens, 128);
  const int64_t parts = (a.batch * sample_bytes + most_workspace - 1) / most_workspace;
  const int64_t part = (a.batch + parts - 1) / parts;
  for (int64_t first = 0; first < a.batch; first += part) {  // all or nothing
    if (backward_plan(samples(a, first, std::min(part, a.batch - first))) == nullptr) return false;
  }
  const Scratch row_sums(part * a.heads * a.q.tokens * size_of(DType::f32));
  const auto scale = static_cast<float>(a.scale);
  const float one = 1.0F;
  for (int64_t first = 0; first < a.batch; first += part) {
    const AttentionBackwardArguments some = samples(a, first, std::min(part, a.batch - first));
    const auto* planned = backward_plan(some);
    const Scratch workspace(planned->plan->workspace_bytes());
    planned->plan->run(Card::get().networks(), planned->graph.pointers(some, row_sums.as<float>(), scale, one),
                       workspace.data());
  }
  return true;
}

}  // namespace astroclip::cuda
