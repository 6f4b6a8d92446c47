// What is captured is done again as often as it runs, on what its inputs hold then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "autograd/tape.h"
#include "backend/backend.h"
#include "base/error.h"
#include "ops/ops.h"

namespace astroclip::test {
namespace {

class Captures : public testing::TestWithParam<std::string> {
 protected:
  Captures() {
    std::vector<float> weight;
    for (int i = 0; i < 24 * 40; ++i) weight.push_back(static_cast<float>(i % 17) / 17.0F - 0.4F);
    weight_ = Tensor::from_host(weight, {24, 40}, DType::f32, device_);
    write(x_, 0);
  }
  void SetUp() override {
    if (!is_host_memory(device_)) return;
    EXPECT_EQ(backend_.capture([] {}), nullptr);
    GTEST_SKIP() << "computes at the call";
  }

  /// Products of a rounded weight, whose operands, workspaces and results lie in memory of the call.
  static Tensor pass(const Tensor& x, const Tensor& weight) {
    const autograd::NoGrad guard;
    const ops::PrecisionScope scope(Precision::bf16);
    const Tensor hidden = ops::linear(x, weight, {});
    return ops::softmax(ops::linear(ops::gelu(ops::matmul(hidden, weight)), weight, {}));
  }

  void write(Tensor& x, int64_t which) const {
    std::vector<float> values;
    for (int i = 0; i < 5 * 40; ++i) values.push_back(static_cast<float>((i * 7 + which * 3) % 23) / 23.0F - 0.5F);
    const Tensor source = Tensor::from_host(values, {5, 40}, DType::f32, device_);
    if (x.defined()) return x.copy_from(source);
    x = source;
  }

  /// The work that a test captures: y from x.
  std::unique_ptr<Replay> capture(const std::function<void()>& more = [] {}) {
    return backend_.capture([&, calls = 0]() mutable {
      y_ = {};
      y_ = pass(x_, weight_);
      if (calls++ > 0) more();
    });
  }

  std::unique_ptr<Replay> captured() {
    (void)pass(x_, weight_);
    std::unique_ptr<Replay> replay = capture();
    EXPECT_NE(replay, nullptr);
    return replay;
  }

  Memory& memory() const { return memory_of(device_); }

