// What "auto" stands for, by rates that are given here.
#include "experiment/precision.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/threads.h"
#include "config/toml.h"
#include "experiment/experiment.h"

namespace astroclip {
namespace {

using testing::HasSubstr;

TEST(Precision, AutoIsBf16WhereItIsFastEnough) {
  struct {
    ProductRates rates;
    Precision expected;
    const char* reason;
  } const cases[] = {
      {{325e9, 170e9}, Precision::f32, "0.5 times as fast as f32 ones (170 and 325 GFLOP/s on one core)"},
      {{300e9, 355e9},
       Precision::f32,
       "1.2 times as fast as f32 ones (355 and 300 GFLOP/s on one core), fewer than 1.2"},
      {{300e9, 365e9}, Precision::bf16, "1.2 times as fast as f32 ones (365 and 300 GFLOP/s on one core)"},
      {{140e9, 700e9}, Precision::bf16, "5.0 times as fast"},
      {{300e9, 0.0}, Precision::f32, "no bf16 products"}};
  for (const auto& [rates, expected, reason] : cases) {
    const PrecisionChoice choice = choose_precision(rates);
    EXPECT_EQ(choice.precision, expected) << choice.reason;
    EXPECT_THAT(choice.reason, HasSubstr(reason));
  }
}

TEST(Precision, IsMeasuredOnceForADeviceAndLeavesTheThreads) {
  set_compute_threads(3);
  const PrecisionChoice& first = fastest_precision(Device::host());
  EXPECT_EQ(compute_threads(), 3);
  set_compute_threads(0);
  EXPECT_EQ(&fastest_precision(Device::host()), &first);
  EXPECT_NE(first.reason, "");
}

Experiment read(const std::string& precision, const std::string& device = "auto") {
  return read_experiment(
      config::parse_text("[experiment]\nprecision = \"" + precision + "\"\ndevice = \"" + device + R"("
[dataset]
plugin = "simulated_survey"
[encoders.image]
plugin = "vit"
[[tasks]]
plugin = "retrieval"
)",
                         "e.toml"));
}

TEST(Precision, AnExperimentOfAnotherMachineCanBeRead) {
  const Experiment elsewhere = read("bf16", "cuda:99");
  EXPECT_EQ(elsewhere.run_precision(), Precision::bf16);
  EXPECT_EQ(read("auto", "cuda:99").run_precision(), Precision::bf16);
  EXPECT_THAT([&] { (void)elsewhere.run_device(); },
              testing::ThrowsMessage<Error>(HasSubstr("the device 'cuda:99' cannot be used: ")));
}

TEST(Precision, AnExperimentTellsWhyAutoIsWhatItIs) {
  const PrecisionChoice& choice = fastest_precision(device_named("auto"));
  const Experiment chosen = read("auto");
  EXPECT_EQ(chosen.precision, choice.precision);
  EXPECT_EQ(chosen.precision_reason, choice.reason);
  EXPECT_EQ(read("f32").precision_reason, "");
}

}  // namespace
}  // namespace astroclip
