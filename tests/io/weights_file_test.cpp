#include "io/weights/weights_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "io/output/durable_file.h"
#include "support/devices.h"
#include "support/fixtures.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

using testing_support::fixture;

using testing_support::cpu;

TEST(WeightsFile, ReadsBothFormatsAlike) {
  const auto pytorch = read_weights(fixture("specformer.ckpt"), cpu);
  const auto safe = read_weights(fixture("specformer.weights.safetensors"), cpu);
  EXPECT_EQ(pytorch.format, "PyTorch, zip");
  EXPECT_EQ(safe.format, "safetensors");
  ASSERT_EQ(pytorch.tensors.size(), safe.tensors.size());
  const auto by_name = [](const WeightsFile& file) {
    std::map<std::string, std::vector<double>> values;
    for (const NamedTensor& entry : file.state_dict()) values[entry.name] = entry.tensor.to_doubles();
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

TEST(WeightsFile, ListsTypesOfSafetensorsAsStored) {
  const std::string path = testing_support::scratch("half.safetensors");
  const std::string header = R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                             R"("i":{"dtype":"I16","shape":[2],"data_offsets":[4,8]},)"
                             R"("c":{"dtype":"C64","shape":[1],"data_offsets":[8,16]}})";
  const uint64_t length = header.size();
  write_text(path, std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + std::string(16, '\0'));
  const auto listing = list_weights(path);
  ASSERT_EQ(listing.entries.size(), 2U);
  EXPECT_EQ(listing.entries[0].type, "f16");
  EXPECT_EQ(listing.entries[1].type, "i16");
  EXPECT_THAT(listing.skipped, testing::ElementsAre("c <C64 [1]>"));
}

/// Hugging Face's libraries write large models in several files beside an index.
TEST(WeightsFile, ReadsTheShardsOfAnIndex) {
  const Tensor a = Tensor::from_host(std::vector<double>{1, 2}, {2}, DType::f32, cpu);
  const std::string first = testing_support::scratch("model-1.safetensors");
  write_safetensors(first, {{{"a", a}}}, {{"format", "pt"}});
  write_safetensors(testing_support::scratch("model-2.safetensors"), {{{"b", a}}});
  const std::string index = testing_support::scratch("model.safetensors.index.json");
  write_text(
      index,
      R"({"metadata": {"total_size": 16}, "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})");
  const auto weights = read_weights(index, cpu);
  EXPECT_EQ(weights.format, "safetensors in 2 shards");
  ASSERT_EQ(weights.tensors.size(), 2U);
  EXPECT_EQ(weights.tensors[1].name, "b");
  EXPECT_THAT(weights.tensors[1].tensor.to_doubles(), testing::ElementsAre(1, 2));
  EXPECT_EQ(weights.metadata.at("format"), "pt");
  std::filesystem::remove(first);
  EXPECT_THAT([&] { read_weights(index, cpu); },
              testing::ThrowsMessage<Error>(index + ": is an index of 2 shards, and the shard 'model-1.safetensors' is "
                                                    "not beside it"));
  write_text(index, R"({"weight_map": {"a": "../model-1.safetensors"}})");
  EXPECT_THAT(
      [&] { read_weights(index, cpu); },
      testing::ThrowsMessage<Error>(index + ": is an index of shards, but '../model-1.safetensors' is no file name"));
}

TEST(WeightsFile, AConvertedFileHoldsTheSameModel) {
  const auto weights = read_weights(fixture("specformer.ckpt"), cpu);
  const std::string path = testing_support::scratch("converted.safetensors");
  // Text that is not UTF-8, as old pickles hold, must not stop the writing.
  auto metadata = weights.metadata;
  metadata["note"] = "\xff";
  write_safetensors(path, weights.state_dict(), metadata);
  const auto again = read_weights(path, cpu);
  EXPECT_EQ(model_hash(again.tensors), model_hash(weights.state_dict()));
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
