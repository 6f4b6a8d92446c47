#include "io/weights/weights_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/fixtures.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

using testing_support::fixture;

constexpr Device cpu{DeviceKind::cpu};

TEST(WeightsFile, ReadsBothFormatsAlike) {
  const auto pytorch = read_weights(fixture("specformer.ckpt"), cpu);
  const auto safe = read_weights(fixture("specformer.weights.safetensors"), cpu);
  EXPECT_EQ(pytorch.format, "PyTorch, zip");
  EXPECT_EQ(safe.format, "safetensors");
  ASSERT_EQ(pytorch.tensors.size(), safe.tensors.size());
  const auto by_name = [](const WeightsFile& file) {
    std::map<std::string, std::vector<double>> values;
    for (const NamedTensor& entry : file.tensors) values[entry.name] = entry.tensor.to_doubles();
    return values;
  };
  EXPECT_EQ(by_name(pytorch), by_name(safe));
}

TEST(WeightsFile, ListsTypesAsStored) {
  const auto listing = list_weights(fixture("specformer.fp16.legacy.ckpt"));
  EXPECT_EQ(listing.format, "PyTorch, legacy");
  ASSERT_FALSE(listing.entries.empty());
  for (const auto& entry : listing.entries) EXPECT_EQ(entry.type, "f16") << entry.name;
}

TEST(WeightsFile, AConvertedFileHoldsTheSameModel) {
  const auto weights = read_weights(fixture("specformer.ckpt"), cpu);
  const std::string path = testing_support::scratch("converted.safetensors");
  // Text that is not UTF-8, as old pickles hold, must not stop the writing.
  auto metadata = weights.metadata;
  metadata["note"] = "\xff";
  write_safetensors(path, weights.tensors, metadata);
  const auto again = read_weights(path, cpu);
  EXPECT_EQ(model_hash(again.tensors), model_hash(weights.tensors));
  EXPECT_EQ(again.metadata.at("hyper_parameters.embed_dim"), "48");
}

TEST(WeightsFile, TheHashDependsOnNamesShapesAndValues) {
  const std::vector<double> ones(4, 1.0), others = {1, 1, 1, 2};
  const auto hash = [](const std::string& name, const std::vector<double>& values, const Shape& shape, DType dtype) {
    return model_hash(std::vector<NamedTensor>{{name, Tensor::from_host(values, shape, dtype, cpu)}});
  };
  const std::string hash_of_ones = hash("w", ones, {4}, DType::f32);
  EXPECT_THAT(hash_of_ones, testing::MatchesRegex("[0-9a-f]{32}"));
  EXPECT_EQ(hash("w", ones, {4}, DType::f32), hash_of_ones);
  EXPECT_NE(hash("v", ones, {4}, DType::f32), hash_of_ones);
  EXPECT_NE(hash("w", others, {4}, DType::f32), hash_of_ones);
  EXPECT_NE(hash("w", ones, {2, 2}, DType::f32), hash_of_ones);
  EXPECT_NE(hash("w", ones, {4}, DType::f64), hash_of_ones);
}

}  // namespace
}  // namespace astroclip::io
