#include "nn/self_distillation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

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

/// Of each row of length 1 its nearest other one by the inner product, the first of equally near ones: i64 [N].
Tensor nearest_rows(const Tensor& x) {
  constexpr double beyond = 4.0;  // subtracted from a row's product with itself, which falls below all others
  const autograd::NoGrad no_grad;
  const ops::PrecisionScope exact(Precision::f32);
  const int64_t count = x.size(0);
  std::vector<double> own(static_cast<size_t>(count * count), 0.0);
  for (int64_t row = 0; row < count; ++row) own[static_cast<size_t>(row * (count + 1))] = beyond;
  const Tensor others = ops::matmul_nt(x, x) - Tensor::from_host(own, {count, count}, x.dtype(), x.device());
  Tensor largest = Tensor::empty({count, 1, 1, 1}, x.dtype(), x.device()),
         nearest = Tensor::empty({count, 1, 1, 1}, DType::i64, x.device());
  backend_of(x.device())
      .max_pool(others.view_as({count, 1, count, 1}), {.size = {1, count}, .stride = {1, count}}, largest, nearest);
  return nearest.view_as({count});
}

/// Which of the teacher's rows (two global crops of each object, then patches) a student's row (global crops, local
/// crops of each object, patches) meets: i64 [rows, 2]. A global crop meets the other one, a local crop both.
Tensor pairs_of(int64_t objects, int64_t local_crops, int64_t patches, Device device) {
  constexpr int64_t none = -1;
  std::vector<int64_t> pairs;
  for (int64_t crop = 0; crop < 2 * objects; ++crop) pairs.insert(pairs.end(), {crop ^ 1, none});
  for (int64_t crop = 0; crop < local_crops * objects; ++crop) {
    const int64_t object = crop / local_crops;
    pairs.insert(pairs.end(), {2 * object, 2 * object + 1});
  }
  for (int64_t patch = 0; patch < patches; ++patch) pairs.insert(pairs.end(), {2 * objects + patch, none});
  return Tensor::from_host(pairs, {static_cast<int64_t>(pairs.size()) / 2, 2}, device);
}

/// Mean over rows of −Σ p log p.
Tensor entropy_of(const Tensor& p) { return -1.0 * ops::sum(p * ops::log(p + 1e-12)) / p.size(0); }

}  // namespace

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

Tensor koleo(const Tensor& x) {
  if (x.size(0) < 2) throw Error(fmt::format("[koleo] needs two rows or more, found {}", x.size(0)));
  const Tensor unit = ops::normalize_rows(x, koleo_epsilon);
  const Tensor gap = unit - ops::gather_rows(unit, nearest_rows(unit)) + koleo_epsilon;
  const Tensor distances = ops::sqrt(ops::sum(ops::square(gap), {1}));
  return -1.0 * ops::mean(ops::log(distances + koleo_epsilon));
}

Tensor prototypes_in_use(const Tensor& probabilities) {
  const std::vector<float> values = probabilities.to_floats();
  const int64_t rows = probabilities.size(0), prototypes = probabilities.size(1);
  std::set<int64_t> likeliest;
  for (int64_t row = 0; row < rows; ++row) {
    const auto first = values.begin() + row * prototypes;
    likeliest.insert(std::max_element(first, first + prototypes) - first);
  }
  const auto share = static_cast<double>(likeliest.size()) / static_cast<double>(std::min(rows, prototypes));
  return Tensor::from_host(std::array{share}, {}, probabilities.dtype(), probabilities.device());
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

Tensor SelfDistillation::logits(bool of_teacher, const Tensor& class_tokens, const Tensor& patches) const {
  const DinoHead& head = of_teacher ? teacher_ : student_;
  if (!patches.defined()) return head(class_tokens);
  if (options_.shared_head) return head(ops::concat({class_tokens, patches}, 0));
  return ops::concat({head(class_tokens), (of_teacher ? *teacher_patches_ : *student_patches_)(patches)}, 0);
}

Tensor SelfDistillation::targets_of(const Features& teacher, double temperature, Communicator& communicator) {
  const bool learning = autograd::recording();
  const autograd::NoGrad no_grad;
  const Tensor all = logits(true, teacher.global, teacher.patches);
  const auto turn = [&](Tensor rows, Centre& centre) {
    if (learning) {
      const Tensor sum = ops::reshape(total_of_rows(rows, communicator), {rows.size(1)});
      const Tensor mean = sum / rows_of_all(rows, communicator);
      centre.pending = centre.batches == 0.0 ? mean : centre.pending + mean;
      centre.batches += 1.0;
    }
    if (options_.centring == Centring::sinkhorn_knopp) {
      rows.copy_from(sinkhorn_knopp(rows, temperature, balancing_iterations, communicator));
    } else {
      backend_of(rows.device()).softmax(rows, centre.value, 1.0 / temperature, rows);
    }
  };
  const int64_t crops = teacher.global.size(0);
  turn(all.view_rows(0, crops), dino_);
  if (teacher.patches.defined()) turn(all.view_rows(crops, all.size(0)), ibot_);
  return all;
}

SelfDistillation::Terms SelfDistillation::operator()(const Features& student, const Features& teacher,
                                                     const Tensor& weights, double teacher_temperature,
                                                     Communicator& communicator) {
  const int64_t crops = student.global.size(0), objects = crops / 2;
  const int64_t local_crops = student.local.defined() ? student.local.size(0) / objects : 0;
  const int64_t patches = student.patches.defined() ? student.patches.size(0) : 0;
  Terms terms;
  const Tensor targets = targets_of(teacher, teacher_temperature, communicator);
  {
    const autograd::NoGrad no_grad;
    terms.targets = targets.view_rows(0, crops);
    terms.entropy = entropy_of(terms.targets);
    terms.mean_entropy = entropy_of(ops::mean(terms.targets, {0}, true));
  }
  const Tensor class_tokens = local_crops > 0 ? ops::concat({student.global, student.local}, 0) : student.global;
  const Tensor errors =
      ops::soft_cross_entropy(logits(false, class_tokens, student.patches), targets,
                              pairs_of(objects, local_crops, patches, targets.device()), options_.student_temperature);
  const auto of_rows = [&](int64_t begin, int64_t count) { return ops::narrow(errors, 0, begin, count); };
  const double pairs = 2.0 + 2.0 * static_cast<double>(local_crops);
  terms.dino_global = options_.dino_weight * 2.0 / pairs * ops::mean(of_rows(0, crops));
  if (local_crops > 0) {
    terms.dino_local =
        options_.dino_weight * ops::sum(of_rows(crops, objects * local_crops)) / (pairs * static_cast<double>(objects));
  }
  if (patches > 0) {
    terms.ibot =
        options_.ibot_weight * ops::sum(of_rows(class_tokens.size(0), patches) * weights) / static_cast<double>(crops);
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
