#include "nn/momentum_contrast.h"

#include <algorithm>

#include "autograd/tape.h"
#include "nn/self_distillation.h"
#include "ops/operators.h"

namespace astroclip::nn {

namespace {

constexpr double smallest_length = 1e-12;  // as in torch.nn.functional.normalize

std::vector<int64_t> widths_of_head(const MomentumContrastOptions& options) {
  if (options.hidden_layer) return {options.in, options.width};
  return {options.width};
}

}  // namespace

MomentumContrast::MomentumContrast(const MomentumContrastOptions& options)
    : options_(options), head_(options.in, widths_of_head(options)), key_head_(options.in, widths_of_head(options)) {
  child("head", head_);
  child("key_head", key_head_);
  key_head_.set_trainable("", false);
  buffer("queue", queue_, {options.queue, options.width}, Init::normal(1.0));
  buffer("oldest", oldest_, {1}, Init::zeros());
}

Tensor MomentumContrast::queries(const Tensor& features) const {
  return ops::normalize_rows(head_(features), smallest_length);
}

Tensor MomentumContrast::keys(const Tensor& features) const {
  const autograd::NoGrad no_grad;
  return ops::normalize_rows(key_head_(features), smallest_length);
}

Tensor MomentumContrast::logits(const Tensor& queries, const Tensor& keys) const {
  const Tensor own = ops::sum(queries * keys, {1}, true);
  return ops::concat({own, ops::matmul_nt(queries, queue_)}, 1) / options_.temperature;
}

Tensor MomentumContrast::loss(const Tensor& logits) {
  const Tensor first = Tensor::zeros({logits.size(0)}, DType::i64, logits.device());
  return ops::mean(ops::cross_entropy(logits, first));
}

void MomentumContrast::begin() {
  load_state(key_head_.state(), head_.state());
  const autograd::NoGrad no_grad;
  queue_.copy_from(ops::normalize_rows(queue_, smallest_length));
}

void MomentumContrast::follow_queries(double momentum) { follow(key_head_.parameters(), head_.parameters(), momentum); }

void MomentumContrast::enqueue() {
  const int64_t places = options_.queue;
  auto at = static_cast<int64_t>(oldest_place_.of(oldest_)[0]);
  for (const Tensor& keys : kept_) {
    for (int64_t row = 0; row < keys.size(0);) {
      const int64_t count = std::min(keys.size(0) - row, places - at);
      queue_.view_rows(at, at + count).copy_from(keys.view_rows(row, row + count));
      row += count;
      at = (at + count) % places;
    }
  }
  kept_.clear();
  oldest_place_.write(oldest_, {static_cast<double>(at)});
}

}  // namespace astroclip::nn
