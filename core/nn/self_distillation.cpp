#include "nn/self_distillation.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/tape.h"
#include "backend/backend.h"
#include "base/error.h"
#include "ops/operators.h"

namespace astroclip::nn {

namespace {

constexpr double koleo_epsilon = 1e-8;   // under the root and under the logarithm, as published
constexpr double smallest_mass = 1e-30;  // of a prototype that no row is near
constexpr int balancing_iterations = 3;

/// Σ over rows of all processes: [1, K].
Tensor total_of_rows(const Tensor& x, Communicator& communicator) {
  Tensor total = ops::sum(x, {0}, true);
  communicator.all_reduce(total);
  return total;
}

double rows_of_all(const Tensor& x, Communicator& communicator) {
  return static_cast<double>(x.size(0) * communicator.size());
}

/// Of each row its nearest other one by the inner product: i64 [N].
Tensor nearest_rows(const Tensor& x) {
  const autograd::NoGrad no_grad;
  const ops::PrecisionScope exact(Precision::f32);
  const int64_t count = x.size(0);
  const std::vector<double> products = ops::matmul_nt(x, x).to_doubles();
  std::vector<int64_t> nearest;
  for (int64_t row = 0; row < count; ++row) {
    int64_t best = row == 0 ? 1 : 0;
    for (int64_t other = 0; other < count; ++other) {
      const auto at = [&](int64_t column) { return products[static_cast<size_t>(row * count + column)]; };
      if (other != row && at(other) > at(best)) best = other;
    }
    nearest.push_back(best);
  }
  return Tensor::from_host(nearest, {count}, x.device());
}

/// Mean over rows of −Σ p log p.
Tensor entropy_of(const Tensor& p) { return -1.0 * ops::sum(p * ops::log(p + 1e-12)) / p.size(0); }

}  // namespace

Tensor centred_softmax(const Tensor& logits, const Tensor& centre, double temperature) {
  return ops::softmax((logits - centre) / temperature);
}

Tensor sinkhorn_knopp(const Tensor& logits, double temperature, int iterations, Communicator& communicator) {
  const Tensor scaled = logits / temperature;
  const Tensor own = ops::log_sum_exp(ops::reshape(scaled, {1, scaled.numel()}));
  const Tensor all = ops::log_sum_exp(ops::reshape(communicator.all_gather(own), {1, communicator.size()}));
  Tensor q = ops::exp(scaled - all);
  const double rows = rows_of_all(logits, communicator);
  for (int i = 0; i < iterations; ++i) {
    q = q / (logits.size(1) * (total_of_rows(q, communicator) + smallest_mass));
    q = q / (rows * (ops::sum(q, {1}, true) + smallest_mass));
  }
  return rows * q;
}

Tensor soft_cross_entropy(const Tensor& logits, const Tensor& targets, double temperature) {
  const Tensor scaled = logits / temperature;
  return ops::sum(targets, {1}) * ops::log_sum_exp(scaled) - ops::sum(targets * scaled, {1});
}

Tensor koleo(const Tensor& x) {
  if (x.size(0) < 2) throw Error(fmt::format("[koleo] needs two rows or more, found {}", x.size(0)));
  const Tensor unit = ops::normalize_rows(x, koleo_epsilon);
  const Tensor gap = unit - ops::gather_rows(unit, nearest_rows(unit)) + koleo_epsilon;
  const Tensor distances = ops::sqrt(ops::sum(ops::square(gap), {1}));
  return -1.0 * ops::mean(ops::log(distances + koleo_epsilon));
}

Tensor prototypes_in_use(const Tensor& probabilities) {
  const autograd::NoGrad no_grad;
  const int64_t rows = probabilities.size(0), prototypes = probabilities.size(1);
  const Tensor in_windows = ops::reshape(probabilities, {rows, 1, prototypes, 1});
  const Tensor largest = ops::max_pool(in_windows, {.size = {1, prototypes}, .stride = {1, prototypes}});
  const Tensor below = ops::nonzero(ops::reshape(largest, {rows, 1}) - probabilities);
  return ops::sum(ops::nonzero(ops::sum(1 - below, {0}))) / static_cast<double>(std::min(rows, prototypes));
}

void follow(const std::vector<NamedTensor>& targets, const std::vector<NamedTensor>& sources, double momentum) {
  if (targets.empty()) return;
  const autograd::NoGrad no_grad;
  std::vector<View> to;
  std::vector<ConstView> from;
  for (size_t i = 0; i < targets.size(); ++i) {
    Tensor target = targets[i].tensor;
    to.emplace_back(target);
    from.emplace_back(sources[i].tensor);
  }
  backend_of(targets.front().tensor.device()).exponential_average(to, from, momentum);
}

Tensor SelfDistillation::Terms::total() const {
  Tensor sum;
  for (const Tensor& term : {dino_global, dino_local, ibot, koleo}) {
    if (term.defined()) sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

SelfDistillation::SelfDistillation(const SelfDistillationOptions& options)
    : options_(options), student_(options.head), teacher_(options.head) {
  child("student_head", student_);
  child("teacher_head", teacher_);
  if (!options.shared_head) {
    student_patches_ = std::make_unique<DinoHead>(options.head);
    teacher_patches_ = std::make_unique<DinoHead>(options.head);
    child("student_patch_head", *student_patches_);
    child("teacher_patch_head", *teacher_patches_);
    teacher_patches_->set_trainable("", false);
  }
  teacher_.set_trainable("", false);
  buffer("dino_centre", dino_.value, {options.head.prototypes}, Init::zeros());
  buffer("ibot_centre", ibot_.value, {options.head.prototypes}, Init::zeros());
}

const DinoHead& SelfDistillation::patch_head(bool of_teacher) const {
  if (options_.shared_head) return of_teacher ? teacher_ : student_;
  return of_teacher ? *teacher_patches_ : *student_patches_;
}

Tensor SelfDistillation::targets(const Tensor& logits, Centre& centre, double temperature,
                                 Communicator& communicator) const {
  if (options_.centring == Centring::sinkhorn_knopp) {
    return sinkhorn_knopp(logits, temperature, balancing_iterations, communicator);
  }
  return centred_softmax(logits, centre.value, temperature);
}

SelfDistillation::Terms SelfDistillation::operator()(const Features& student, const Features& teacher,
                                                     const Tensor& weights, double teacher_temperature,
                                                     Communicator& communicator) {
  const int64_t objects = student.global.size(0) / 2, prototypes = options_.head.prototypes;
  const int64_t local_crops = student.local.defined() ? student.local.size(0) / objects : 0;
  Tensor by_view, patch_targets;
  Terms terms;
  {
    const bool learning = autograd::recording();
    const autograd::NoGrad no_grad;
    const auto targets_of = [&](const DinoHead& head, const Tensor& features, Centre& centre) {
      const Tensor logits = head(features);
      const Tensor result = targets(logits, centre, teacher_temperature, communicator);
      if (!learning) return result;
      const Tensor mean =
          ops::reshape(total_of_rows(logits, communicator), {prototypes}) / rows_of_all(logits, communicator);
      centre.pending = centre.batches == 0.0 ? mean : centre.pending + mean;
      centre.batches += 1.0;
      return result;
    };
    const Tensor rows = targets_of(teacher_, teacher.global, dino_);
    terms.targets = rows;
    terms.entropy = entropy_of(rows);
    terms.mean_entropy = entropy_of(ops::mean(rows, {0}, true));
    by_view = ops::reshape(rows, {objects, 2, prototypes});
    if (teacher.patches.defined()) patch_targets = targets_of(patch_head(true), teacher.patches, ibot_);
  }
  const double pairs = 2.0 + 2.0 * static_cast<double>(local_crops);
  // Each global crop meets the other one.
  const Tensor swapped = ops::concat({ops::narrow(by_view, 1, 1, 1), ops::narrow(by_view, 1, 0, 1)}, 1);
  const auto cross_entropy = [&](const DinoHead& head, const Tensor& features, const Tensor& of) {
    return soft_cross_entropy(head(features), of, options_.student_temperature);
  };
  terms.dino_global =
      options_.dino_weight * 2.0 / pairs *
      ops::mean(cross_entropy(student_, student.global, ops::reshape(swapped, {2 * objects, prototypes})));
  if (local_crops > 0) {
    // Each local crop meets both, whose targets may be added because the cross-entropy is linear in them.
    const Tensor both = ops::broadcast_to(ops::sum(by_view, {1}, true), {objects, local_crops, prototypes});
    const Tensor errors =
        cross_entropy(student_, student.local, ops::reshape(both, {objects * local_crops, prototypes}));
    terms.dino_local = options_.dino_weight * ops::sum(errors) / (pairs * static_cast<double>(objects));
  }
  if (patch_targets.defined()) {
    const Tensor errors = cross_entropy(patch_head(false), student.patches, patch_targets);
    terms.ibot = options_.ibot_weight * ops::sum(errors * weights) / static_cast<double>(2 * objects);
  }
  if (options_.koleo_weight > 0.0) {
    const Tensor views = ops::reshape(student.global, {objects, 2, student.global.size(1)});
    const auto of_view = [&](int64_t view) {
      return koleo(ops::reshape(ops::narrow(views, 1, view, 1), {objects, student.global.size(1)}));
    };
    terms.koleo = options_.koleo_weight * (of_view(0) + of_view(1));
  }
  return terms;
}

void SelfDistillation::begin() {
  load_state(teacher_.state(), student_.state());
  if (!options_.shared_head) load_state(teacher_patches_->state(), student_patches_->state());
}

void SelfDistillation::update(double momentum) {
  follow(teacher_.parameters(), student_.parameters(), momentum);
  if (!options_.shared_head) follow(teacher_patches_->parameters(), student_patches_->parameters(), momentum);
  move(dino_);
  move(ibot_);
}

void SelfDistillation::forget() {
  dino_.batches = 0.0;
  ibot_.batches = 0.0;
}

Tensor SelfDistillation::centre_norm() const {
  const autograd::NoGrad no_grad;
  return ops::sqrt(ops::sum(ops::square(dino_.value)));
}

void SelfDistillation::move(Centre& centre) const {
  if (centre.batches == 0.0) return;
  const Tensor mean = centre.pending / centre.batches;
  const View target[] = {centre.value};
  const ConstView source[] = {mean};
  backend_of(mean.device()).exponential_average(target, source, options_.centre_momentum);
  centre.batches = 0.0;
}

}  // namespace astroclip::nn
