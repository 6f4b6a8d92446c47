// Self-distillation of images without labels: DINOv2 (Oquab et al. 2023), whose product is the teacher.
#include <cmath>
#include <memory>
#include <optional>

#include "api/momentum_encoder.h"
#include "api/selected_tokens.h"
#include "autograd/tape.h"
#include "nn/block_masks.h"
#include "nn/self_distillation.h"
#include "optim/schedule.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Dinov2 final : public Loss {
 public:
  struct Parameters {
    std::string encoder = "image";
    int64_t local_crops = 8;
    double dino_weight = 1.0;
    double ibot_weight = 1.0;
    double koleo_weight = 0.1;
    int64_t prototypes = 65536;
    int64_t hidden = 2048;
    int64_t bottleneck = 256;
    int64_t layers = 3;
    bool shared_head = true;
    nn::Centring centring = nn::Centring::softmax;
    double centre_momentum = 0.9;
    double student_temperature = 0.1;
    double teacher_temperature = 0.07;
    double teacher_temperature_start = 0.04;
    int64_t teacher_temperature_warmup = 0;
    double teacher_momentum = 0.992;
    double teacher_momentum_end = 1.0;
    double masked_crops = 0.5;
    std::vector<double> masked_patches = {0.1, 0.5};
  };

  static const config::Schema<Parameters>& schema() {
    using config::above;
    using config::at_least;
    using config::between;
    static const auto schema =
        config::Schema<Parameters>(
            "A student learns to say of crops and masked patches what a teacher, its moving average, says of the "
            "other crop and of the patches. The teacher is what comes out.")
            .field("encoder", &Parameters::encoder, "encoder to train; it needs a class token")
            .field("local_crops", &Parameters::local_crops,
                   "small crops of each object, by [dataset.views.local], beside two by global_1 and global_2",
                   between(0, 64))
            .renamed("local_size", "dataset.views.local.size")
            .field("dino_weight", &Parameters::dino_weight, "weight of the loss on class tokens", at_least(0.0))
            .field("ibot_weight", &Parameters::ibot_weight,
                   "weight of the loss on masked patches; 0: nothing is masked", at_least(0.0))
            .field("koleo_weight", &Parameters::koleo_weight,
                   "weight of the loss that spreads the class tokens of a batch; 0: none", at_least(0.0))
            .field("prototypes", &Parameters::prototypes, "outputs of a head", at_least(2))
            .field("hidden", &Parameters::hidden, "width of a head's hidden layers", at_least(1))
            .field("bottleneck", &Parameters::bottleneck, "width of a head's last but one layer", at_least(1))
            .field("layers", &Parameters::layers, "linear layers of a head before the prototypes", at_least(1))
            .field("shared_head", &Parameters::shared_head, "whether class tokens and patches share one head")
            .choice("centring", &Parameters::centring, "what keeps the teacher from one answer for all",
                    {{"softmax", nn::Centring::softmax}, {"sinkhorn_knopp", nn::Centring::sinkhorn_knopp}})
            .field("centre_momentum", &Parameters::centre_momentum,
                   "momentum of the mean that softmax centring subtracts", between(0.0, 1.0))
            .field("student_temperature", &Parameters::student_temperature, "temperature of the student's softmax",
                   above(0.0))
            .field("teacher_temperature", &Parameters::teacher_temperature, "temperature of the teacher's softmax",
                   above(0.0))
            .field("teacher_temperature_start", &Parameters::teacher_temperature_start,
                   "temperature of the teacher's softmax at the first step", above(0.0))
            .field("teacher_temperature_warmup", &Parameters::teacher_temperature_warmup,
                   "steps of the linear warm-up to teacher_temperature", at_least(0))
            .field("teacher_momentum", &Parameters::teacher_momentum,
                   "momentum of the teacher: share of itself that it keeps at a step", between(0.0, 1.0))
            .field("teacher_momentum_end", &Parameters::teacher_momentum_end,
                   "that momentum at the end of the stage, reached on a cosine", between(0.0, 1.0))
            .field("masked_crops", &Parameters::masked_crops, "share of the large crops that are masked in blocks",
                   between(0.0, 1.0))
            .field("masked_patches", &Parameters::masked_patches, "least and greatest share of a masked crop's patches",
                   config::each(between(0.0, 1.0)))
            .check([](const Parameters& p) {
              return p.masked_patches.size() == 2 && p.masked_patches[0] <= p.masked_patches[1]
                         ? ""
                         : "'masked_patches' must be two numbers, the least and the greatest";
            })
            .example(R"(
[[stages]]
name = "pretraining"
encoders = ["image"]
loss = { plugin = "dinov2", prototypes = 4096, teacher_temperature_warmup = 500 }
)");
    return schema;
  }

  explicit Dinov2(const Parameters& parameters) : p_(parameters) {}

  std::vector<ViewRequest> views(const LossSetup&) const override {
    std::vector<ViewRequest> all = {
        {.name = global, .tower = p_.encoder, .augment = true, .crops = 2, .groups = {"global_1", "global_2"}}};
    if (p_.local_crops > 0) {
      all.push_back(
          {.name = local, .tower = p_.encoder, .augment = true, .crops = p_.local_crops, .groups = {"local"}});
    }
    return all;
  }

  void attach(LossSetup& setup) override {
    encoders_.emplace(setup, p_.encoder, "teacher");
    const int64_t patches = encoders_->leader().token_shape()[0];
    side_ = std::lround(std::sqrt(static_cast<double>(patches)));
    if (side_ * side_ != patches) fail(fmt::format("masks a square grid of patches, found {} patches", patches));
    objective_.emplace(nn::SelfDistillationOptions{.head = {.in = encoders_->leader().dim(),
                                                            .prototypes = p_.prototypes,
                                                            .hidden = p_.hidden,
                                                            .bottleneck = p_.bottleneck,
                                                            .layers = p_.layers},
                                                   .shared_head = p_.shared_head,
                                                   .centring = p_.centring,
                                                   .centre_momentum = p_.centre_momentum,
                                                   .student_temperature = p_.student_temperature,
                                                   .dino_weight = p_.dino_weight,
                                                   .ibot_weight = p_.ibot_weight,
                                                   .koleo_weight = p_.koleo_weight});
    child("", *objective_);
  }

  void begin() override { objective_->begin(); }

  LossValue forward(LossContext& context) override {
    const int64_t crops = 2 * context.batch_size();
    const Masked masked = draw_masks(context, crops);
    const Encoded student = context.encode_selected(global, masked.mask, masked.patches);
    if (!student.cls_token.defined()) {
      fail(fmt::format("encoder '{}' has no class token", encoders_->leader().plugin_name()));
    }
    nn::SelfDistillation::Features of_student{student.cls_token, {}, student.tokens}, of_teacher;
    if (p_.local_crops > 0) of_student.local = context.encode_selected(local, {}, {}).cls_token;
    {
      const autograd::NoGrad no_grad;
      const Encoded teacher = encode_selected(encoders_->follower(), context.tokens(global), {}, masked.patches);
      of_teacher = {teacher.cls_token, {}, teacher.tokens};
    }
    const auto terms =
        (*objective_)(of_student, of_teacher, masked.weights, temperature(context.step()), context.communicator());
    LossValue value{terms.total(), {}};
    const auto add = [&](const char* name, const Tensor& term) {
      if (term.defined()) value.terms.emplace_back(name, term);
    };
    add("dino_global", terms.dino_global);
    add("dino_local", terms.dino_local);
    add("ibot", terms.ibot);
    add("koleo", terms.koleo);
    add("teacher_entropy", terms.entropy);
    add("mean_teacher_entropy", terms.mean_entropy);
    if (context.watching()) {
      value.signs = {{"teacher_entropy", terms.entropy, std::log(static_cast<double>(p_.prototypes))},
                     {"mean_teacher_entropy", terms.mean_entropy, 0.0},
                     {"prototypes_in_use", nn::prototypes_in_use(terms.targets)},
                     {"centre_norm", objective_->centre_norm()}};
    }
    return value;
  }

  void after_update(LossSetup&, int64_t step, int64_t steps) override {
    const double momentum = optim::cosine(step, p_.teacher_momentum, p_.teacher_momentum_end, steps);
    encoders_->follow(momentum);
    objective_->update(momentum);
  }

  void after_skip() override { objective_->forget(); }

  const Encoder* product(const std::string& tower) const override {
    return tower == p_.encoder ? &encoders_->follower() : nullptr;
  }

 private:
  static constexpr const char* global = "global";
  static constexpr const char* local = "local";

  struct Masked {
    Tensor mask;                   ///< [crops, T]; undefined where nothing is masked
    std::vector<int64_t> patches;  ///< M, of crops · T
    Tensor weights;                ///< [M]: 1/(masked patches of the same crop); undefined where nothing is masked
  };

  Masked draw_masks(LossContext& context, int64_t crops) const {
    if (p_.ibot_weight == 0.0) return {};
    const auto rng = [&](int64_t i) { return context.rng(RngStream::masks, i); };
    const std::vector<float> mask =
        nn::block_masks(crops, side_, p_.masked_crops, p_.masked_patches[0], p_.masked_patches[1], rng);
    std::vector<int64_t> masked;
    std::vector<float> weights;
    const int64_t patches = side_ * side_;
    for (int64_t crop = 0; crop < crops; ++crop) {
      const auto first = mask.begin() + crop * patches;
      const auto hidden = static_cast<float>(std::count(first, first + patches, 1.0F));
      for (int64_t patch = 0; patch < patches; ++patch) {
        if (first[patch] == 0.0F) continue;
        masked.push_back(crop * patches + patch);
        weights.push_back(1.0F / hidden);
      }
    }
    if (masked.empty()) return {};
    const int64_t count = std::ssize(masked);
    return {context.upload(mask, {crops, patches}), std::move(masked), context.upload(weights, {count})};
  }

  double temperature(int64_t step) const {
    const double start = p_.teacher_temperature_start, end = p_.teacher_temperature;
    if (step >= p_.teacher_temperature_warmup) return end;
    const auto intervals = static_cast<double>(p_.teacher_temperature_warmup - 1);
    return intervals == 0.0 ? start : start + (end - start) * static_cast<double>(step) / intervals;
  }

  Parameters p_;
  std::optional<MomentumEncoder> encoders_;  ///< student and teacher
  std::optional<nn::SelfDistillation> objective_;
  int64_t side_ = 0;  ///< of the grid of patches
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Dinov2)
