// Momentum contrast: MoCo v2 (He et al. 2020; Chen et al. 2020), the self-supervised rival that AstroCLIP compares with
// (as trained on galaxies by Stein et al. 2021).
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "api/momentum_encoder.h"
#include "autograd/tape.h"
#include "nn/momentum_contrast.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Moco final : public Loss {
 public:
  struct Parameters {
    std::string encoder = "image";
    int64_t width = 128;
    bool hidden_layer = true;
    int64_t queue = 65536;
    double momentum = 0.999;
    double temperature = 0.2;
    int64_t groups = 1;
  };

  static const config::Schema<Parameters>& schema() {
    using config::above;
    using config::at_least;
    using config::between;
    static const auto schema =
        config::Schema<Parameters>(
            "A view of an object finds another view of it among views of earlier objects, which a moving average of "
            "the encoder has encoded.")
            .field("encoder", &Parameters::encoder, "encoder to train")
            .field("width", &Parameters::width, "width of queries and keys", at_least(1))
            .field("hidden_layer", &Parameters::hidden_layer,
                   "whether the head has a hidden layer (MoCo v2) or is linear (v1)")
            .field("queue", &Parameters::queue, "number of keys of earlier objects", between(1, 1 << 24))
            .field("momentum", &Parameters::momentum, "share of itself that the key encoder keeps at a step",
                   between(0.0, 1.0))
            .field("temperature", &Parameters::temperature, "temperature of the softmax over keys", above(0.0))
            .field("groups", &Parameters::groups,
                   "equal parts of the batch that batch norms normalise apart, as on as many devices; views of one "
                   "object fall into different ones",
                   at_least(1))
            .example(R"(
[[stages]]
name = "pretraining"
encoders = ["image"]
loss = { plugin = "moco", queue = 16384, momentum = 0.996, groups = 8 }
)");
    return schema;
  }

  explicit Moco(const Parameters& parameters) : p_(parameters) {}

  std::vector<ViewRequest> views(const LossSetup&) const override {
    return {{.name = query, .tower = p_.encoder, .augment = true}, {.name = key, .tower = p_.encoder, .augment = true}};
  }

  void attach(LossSetup& setup) override {
    const int64_t batch = setup.batch_size();
    if (batch % p_.groups != 0)
      fail(fmt::format("a batch of {} objects does not fall into {} groups", batch, p_.groups));
    if (p_.queue < batch) fail(fmt::format("a queue of {} keys does not hold a batch of {}", p_.queue, batch));
    encoders_.emplace(setup, p_.encoder, "key_encoder");
    encoders_->follower().set_batch_statistics({.groups = p_.groups, .of_frozen = true});
    contrast_.emplace(nn::MomentumContrastOptions{.in = encoders_->leader().dim(),
                                                  .width = p_.width,
                                                  .hidden_layer = p_.hidden_layer,
                                                  .queue = p_.queue,
                                                  .temperature = p_.temperature});
    child("", *contrast_);
  }

  void begin() override { contrast_->begin(); }

  LossValue forward(LossContext& context) override {
    if (training()) follow_queries(context.step());
    const Tensor queries =
        contrast_->queries(encoders_->leader().pool(context.encode(query, {}, TokenForm::pretraining)));
    const Tensor keys = keys_of(context);
    const Tensor logits = contrast_->logits(queries, keys);
    const Tensor total = nn::MomentumContrast::loss(logits);
    if (training()) contrast_->keep(context.communicator().all_gather(keys));
    return {total, {{plugin_name(), total}, {"own_key_first", own_key_first(logits)}}};
  }

  void after_update(LossSetup&, int64_t, int64_t) override { contrast_->enqueue(); }
  void after_skip() override { contrast_->forget(); }
  int64_t batch_norm_groups(const std::string& tower) const override { return tower == p_.encoder ? p_.groups : 1; }

 private:
  static constexpr const char* query = "query";
  static constexpr const char* key = "key";

  /// Once a step, before its first batch, as published.
  void follow_queries(int64_t step) {
    if (followed_ == step) return;
    followed_ = step;
    encoders_->follow(p_.momentum);
    contrast_->follow_queries(p_.momentum);
  }

  Tensor keys_of(LossContext& context) const {
    const autograd::NoGrad no_grad;
    Encoder& encoder = encoders_->follower();
    encoder.set_training(training());
    encoder.set_step_seed(context.rng(RngStream::dropout, 0).next());
    const auto encode = [&](const Tensor& tokens) {
      return contrast_->keys(encoder.pool(encoder.encode(tokens, {}, TokenForm::pretraining)));
    };
    const Tensor tokens = context.tokens(key);
    if (p_.groups == 1 || !training()) return encode(tokens);
    // A batch norm's statistics would tell which keys and queries went through it together.
    std::vector<int64_t> order(static_cast<size_t>(tokens.size(0)));
    std::iota(order.begin(), order.end(), 0);
    context.rng(RngStream::batches, 0).shuffle(std::span(order));
    std::vector<int64_t> back(order.size());
    for (size_t i = 0; i < order.size(); ++i) back[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
    const auto in_order = [&](const Tensor& rows, const std::vector<int64_t>& index) {
      return ops::gather_rows(rows, Tensor::from_host(index, {rows.size(0)}, rows.device()));
    };
    return in_order(encode(in_order(tokens, order)), back);
  }

  /// Share of queries that are nearer to their own key than to all of the queue.
  static Tensor own_key_first(const Tensor& logits) {
    const autograd::NoGrad no_grad;
    const int64_t rows = logits.size(0), others = logits.size(1) - 1;
    const Tensor of_queue = ops::reshape(ops::narrow(logits, 1, 1, others), {rows, 1, others, 1});
    const Tensor nearest = ops::max_pool(of_queue, {.size = {1, others}, .stride = {1, others}});
    return ops::mean(ops::nonzero(ops::relu(ops::narrow(logits, 1, 0, 1) - ops::reshape(nearest, {rows, 1}))));
  }

  Parameters p_;
  std::optional<MomentumEncoder> encoders_;  ///< of queries and of keys
  std::optional<nn::MomentumContrast> contrast_;
  int64_t followed_ = -1;  ///< the step that the keys' encoder has followed
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Moco)
