#include "backend/cuda/attention.h"

#include "backend/cuda/cuda_backend.h"

namespace astroclip::cuda {

namespace {

template <class Arguments>
bool is_empty(const Arguments& a) {
  return a.batch * a.heads * a.q.tokens * a.k.tokens * a.width == 0;
}

}  // namespace

void CudaBackend::attention(const AttentionArguments& a) {
  if (!is_empty(a)) attend(a);
}

void CudaBackend::attention_backward(const AttentionBackwardArguments& a) {
  if (!is_empty(a)) attend_backward(a);
}

}  // namespace astroclip::cuda
