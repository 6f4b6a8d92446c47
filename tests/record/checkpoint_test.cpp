#include "record/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "io/output/durable_file.h"
#include "support/scratch.h"

namespace astroclip::record {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

Tensor vector_of(std::vector<double> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Tensor::from_host(values, {count}, DType::f32, {DeviceKind::cpu});
}

class Checkpoints : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing_support::scratch("checkpoints");
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  std::string write(int64_t stage, int64_t step) {
    Position position{stage, step, 2, "avx2", "a card, its driver"};
    position.provenance.code.set("encoder vit", {"2a", {}});
    const std::string path = folder_ + "/" + checkpoint_name(position);
    write_checkpoint(path, position, {{"w", vector_of({1, 2, static_cast<double>(step)})}});
    return path;
  }
  std::string folder_;
};

TEST_F(Checkpoints, GoBackAndForth) {
  const std::string path = write(1, 400);
  const Position position = read_position(path);
  EXPECT_EQ(position.stage, 1);
  EXPECT_EQ(position.step, 400);
  EXPECT_EQ(position.threads, 2);
  EXPECT_EQ(position.instructions, "avx2");
  EXPECT_EQ(position.device, "a card, its driver");
  EXPECT_NE(position.provenance.code.find("encoder vit"), nullptr);
  std::vector<NamedTensor> targets = {{"w", vector_of({0, 0, 0})}};
  restore(path, targets);
  EXPECT_THAT(targets[0].tensor.to_doubles(), ElementsAre(1, 2, 400));
}

TEST_F(Checkpoints, TheFurthestIsTakenAndTheRestPruned) {
  EXPECT_FALSE(latest_checkpoint(folder_).has_value());
  write(0, 900);
  write(1, 30);
  const std::string last = write(1, 200);
  io::write_text(folder_ + "/stage-09-step-00000001.safetensors.partial-77", "cut off");
  EXPECT_EQ(latest_checkpoint(folder_)->path, last);
  prune_checkpoints(folder_, 2);
  EXPECT_FALSE(fs::exists(folder_ + "/stage-00-step-00000900.safetensors"));
  EXPECT_TRUE(fs::exists(folder_ + "/stage-01-step-00000030.safetensors"));
}

TEST_F(Checkpoints, WhatDoesNotFitIsNamed) {
  const std::string path = write(0, 1);
  std::vector<NamedTensor> longer = {{"w", vector_of({0, 0})}};
  EXPECT_THAT([&] { restore(path, longer); },
              ThrowsMessage<Error>(path + ": tensor 'w': expected f32 [2], found f32 [3]"));
  std::vector<NamedTensor> other = {{"v", vector_of({0})}};
  EXPECT_THAT([&] { restore(path, other); }, ThrowsMessage<Error>(path + ": holds no tensor 'v'"));
}

TEST_F(Checkpoints, ATruncatedFileIsRefused) {
  const std::string path = write(0, 1);
  const std::string whole = io::read_text(path);
  io::write_text(path, whole.substr(0, whole.size() - 3));
  EXPECT_THAT([&] { read_position(path); }, ThrowsMessage<Error>(HasSubstr("is the file truncated?")));
}

}  // namespace
}  // namespace astroclip::record