  const Device device_ = device_named(GetParam());
  Backend& backend_ = backend_of(device_);
  Tensor weight_, x_, y_;
};

TEST_P(Captures, RunOnWhatTheInputsHold) {
  const auto replay = captured();
  ASSERT_NE(replay, nullptr);
  for (const int64_t which : {1, 2, 3}) {
    write(x_, which);
    const std::vector<float> expected = pass(x_, weight_).to_floats();
    replay->run();
    EXPECT_EQ(y_.to_floats(), expected) << which;
  }
}

TEST_P(Captures, DoNothingUntilTheyRun) {
  const auto replay = captured();
  ASSERT_NE(replay, nullptr);
  const std::vector<float> expected = pass(x_, weight_).to_floats();
  backend_.fill(y_, 7.0);
  EXPECT_THAT(y_.to_floats(), testing::Each(7.0F));
  replay->run();
  EXPECT_EQ(y_.to_floats(), expected);
}

TEST_P(Captures, ShareNoMemory) {
  (void)captured();
  y_ = {};
  const int64_t used = memory().statistics().used_bytes;
  auto replay = captured();
  ASSERT_NE(replay, nullptr);
  EXPECT_GT(memory().statistics().used_bytes, used + y_.bytes());
  const std::vector<float> expected = pass(x_, weight_).to_floats();
  // Others take every block that is to be had of the sizes that the work takes, and write to its beginning.
  constexpr int64_t most = 8192, workspace = int64_t{64} << 20;
  std::vector<Tensor> others;
  const auto write_others = [&] {
    for (Tensor& other : others) {
      backend_.fill(View(other.mutable_data(), {std::min(most, other.bytes()) / 4}, DType::f32), 5.0);
    }
  };
  for (int64_t bytes = 256; bytes <= most; bytes += 256) {
    for (int i = 0; i < 8; ++i) others.push_back(Tensor::empty({bytes / 4}, DType::f32, device_));
  }
  for (int i = 0; i < 3; ++i) others.push_back(Tensor::empty({workspace / 4}, DType::f32, device_));
  write_others();
  replay->run();
  EXPECT_EQ(y_.to_floats(), expected);
  for (const Tensor& other : others) {
    const Tensor beginning = other.view_as({other.numel() / 64, 64}).view_rows(0, std::min(most, other.bytes()) / 256);
    EXPECT_THAT(beginning.to_floats(), testing::Each(5.0F)) << other.bytes();
  }
  others.clear();
  replay.reset();
  y_ = {};
  EXPECT_EQ(memory().statistics().used_bytes, used);
}

TEST_P(Captures, RefuseWhatTheHostTakesPartIn) {
  (void)captured();
  y_ = {};
  constexpr int64_t bytes = 100 << 20;
  void* pinned = backend_.allocate_pinned(x_.bytes());
  const std::pair<const char*, std::function<void()>> refused[] = {
      {"a read", [&] { (void)y_.to_floats(); }},
      {"a read that is queued", [&] { backend_.copy_async(pinned, y_); }},
      {"an upload", [&] { write(x_, 5); }},
      {"an upload that is queued", [&] { backend_.copy_async(x_, pinned); }},
      {"a wait", [&] { backend_.synchronize(); }},
      {"an allocation", [&] { memory().release(memory().allocate(bytes), bytes); }}};
  const int64_t used = memory().statistics().used_bytes;
  for (const auto& [what, work] : refused) {
    EXPECT_EQ(capture(work), nullptr) << what;
    y_ = {};
    EXPECT_EQ(memory().statistics().used_bytes, used) << what;
    write(x_, 0);
    const std::vector<float> expected = pass(x_, weight_).to_floats();
    const auto replay = capture();
    ASSERT_NE(replay, nullptr) << what;
    replay->run();
    EXPECT_EQ(y_.to_floats(), expected) << what;
    y_ = {};
  }
  backend_.release_pinned(pinned);
}

TEST_P(Captures, MayMakeTheFormOfAWeightThatEndsBeforeThem) {
  const auto replay = backend_.capture([&] {
    y_ = {};
    y_ = pass(x_, weight_.clone());
  });
  ASSERT_NE(replay, nullptr);
  write(x_, 1);
  replay->run();
  EXPECT_EQ(y_.to_floats(), pass(x_, weight_).to_floats());
}

TEST_P(Captures, RefuseTheFormOfAWeightThatOutlivesThem) {
  const Tensor other = ops::add(weight_, weight_);
  (void)captured();
  EXPECT_EQ(capture([&] { (void)pass(x_, other); }), nullptr);
  EXPECT_EQ(pass(x_, other).to_floats(), pass(x_, other.clone()).to_floats()) << "by the form that was left";
}

TEST_P(Captures, LeaveEventsOfTheQueueAlone) {
  std::unique_ptr<Event> event;
  (void)pass(x_, weight_);
  EXPECT_NE(capture([&] { event = backend_.record_event(); }), nullptr);
  EXPECT_NO_THROW(event->wait());
}

TEST_P(Captures, EndWhereTheirWorkFails) {
  (void)captured();
  y_ = {};
  const int64_t used = memory().statistics().used_bytes;
  EXPECT_EQ(backend_.capture([] { throw Error("at once"); }), nullptr);
  EXPECT_EQ(capture([] { throw Error("when captured"); }), nullptr);
  y_ = {};
  EXPECT_EQ(memory().statistics().used_bytes, used);
  EXPECT_NE(captured(), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Devices, Captures, testing::ValuesIn(device_names()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace astroclip::test
