// Spline flows against pyro, zuko and nflows.
#include "probe/spline_flow.h"

#include <gmock/gmock.h>

#include "autograd/tape.h"
#include "models/model_support.h"
#include "ops/operators.h"
#include "testing/gradient_check.h"

namespace astroclip::probe {
namespace {

using testing_support::Fixture;
using testing_support::relative_error;

struct Published {
  const char* fixture;
  FlowOptions options;
  const char *before, *within;  ///< of a layer's number and of its network's layers, in the fixture
  int64_t stride;               ///< between numbers of its network's layers
  double densities, gradients;  ///< tolerances
};

const Published elementwise = {
    "spline_flow", {FlowKind::elementwise, 4, 12, 3, 8, {10, 10, 10}}, "", ".nn.layers.", 1, 1e-5, 1e-4};
const Published coupling = {"spline_flow.coupling",
                            {FlowKind::coupling, 4, 12, 4, 8, {20, 16}},
                            "_transform._transforms.",
                            ".transform_net.layers.",
                            2,
                            1e-5,
                            2e-4};
const Published autoregressive = {"spline_flow.autoregressive",
                                  {FlowKind::autoregressive, 4, 12, 3, 8, {20, 16}},
                                  "transform.transforms.",
                                  ".hyper.",
                                  2,
                                  1e-5,
                                  1e-4};

class SplineFlows : public testing::TestWithParam<std::tuple<DeviceKind, const Published*>> {
 protected:
  SplineFlows()
      : published_(*std::get<1>(GetParam())),
        device_(testing_support::present(std::get<0>(GetParam()))),
        file_(published_.fixture, device_),
        flow_(published_.options) {
    flow_.materialize(device_, 1);
    for (NamedTensor& entry : flow_.parameters()) entry.tensor.copy_from(file_[name_in_file("weights.", entry.name)]);
  }

  /// "0.nn.layers.1.weight" of ours.
  std::string name_in_file(const std::string& group, const std::string& name) const {
    const std::string layer = name.substr(0, 1), unit = name.substr(name.find("layers.") + 7);
    return group + published_.before + layer + published_.within + std::to_string(published_.stride * (unit[0] - '0')) +
           unit.substr(1);
  }

  /// [rows] of the joint density, or [rows, labels] of each.
  Tensor log_density(const Tensor& properties, const Tensor& context) const {
    const Tensor each = flow_.log_density(properties, context);
    return published_.options.kind == FlowKind::elementwise ? each : ops::sum(each, {1});
  }

  const Published& published_;
  const Device device_;
  const Fixture file_;
  SplineFlow flow_;
};

TEST_P(SplineFlows, DensitiesAndGradients) {
  Tensor properties = file_["properties"].clone(), context = file_["context"].clone();
  properties.set_requires_grad(true);
  context.set_requires_grad(true);
  const Tensor found = log_density(properties, context);
  EXPECT_LT(relative_error(found, file_["log_prob"]), published_.densities);
  EXPECT_LT(relative_error(flow_.latent(properties, context).values, file_["latent"]), published_.densities);
  autograd::backward(-ops::mean(found));
  EXPECT_LT(relative_error(properties.grad(), file_["grad_properties"]), published_.gradients);
  EXPECT_LT(relative_error(context.grad(), file_["grad_context"]), published_.gradients);
  for (const NamedTensor& entry : flow_.parameters()) {
    EXPECT_LT(relative_error(entry.tensor.grad(), file_[name_in_file("grad.", entry.name)]), published_.gradients)
        << entry.name;
  }
}

TEST_P(SplineFlows, Samples) {
  const Tensor found = flow_.sample(file_["sample_latent"], file_["context"]);
  EXPECT_LT(relative_error(found, file_["sample_properties"]), published_.densities);
}

INSTANTIATE_TEST_SUITE_P(Kinds, SplineFlows,
                         testing::Combine(testing_support::each_backend(),
                                          testing::Values(&elementwise, &coupling, &autoregressive)),
                         [](const auto& one) {
                           const std::string name = std::get<1>(one.param)->fixture;
                           return testing_support::name_of(std::get<0>(one.param)) + "_" +
                                  (name == "spline_flow" ? "elementwise" : name.substr(12));
                         });

/// Several values of one spline in a row, some of them beyond the bound, both ways.
TEST(RationalQuadratic, HasItsGradients) {
  Rng rng(9, RngStream::tests);
  const Tensor x = testing_support::random_tensor({12}, rng, -3.5, 3.5);
  const Tensor raw = testing_support::random_tensor({4, 11}, rng);
  for (const bool inverse : {false, true}) {
    const auto spline = [&] {
      return rational_quadratic(x, ops::softmax(ops::narrow(raw, 1, 0, 4)), ops::softmax(ops::narrow(raw, 1, 4, 4)),
                                ops::exp(ops::narrow(raw, 1, 8, 3)), {.inverse = inverse, .edge_derivative = 0.9});
    };
    EXPECT_EQ(testing_support::gradient_errors(spline, {{"x", x}, {"raw", raw}}, rng), "");
  }
}

TEST(RationalQuadratic, ItsInverseLeadsBack) {
  Rng rng(10, RngStream::tests);
  const Tensor x = testing_support::random_tensor({40}, rng, -3.5, 3.5);
  const Tensor widths = ops::softmax(testing_support::random_tensor({8, 5}, rng, -2.0, 2.0)),
               heights = ops::softmax(testing_support::random_tensor({8, 5}, rng, -2.0, 2.0)),
               derivatives = ops::exp(testing_support::random_tensor({8, 4}, rng));
  const Tensor there = rational_quadratic(x, widths, heights, derivatives, {});
  const Tensor back = rational_quadratic(ops::reshape(ops::narrow(there, 1, 0, 1), {40}), widths, heights, derivatives,
                                         {.inverse = true});
  EXPECT_LT(relative_error(ops::narrow(back, 1, 0, 1).view_as({40}), x), 1e-12);
  EXPECT_LT(relative_error(ops::narrow(back, 1, 1, 1), -ops::narrow(there, 1, 1, 1)), 1e-9);
}

TEST(RationalQuadratic, RefusesOtherShapes) {
  Rng rng(11, RngStream::tests);
  const Tensor x = testing_support::random_tensor({5}, rng), lengths = testing_support::random_tensor({2, 4}, rng);
  EXPECT_THAT([&] { (void)rational_quadratic(x, lengths, lengths, lengths, {}); },
              testing::ThrowsMessage<Error>("[rational_quadratic] expected x [n · r], widths and heights [n, bins], "
                                            "derivatives [n, bins − 1], found [5], [2, 4], [2, 4], [2, 4]"));
}

}  // namespace
}  // namespace astroclip::probe
