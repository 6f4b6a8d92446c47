#include "api/contrastive.h"

#include <cmath>
#include <numeric>

#include "autograd/tape.h"
#include "ops/operators.h"

namespace astroclip {

Tensor find_own_column(const Tensor& logits, const LossContext& context) {
  const int64_t rows = logits.size(0);
  std::vector<int64_t> own(static_cast<size_t>(rows));
  std::iota(own.begin(), own.end(), context.communicator().rank() * rows);
  return ops::mean(ops::cross_entropy(logits, Tensor::from_host(own, {rows}, logits.device())));
}

LogitScale::LogitScale(double start, bool learn, double max) : start_(start), learn_(learn), max_(max) {
  if (learn_) parameter("log", log_scale_, {}, nn::Init::constant(std::log(start_)));
}

Tensor LogitScale::operator()(const Tensor& cosines) const {
  if (learn_) return cosines * ops::exp(log_scale_);
  return cosines * start_;
}

void LogitScale::clamp() {
  if (!learn_) return;
  const autograd::NoGrad guard;
  log_scale_.copy_from(-ops::maximum(-log_scale_, -std::log(max_)));
}

void LogitScale::log(LossValue& value) const {
  if (learn_) value.terms.emplace_back("logit_scale", ops::exp(log_scale_.detach()));
}

ContrastiveLoss::ContrastiveLoss(const ContrastiveParameters& parameters)
    : PairLoss(parameters), scale_(parameters.logit_scale, parameters.learn_logit_scale, parameters.max_logit_scale) {
  child("logit_scale", scale_);
}

LossValue ContrastiveLoss::forward(LossContext& context) {
  LossValue value = PairLoss::forward(context);
  scale_.log(value);
  return value;
}

void ContrastiveLoss::after_update(LossSetup&, int64_t, int64_t) { scale_.clamp(); }

}  // namespace astroclip
