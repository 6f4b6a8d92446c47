#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "backend/call.h"
#include "support/declarations.h"
#include "support/devices.h"

namespace astroclip::test {
namespace {

/// The kernels of the contract, read from backend.h itself, so that none is forgotten here.
std::vector<std::string> kernels() {
  return testing_support::declared("core/backend/backend.h", "  virtual ", "// Elementwise.");
}

/// How far a result may lie from the reference: an element, of (its size + the root mean square of its array), and the
/// whole array, of its norm. In bf16, operands have 8 bits; they are drawn so that they are exact.
struct Tolerance {
  double element = 0.0, norm = 0.0;
};

Tolerance tolerance(Exactness exactness, DeviceKind kind, Precision precision) {
  if (precision == Precision::bf16) return kind == DeviceKind::cuda ? Tolerance{2e-2, 4e-3} : Tolerance{4e-2, 1e-2};
  switch (exactness) {
    case Exactness::copies:
      return {};
    case Exactness::pointwise:
      return {4e-7, 4e-7};
    case Exactness::sums:
      return {4e-6, 4e-6};
  }
  return {};
}

bool agree(double found, double expected, double bound) {
  if (std::isnan(expected) || std::isnan(found)) return std::isnan(expected) && std::isnan(found);
  return found == expected || std::abs(found - expected) <= bound;
}

void compare(const Call::Output& found, const Call::Output& expected, Tolerance tolerance) {
  EXPECT_TRUE(found.guards_intact) << found.name << ": wrote outside its buffer";
  ASSERT_EQ(found.values.size(), expected.values.size());
  double squares = 0.0, differences = 0.0;
  for (const double value : expected.values) squares += std::isfinite(value) ? value * value : 0.0;
  const double rms = std::sqrt(squares / static_cast<double>(std::max<size_t>(1, expected.values.size())));
  for (size_t i = 0; i < found.values.size(); ++i) {
    const double bound = tolerance.element * (std::abs(expected.values[i]) + rms);
    if (agree(found.values[i], expected.values[i], bound)) {
      const double difference = found.values[i] - expected.values[i];
      if (std::isfinite(difference)) differences += difference * difference;
      continue;
    }
    ADD_FAILURE() << fmt::format("{}[{}]: {:.9g}, reference {:.9g}, allowed difference {:.3g}", found.name, i,
                                 found.values[i], expected.values[i], bound);
    return;
  }
  constexpr size_t few = 64;  // whose norm one element decides
  if (found.values.size() < few) return;
  EXPECT_LE(std::sqrt(differences), tolerance.norm * std::sqrt(squares)) << found.name << ": norm of the differences";
}

void run_case(const Case& row, Device device, Precision precision) {
  SCOPED_TRACE(fmt::format("{} {}, {}", row.kernel, row.label, precision == Precision::bf16 ? "bf16" : "f32"));
  Call expected(Device::reference(), precision), found(device, precision);
  row.body(expected);
  row.body(found);
  const auto right = expected.outputs(), left = found.outputs();
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i) {
    compare(left[i], right[i], tolerance(row.exactness, device.kind, precision));
  }
}

class KernelTest : public testing::TestWithParam<std::tuple<DeviceKind, std::string>> {
 protected:
  void SetUp() override { device = testing_support::present(std::get<0>(GetParam())); }
  Device device;
};

TEST_P(KernelTest, MatchesReference) {
  const std::string kernel = std::get<1>(GetParam());
  int count = 0;
  for (const Case& row : all_cases()) {
    if (row.kernel != kernel) continue;
    ++count;
    run_case(row, device, Precision::f32);
    if (row.takes_bf16 && backend_of(device).supports(Precision::bf16)) run_case(row, device, Precision::bf16);
  }
  EXPECT_GT(count, 0) << "no case for this kernel of backend.h";
}

INSTANTIATE_TEST_SUITE_P(Contract, KernelTest,
                         testing::Combine(testing_support::each_fast_backend(), testing::ValuesIn(kernels())),
                         [](const auto& test) {
                           return testing_support::name_of(std::get<0>(test.param)) + "_" + std::get<1>(test.param);
                         });

/// Machines with fewer instructions run other compilations of the same kernels.
TEST(Tiers, EveryInstructionSetMatchesReference) {
  const int64_t supported = hwy::SupportedTargets();
  for (const int64_t tier : {HWY_SSE4, HWY_AVX2}) {
    if ((supported & tier) == 0) continue;
    hwy::SetSupportedTargetsForTest(tier);
    for (const Case& row : all_cases()) {
      if (!row.takes_bf16 && row.kernel != "matmul") run_case(row, Device::host(), Precision::f32);
    }
    hwy::SetSupportedTargetsForTest(0);
  }
}

/// Kernel × backend × dtype, with the number of cases.
TEST(Coverage, EveryKernelHasACase) {
  Backend& cpu = backend_of(Device::host());
  std::map<std::string, std::pair<int, int>> counts;
  for (const Case& row : all_cases()) {
    ++counts[row.kernel].first;
    counts[row.kernel].second += row.takes_bf16 && cpu.supports(Precision::bf16);
  }
  const std::vector<std::string> names = kernels();
  fmt::print("{:<26}{:>15}{:>9}{:>10}\n", "kernel", "reference f64", "cpu f32", "cpu bf16");
  for (const std::string& name : names) {
    fmt::print("{:<26}{:>15}{:>9}{:>10}\n", name, counts[name].first, counts[name].first,
               counts[name].second > 0 ? fmt::format("{}", counts[name].second) : "-");
    EXPECT_GT(counts[name].first, 0) << name << " has no case";
  }
  EXPECT_EQ(names.size(), std::set<std::string>(names.begin(), names.end()).size());
  EXPECT_EQ(counts.size(), names.size()) << "a case names a kernel that backend.h does not have";
  EXPECT_GE(names.size(), 30u) << "backend.h was not understood";
}

}  // namespace
}  // namespace astroclip::test
