#include "api/contrastive.h"

#include <cmath>
#include <numeric>

#include "api/two_towers.h"
#include "autograd/tape.h"
#include "ops/ops.h"

namespace astroclip {

UnitPair embed_unit_pair(LossContext& context, const std::vector<std::string>& views) {
  UnitPair pair;
  pair.a = ops::normalize_rows(context.embed(views[0]), smallest_embedding_norm);
  pair.b = ops::normalize_rows(context.embed(views[1]), smallest_embedding_norm);
  pair.all_b = ops::all_gather(pair.b, context.communicator());
  pair.all_a = ops::all_gather(pair.a, context.communicator());
  return pair;
}

Tensor own_columns(const Tensor& logits, LossContext& context) {
  const int64_t rows = logits.size(0);
  std::vector<int64_t> own(static_cast<size_t>(rows));
  std::iota(own.begin(), own.end(), context.communicator().rank() * rows);
  return Tensor::from_host(own, {rows}, logits.device());
}

Tensor find_own_column(const Tensor& logits, LossContext& context) {
  return ops::mean(ops::cross_entropy(logits, own_columns(logits, context)));
}

LogitScale::LogitScale(double start, bool learnable, double largest)
    : start_(start), learnable_(learnable), largest_(largest) {
  if (learnable_) parameter("log", log_scale_, {}, nn::Init::constant(std::log(start_)));
}

Tensor LogitScale::operator()(const Tensor& cosines) const {
  return learnable_ ? ops::multiply(cosines, ops::exp(log_scale_)) : ops::affine(cosines, start_);
}

void LogitScale::hold_bound() {
  if (!learnable_) return;
  const autograd::NoGrad guard;
  const Tensor negative_bound = ops::affine(log_scale_, 0.0, -std::log(largest_));
  log_scale_.copy_from(ops::negate(ops::maximum(ops::negate(log_scale_), negative_bound)));
}

void LogitScale::log(LossValue& value) const {
  if (learnable_) value.terms.emplace_back("logit_scale", ops::exp(log_scale_.detach()));
}

ContrastiveLoss::ContrastiveLoss(std::string name, const ContrastiveParameters& parameters)
    : name_(std::move(name)),
      augment_(parameters.augment),
      scale_(parameters.logit_scale, parameters.learnable, parameters.largest_scale) {
  child("logit_scale", scale_);
}

std::vector<ViewRequest> ContrastiveLoss::views(const LossSetup& setup) const { return view_of_each(setup, augment_); }

void ContrastiveLoss::attach(LossSetup& setup) { views_ = two_aligned_modalities(setup, name_); }

LossValue ContrastiveLoss::forward(LossContext& context) {
  LossValue value = compare(embed_unit_pair(context, views_), context);
  scale_.log(value);
  return value;
}

void ContrastiveLoss::after_update(LossSetup&, int64_t) { scale_.hold_bound(); }

}  // namespace astroclip
