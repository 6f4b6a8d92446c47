#include <gmock/gmock.h>

#include "bench/row.h"
#include "support/devices.h"

namespace astroclip::bench {
namespace {

/// A row that no longer fits its plugin or op would be noticed on the day of a measurement only.
class Rows : public testing_support::OnEachBackend {
 protected:
  void run(const std::vector<Row>& rows, Precision precision) const {
    if (!backend_of(device()).supports(precision)) return;
    const Settings settings{.precision = precision, .device = device(), .small = true};
    for (const Row& row : rows) {
      SCOPED_TRACE(row.name);
      const Work work = row.make(settings);
      EXPECT_TRUE(work.operations > 0.0 || work.bytes > 0.0 || work.objects > 0.0);
      EXPECT_NO_THROW(work.run());
      EXPECT_NO_THROW(work.run());  // whatever a step leaves behind
      backend_of(device()).synchronize();
    }
  }
};

TEST_P(Rows, OfTowersRun) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    run(tower_rows(false), precision);
    run(tower_rows(true), precision);
    run(engine_rows(), precision);
  }
}

TEST_P(Rows, OfKernelsRun) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    run(kernel_rows(false), precision);
    run(kernel_rows(true), precision);
    run({{"copy", reference_copy}}, precision);
  }
}

TEST(LoadingRows, Run) {
  for (const Row& row : loading_rows(false)) {
    if (!row.name.ends_with(", 2 threads")) continue;
    SCOPED_TRACE(row.name);
    EXPECT_NO_THROW(row.make({.small = true}).run());
  }
}

INSTANTIATE_TEST_SUITE_P(OnEach, Rows, testing_support::each_fast_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip::bench
