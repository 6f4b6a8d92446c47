// Five training steps of DINOv2 against numbers of the published implementation.
#include "autograd/tape.h"
#include "models/model_support.h"
#include "nn/self_distillation.h"
#include "ops/operators.h"
#include "optim/adamw.h"
#include "optim/schedule.h"

namespace astroclip {
namespace {

using testing_support::Fixture;
using testing_support::relative_error;

constexpr int64_t objects = 3, local_crops = 4, patches = 144;

class Dinov2Fixture : public testing_support::OnEachBackend {
 protected:
  Dinov2Fixture()
      : weights_("dinov2_steps.weights", device()),
        crops_("dinov2_steps.crops", device()),
        trajectory_("dinov2_steps.trajectory", device()),
        student_(testing_support::make_encoder("vit", tiny, device())),
        teacher_(testing_support::make_encoder("vit", tiny, device())),
        objective_({.head = {.in = 48, .prototypes = 256, .hidden = 64, .bottleneck = 32, .layers = 3}}) {
    objective_.materialize(device(), 1);
    load(backbone(*student_), "student.");
    load(backbone(*teacher_), "teacher.");
    auto heads = weights_.all("student.dino_head.", "student_head.");
    nn::append_state(heads, weights_.all("teacher.dino_head.", "teacher_head."));
    nn::append_state(heads, {{"dino_centre", Tensor::zeros({256}, dtype(), device())},
                             {"ibot_centre", Tensor::zeros({256}, dtype(), device())}});
    EXPECT_TRUE(nn::load_state(objective_.state(), heads).complete());
    for (NamedTensor entry : backbone(*student_)) entry.tensor.set_requires_grad(true);
  }

  DType dtype() const { return backend_of(device()).compute_dtype(); }

  static std::vector<NamedTensor> backbone(const Encoder& encoder) {
    std::vector<NamedTensor> all = encoder.parameters();
    std::erase_if(all, [](const NamedTensor& entry) { return !entry.name.starts_with("backbone."); });
    return all;
  }
  void load(const std::vector<NamedTensor>& state, const std::string& from) const {
    const nn::LoadReport report = nn::load_state(state, weights_.all(from + "backbone.", "backbone."));
    EXPECT_TRUE(report.complete());
  }
  /// Crops of one object after another, where the file has one crop of all objects after another.
  Tensor by_object(const Tensor& x, int64_t crops) const {
    std::vector<int64_t> order;
    for (int64_t object = 0; object < objects; ++object) {
      for (int64_t crop = 0; crop < crops; ++crop) order.push_back(crop * objects + object);
    }
    return ops::gather_rows(x, Tensor::from_host(order, {objects * crops}, device()));
  }
  Tensor crops(const std::string& name, int64_t count) const { return by_object(crops_[name], count) / 256.0; }

  nn::SelfDistillation::Terms forward(size_t step) {
    const std::string at = "step" + std::to_string(step) + ".";
    const Tensor mask = by_object(trajectory_[at + "masks"], 2);
    const std::vector<double> hidden = mask.to_doubles();
    std::vector<int64_t> index;
    std::vector<double> weights;
    for (int64_t i = 0; i < 2 * objects * patches; ++i) {
      if (hidden[static_cast<size_t>(i)] == 0.0) continue;
      const auto first = hidden.begin() + i / patches * patches;
      index.push_back(i);
      weights.push_back(1.0 / static_cast<double>(std::count(first, first + patches, 1.0)));
    }
    const auto count = static_cast<int64_t>(index.size());
    const Tensor rows = Tensor::from_host(index, {count}, device());
    const auto masked = [&](const Tensor& tokens) {
      return ops::gather_rows(ops::reshape(tokens, {2 * objects * patches, 48}), rows);
    };
    const Tensor global = student_->tokenize(crops(at + "global_crops", 2));
    const Tensor local = student_->tokenize(crops(at + "local_crops", local_crops));
    const Encoded student = student_->encode(global, mask, TokenForm::pretraining);
    const nn::SelfDistillation::Features of_student{
        student.cls_token, student_->encode(local, {}, TokenForm::pretraining).cls_token, masked(student.tokens)};
    nn::SelfDistillation::Features of_teacher;
    {
      const autograd::NoGrad no_grad;
      const Encoded teacher = teacher_->encode(global, {}, TokenForm::pretraining);
      of_teacher = {teacher.cls_token, {}, masked(teacher.tokens)};
    }
    return objective_(of_student, of_teacher, Tensor::from_host(weights, {count}, dtype(), device()),
                      trajectory_.doubles("teacher_temp")[step], single_process());
  }

