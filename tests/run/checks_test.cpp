// Plugins that do not keep to their interface are refused before training, by name.
#include "run/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/error.h"
#include "nn/layers.h"
#include "ops/ops.h"
#include "support/small_experiment.h"

namespace astroclip {
namespace {

using testing_support::model_of;
using testing_support::small_experiment;

/// Four values as two tokens of two.
class Sound : public Encoder {
 public:
  std::string modality() const override { return "image"; }
  Shape input_shape() const override { return {4}; }
  Shape token_shape() const override { return {2, 2}; }
  int64_t dim() const override { return 2; }
  int64_t embedding_width() const override { return 4; }
  Tensor tokenize(const Tensor& raw) const override { return ops::reshape(raw, {raw.size(0), 2, 2}); }
  Encoded encode(const Tensor& tokens, const Tensor&, TokenForm) const override { return {{}, tokens}; }
  Tensor embed(const Encoded& encoded) const override {
    return ops::reshape(encoded.tokens, {encoded.tokens.size(0), 4});
  }
  Tensor pool(const Encoded& encoded) const override { return ops::mean(encoded.tokens, {1}); }
};

struct OtherTokens : Sound {
  Shape token_shape() const override { return {3, 2}; }
};
struct NoTokens : Sound {
  Encoded encode(const Tensor&, const Tensor&, TokenForm) const override { return {}; }
};
struct WideFeatures : Sound {
  Encoded encode(const Tensor& tokens, const Tensor&, TokenForm) const override {
    return {{}, ops::concat({tokens, tokens}, 2)};
  }
};
struct Unpooled : Sound {
  Tensor embed(const Encoded& encoded) const override { return encoded.tokens; }
};
struct Rounded : Sound {
  Tensor pool(const Encoded& encoded) const override { return ops::cast(Sound::pool(encoded), DType::f32); }
};
struct Failing : Sound {
  Tensor embed(const Encoded&) const override { throw std::runtime_error("no head"); }
};
struct Misshapen : Sound {
  Tensor embed(const Encoded& encoded) const override { return ops::reshape(encoded.tokens, {5}); }
};

template <class Kind>
Experiment with_encoder() {
  Experiment experiment;
  experiment.device = "reference";
  experiment.encoders = {{"photo", {"odd", {}, [] { return std::make_shared<Kind>(); }}}};
  return experiment;
}

template <class Kind>
std::string refusal() {
  const Experiment experiment = with_encoder<Kind>();
  try {
    run::check_encoders(experiment, model_of(experiment));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(EncoderCheck, TakesASoundEncoder) { EXPECT_EQ(refusal<Sound>(), ""); }

TEST(EncoderCheck, NamesTheFunctionThatBreaksADeclaration) {
  EXPECT_EQ(refusal<OtherTokens>(),
            "[encoders.photo] tokenize of encoder 'odd' gives f64 [2, 2, 2], expected f64 [2, 3, 2] (objects, "
            "token_shape())");
  EXPECT_EQ(refusal<NoTokens>(),
            "[encoders.photo] encode of encoder 'odd' gives an undefined tensor, expected f64 [2, 2, 2] (objects, "
            "tokens, dim())");
  EXPECT_EQ(refusal<WideFeatures>(),
            "[encoders.photo] encode of encoder 'odd' gives f64 [2, 2, 4], expected f64 [2, 2, 2] (objects, tokens, "
            "dim())");
  EXPECT_EQ(refusal<Unpooled>(),
            "[encoders.photo] embed of encoder 'odd' gives f64 [2, 2, 2], expected f64 [2, 4] (objects, "
            "embedding_width())");
  EXPECT_EQ(refusal<Rounded>(),
            "[encoders.photo] pool of encoder 'odd' gives f32 [2, 2], expected f64 [2, 2] (objects, dim())");
}

TEST(EncoderCheck, NamesTheFunctionThatThrows) {
  EXPECT_EQ(refusal<Failing>(), "embed of encoder 'odd' of [encoders.photo] failed: no head");
  EXPECT_THAT(refusal<Misshapen>(), testing::EndsWith("(in embed of encoder 'odd' of [encoders.photo])"));
}

/// One layer under two names.
struct Tied : Sound {
  Tied() {
    child("a", layer_);
    child("b", layer_);
  }
  nn::Linear layer_{2, 2, nn::uniform_fan_in(2)};
};
/// Two layers under one name.
struct Homonyms : Sound {
  Homonyms() {
    child("a", first_);
    child("a", second_);
  }
  nn::Linear first_{2, 2, nn::uniform_fan_in(2)}, second_{2, 2, nn::uniform_fan_in(2)};
};

template <class Kind>
std::string names_refusal() {
  const Experiment experiment = with_encoder<Kind>();
  try {
    run::check_stages(experiment, model_of(experiment), 0);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(NameCheck, RefusesTensorsThatACheckpointCannotTellApart) {
  EXPECT_EQ(names_refusal<Sound>(), "");
  EXPECT_EQ(names_refusal<Tied>(), "[encoders.photo]: 'a.weight' and 'b.weight' are the same tensor");
  EXPECT_EQ(names_refusal<Homonyms>(), "[encoders.photo]: two tensors are named 'a.weight'");
}

/// Gives what it was made with.
class Given final : public Loss {
 public:
  explicit Given(std::function<LossValue(LossContext&)> forward) : forward_(std::move(forward)) {}
  std::vector<ViewRequest> views(const LossSetup&) const override { return {{.name = "image", .tower = "image"}}; }
  void attach(LossSetup&) override {}
  LossValue forward(LossContext& context) override { return forward_(context); }

 private:
  std::function<LossValue(LossContext&)> forward_;
};

std::string refusal(const std::function<LossValue(const Tensor& number)>& value) {
  Experiment experiment = small_experiment({});
  experiment.stages[0].loss.make = [&] {
    return std::make_shared<Given>([&](LossContext& context) { return value(ops::mean(context.embed("image"))); });
  };
  const auto dataset = experiment.dataset.make();
  try {
    (void)run::check_batches(experiment, model_of(experiment), *dataset);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(LossCheck, TakesOneNumberForTheTotalAndForEachTerm) {
  EXPECT_EQ(refusal([](const Tensor& x) { return LossValue{x, {{"clip", x}}}; }), "");
  EXPECT_EQ(refusal([](const Tensor&) { return LossValue{}; }),
            "[stages.stage] loss 'clip': the total is an undefined tensor, expected one number");
  EXPECT_EQ(refusal([](const Tensor& x) {
              return LossValue{ops::broadcast_to(x, {3}), {}};
            }),
            "[stages.stage] loss 'clip': the total is of shape [3], expected one number");
  EXPECT_EQ(refusal([](const Tensor& x) {
              return LossValue{x, {{"a", {}}}};
            }),
            "[stages.stage] loss 'clip': the term 'a' is an undefined tensor, expected one number");
}

TEST(LossCheck, RefusesTermsThatMetricsCannotTellApart) {
  EXPECT_EQ(refusal([](const Tensor& x) {
              return LossValue{x, {{"step", x}}};
            }),
            "[stages.stage] loss 'clip': a term is named 'step', as another term or entry of metrics.jsonl");
  EXPECT_EQ(refusal([](const Tensor& x) {
              return LossValue{x, {{"a", x}, {"a", x}}};
            }),
            "[stages.stage] loss 'clip': a term is named 'a', as another term or entry of metrics.jsonl");
}

TEST(LossCheck, NamesALossThatThrows) {
  EXPECT_EQ(refusal([](const Tensor&) -> LossValue { throw std::out_of_range("map::at"); }),
            "loss 'clip' of stage 'stage' failed: map::at");
  EXPECT_THAT(refusal([](const Tensor& x) {
                return LossValue{ops::matmul(x, x), {}};
              }),
              testing::EndsWith("(in loss 'clip' of stage 'stage')"));
}

}  // namespace
}  // namespace astroclip
