#include "backend/cuda/attention.h"

#include <string_view>

#include "backend/cuda/choice.h"
#include "backend/cuda/cuda_backend.h"

namespace astroclip::cuda {

namespace {

enum class Way { fastest, own, plan, brief };

/// For tests and measurements: ASTROCLIP_CUDA_ATTENTION=own, cudnn or short takes only that way where it applies.
Way way() {
  static const Way chosen = [] {
    const std::string_view name = choice("ASTROCLIP_CUDA_ATTENTION");
    return name == "own" ? Way::own : name == "cudnn" ? Way::plan : name == "short" ? Way::brief : Way::fastest;
  }();
  return chosen;
}

bool tries_short() { return way() == Way::brief || way() == Way::fastest; }
bool tries_plan(DType dtype) { return way() == Way::plan || (way() == Way::fastest && dtype == DType::bf16); }

template <class Arguments>
bool is_empty(const Arguments& a) {
  return a.batch * a.heads * a.q.tokens * a.k.tokens * a.width == 0;
}

}  // namespace

void CudaBackend::attention(const AttentionArguments& a) {
  if (is_empty(a)) return;
  if (tries_short() && attend_short(a)) return;
  if (tries_plan(a.dtype) && attend_by_plan(a)) return;
  attend(a);
}

void CudaBackend::attention_backward(const AttentionBackwardArguments& a) {
  // Without queries the gradients of keys and values are 0, which the kernel for every shape gives.
  const bool empty = is_empty(a);
  if (!empty && tries_short() && attend_short_backward(a)) return;
  if (!empty && tries_plan(a.dtype) && attend_backward_by_plan(a)) return;
  attend_backward(a);
}

}  // namespace astroclip::cuda