  static constexpr const char* tiny =
      "image = 144\npatch = 12\ndim = 48\ndepth = 4\nheads = 4\nchunks = 2\nhead = { width = 48, heads = 4 }\n";
  Fixture weights_, crops_, trajectory_;
  std::shared_ptr<Encoder> student_, teacher_;
  nn::SelfDistillation objective_;
};

/// "backbone.…" of the student's encoder and "student_head.…" of the objective, under the published names.
std::string published(const std::string& name) {
  return name.starts_with("student_head.") ? "dino_head." + name.substr(13) : name;
}

TEST_P(Dinov2Fixture, GradientsOfTheFirstStep) {
  const Fixture step0("dinov2_steps.step0", device());
  autograd::backward(forward(0).total());
  std::vector<NamedTensor> parameters = backbone(*student_);
  nn::append_state(parameters, objective_.parameters());
  int64_t compared = 0;
  for (const NamedTensor& entry : parameters) {
    if (!entry.tensor.requires_grad()) continue;
    ASSERT_TRUE(entry.tensor.grad().defined()) << entry.name;
    ++compared;
    const Tensor expected = step0["grad." + published(entry.name)];
    if (entry.name.ends_with("qkv.bias")) {  // its middle third has no gradient but rounding
      for (const int64_t part : {int64_t{0}, int64_t{2}}) {
        EXPECT_LT(relative_error(entry.tensor.grad().view_rows(48 * part, 48 * part + 48),
                                 expected.view_rows(48 * part, 48 * part + 48)),
                  1e-4)
            << entry.name;
      }
    } else {
      EXPECT_LT(relative_error(entry.tensor.grad(), expected), 1e-4) << entry.name;
    }
  }
  EXPECT_EQ(compared, 71);
}

TEST_P(Dinov2Fixture, FiveSteps) {
  std::vector<NamedTensor> parameters = backbone(*student_);
  const size_t of_backbone = parameters.size();
  nn::append_state(parameters, objective_.parameters());
  std::vector<optim::Scales> scales;
  for (const NamedTensor& entry : parameters) {
    if (!entry.tensor.requires_grad()) {
      scales.emplace_back();
      continue;
    }
    const std::vector<double> m = trajectory_.doubles("multipliers." + published(entry.name));
    scales.push_back({m[0], m[1], m[2] != 0.0 ? 2 : 0, scales.size() < of_backbone ? size_t{0} : size_t{1}});
  }
  optim::Adamw adamw(parameters, {.clip_norm = 3.0}, scales);
  const double peak = 0.04 * std::sqrt(static_cast<double>(objects) / 1024.0);
  double moved = 0.0;
  for (size_t step = 0; step < 5; ++step) {
    const auto at = static_cast<int64_t>(step);
    const auto terms = forward(step);
    const auto expect = [&](const Tensor& found, const std::string& name) {
      EXPECT_NEAR(found.item() / trajectory_.doubles("optimised." + name)[step], 1.0, 1e-5) << name << " " << step;
    };
    expect(terms.dino_global, "dino_global");
    expect(terms.dino_local, "dino_local");
    expect(terms.ibot, "ibot");
    expect(terms.koleo, "koleo");
    expect(terms.total(), "total");
    autograd::backward(terms.total());
    const double rate = optim::warmup_cosine(at, peak, 1e-6, 2, 8, true);
    moved += rate;
    const auto norm = adamw.step({rate, optim::cosine(at, 0.04, 0.4, 8), at});
    EXPECT_NEAR(norm.parts[0] / trajectory_.doubles("grad_norm.backbone")[step], 1.0, 1e-4) << step;
    EXPECT_NEAR(norm.parts[1] / trajectory_.doubles("grad_norm.dino_head")[step], 1.0, 1e-4) << step;
    const double momentum = optim::cosine(at, 0.9, 1.0, 8);
    nn::follow(teacher_->parameters(), student_->parameters(), momentum);
    objective_.update(momentum);
  }
  const Fixture final("dinov2_steps.final", device());
  const auto expect_all = [&](const std::vector<NamedTensor>& all, const std::string& from, const std::string& to) {
    for (const NamedTensor& entry : all) {
      if (!entry.name.starts_with(from)) continue;
      testing_support::expect_trained(entry.name, entry.tensor, final[to + entry.name.substr(from.size())], 2 * moved);
    }
  };
  expect_all(backbone(*student_), "", "student.");
  expect_all(backbone(*teacher_), "", "teacher.");
  expect_all(objective_.state(), "student_head.", "student.dino_head.");
  expect_all(objective_.state(), "teacher_head.", "teacher.dino_head.");
  for (const NamedTensor& entry : objective_.state()) {
    if (!entry.name.ends_with("_centre")) continue;
    const Tensor expected = final[entry.name.substr(0, 4) + "_center_next"];
    EXPECT_LT(relative_error(entry.tensor.to_doubles(), expected.to_doubles()), 1e-5) << entry.name;
  }
}

INSTANTIATE_TEST_SUITE_P(, Dinov2Fixture, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip
