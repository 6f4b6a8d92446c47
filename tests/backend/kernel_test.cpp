#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "backend/call.h"
#include "support/declarations.h"

namespace astroclip::test {
namespace {

/// The kernels of the contract, read from backend.h itself, so that none is forgotten here.
std::vector<std::string> kernels() {
  return testing_support::declared("core/backend/backend.h", "  virtual ", "// Elementwise.");
}

/// How far a result may lie from the reference, of (its size + the root mean square of its array).
double tolerance(Exactness exactness, Precision precision) {
  if (precision == Precision::bf16) return 4e-2;  // operands have 8 bits
  switch (exactness) {
    case Exactness::copies:
      return 0.0;
    case Exactness::pointwise:
      return 4e-7;
    case Exactness::sums:
      return 4e-6;
  }
  return 0.0;
}

bool agree(double found, double expected, double bound) {
  if (std::isnan(expected) || std::isnan(found)) return std::isnan(expected) && std::isnan(found);
  return found == expected || std::abs(found - expected) <= bound;
}

void compare(const Call::Output& found, const Call::Output& expected, double relative) {
  EXPECT_TRUE(found.guards_intact) << found.name << ": wrote outside its buffer";
  ASSERT_EQ(found.values.size(), expected.values.size());
  double squares = 0.0;
  for (const double value : expected.values) squares += std::isfinite(value) ? value * value : 0.0;
  const double rms = std::sqrt(squares / static_cast<double>(std::max<size_t>(1, expected.values.size())));
  for (size_t i = 0; i < found.values.size(); ++i) {
    const double bound = relative * (std::abs(expected.values[i]) + rms);
    if (agree(found.values[i], expected.values[i], bound)) continue;
    ADD_FAILURE() << fmt::format("{}[{}]: {:.9g}, reference {:.9g}, allowed difference {:.3g}", found.name, i,
                                 found.values[i], expected.values[i], bound);
    return;
  }
}

void run_case(const Case& row, Backend& backend, Precision precision) {
  SCOPED_TRACE(fmt::format("{} {}", row.kernel, row.label));
  Call expected(backend_of({DeviceKind::reference, 0}), Precision::f32), found(backend, precision);
  row.body(expected);
  row.body(found);
  const auto right = expected.outputs(), left = found.outputs();
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i) compare(left[i], right[i], tolerance(row.exactness, precision));
}

class KernelTest : public testing::TestWithParam<std::string> {};

TEST_P(KernelTest, CpuMatchesReference) {
  Backend& cpu = backend_of({DeviceKind::cpu, 0});
  int count = 0;
  for (const Case& row : all_cases()) {
    if (row.kernel != GetParam()) continue;
    ++count;
    run_case(row, cpu, Precision::f32);
    if (row.takes_bf16 && cpu.supports(Precision::bf16)) run_case(row, cpu, Precision::bf16);
  }
  EXPECT_GT(count, 0) << "no case for this kernel of backend.h";
}

INSTANTIATE_TEST_SUITE_P(Contract, KernelTest, testing::ValuesIn(kernels()),
                         [](const auto& parameter) { return parameter.param; });

/// Machines with fewer instructions run other compilations of the same kernels.
TEST(Tiers, EveryInstructionSetMatchesReference) {
  Backend& cpu = backend_of({DeviceKind::cpu, 0});
  const int64_t present = hwy::SupportedTargets();
  for (const int64_t tier : {HWY_SSE4, HWY_AVX2}) {
    if ((present & tier) == 0) continue;
    hwy::SetSupportedTargetsForTest(tier);
    for (const Case& row : all_cases()) {
      if (!row.takes_bf16 && row.kernel != "matmul") run_case(row, cpu, Precision::f32);
    }
    hwy::SetSupportedTargetsForTest(0);
  }
}

/// Kernel × backend × dtype, with the number of cases.
TEST(Coverage, EveryKernelHasACase) {
  Backend& cpu = backend_of({DeviceKind::cpu, 0});
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
