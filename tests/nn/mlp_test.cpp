#include <gmock/gmock.h>

#include "nn/layers.h"

#include "support/devices.h"

namespace astroclip::nn {
namespace {

using testing_support::reference;

TEST(Mlp, IsReluBetweenLinearLayers) {
  Mlp mlp(2, {2, 1});
  mlp.materialize(reference, 1);
  const std::vector<NamedTensor> parameters = mlp.parameters();
  std::vector<std::string> names;
  for (const NamedTensor& entry : parameters) names.push_back(entry.name);
  ASSERT_THAT(names, testing::ElementsAre("layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"));
  const std::vector<std::vector<double>> values = {{1, 2, 3, -4}, {0.5, 1}, {10, 100}, {-7}};
  for (size_t i = 0; i < 4; ++i) {
    Tensor tensor = parameters[i].tensor;
    tensor.copy_from(Tensor::from_host(values[i], tensor.shape(), DType::f64, reference));
  }
  // Hidden: (1 + 2 + 0.5, 3 − 4 + 1) and (−2 + 2 + 0.5, −6 − 4 + 1 < 0).
  const Tensor x = Tensor::from_host(std::vector<double>{1, 1, -2, 1}, {2, 2}, DType::f64, reference);
  EXPECT_THAT(mlp(x).to_doubles(), testing::ElementsAre(28.0, -2.0));
}

TEST(Mlp, WithoutLayersHandsItsInputOn) {
  const Tensor x = Tensor::from_host(std::vector<double>{1, -2}, {1, 2}, DType::f64, reference);
  EXPECT_EQ(Mlp(2, {})(x).to_doubles(), x.to_doubles());
}

TEST(Mlp, DropsHiddenValuesInTrainingOnly) {
  Mlp mlp(3, {64, 2}, {.dropout = 0.5});
  mlp.materialize(reference, 1);
  const Tensor x = Tensor::from_host(std::vector<double>{1, -2, 3}, {1, 3}, DType::f64, reference);
  EXPECT_EQ(mlp(x).to_doubles(), mlp(x).to_doubles());
  mlp.set_training(true);
  EXPECT_NE(mlp(x).to_doubles(), mlp(x).to_doubles());
}

}  // namespace
}  // namespace astroclip::nn
