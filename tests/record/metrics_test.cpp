#include "record/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "io/output/durable_file.h"
#include "support/scratch.h"

namespace astroclip::record {
namespace {

TEST(MetricsFile, AResumedRunKeepsEveryStepOnce) {
  const std::string path = testing_support::scratch("metrics");
  std::filesystem::remove(path);
  const std::vector<std::string> stages = {"a", "b"};
  {
    MetricsFile file(path, stages, 0, -1);
    file.write({"a", 1, {{"loss", 0.5}}});
    file.write({"b", 1, {{"loss", 0.25}, {"bad", std::nan("")}}});
    file.write({"b", 2, {{"loss", 0.125}}});
  }
  io::write_text(path, io::read_text(path) + "{\"stage\": \"b\", \"st");  // a line cut off by a kill
  {
    MetricsFile file(path, stages, 1, 1);
    file.write({"b", 2, {{"loss", 4.0}}});
  }
  EXPECT_EQ(io::read_text(path),
            "{\"stage\":\"a\",\"step\":1,\"loss\":0.5}\n"
            "{\"stage\":\"b\",\"step\":1,\"loss\":0.25}\n"
            "{\"stage\":\"b\",\"step\":2,\"loss\":4.0}\n");
}

TEST(MetricsFile, ARunThatBeginsAnewKeepsNothing) {
  const std::string path = testing_support::scratch("metrics_of_a_kill");
  io::write_text(path, "{\"stage\":\"a\",\"step\":0,\"validation.loss\":0.5}\n");
  { const MetricsFile file(path, {"a"}, 0, -1); }
  EXPECT_EQ(io::read_text(path), "");
}

Tensor one(double value) { return Tensor::from_host(std::vector<double>{value}, {}, DType::f64, Device::host()); }

TEST(MetricMeans, AreMetricByMetric) {
  MetricMeans means;
  means.add({one(1.0), {{"clip", one(5.0)}}});
  means.add({one(2.0), {{"clip", one(7.0)}}});
  EXPECT_EQ(means.means(), (Metrics{{"loss", 1.5}, {"clip", 6.0}}));
}

/// Three objects with a mean square of 4 and one with 16, in units of 2: 2 · √((3 · 4 + 16) / 4) = 2 · √7.
TEST(MetricMeans, RootsAreOfTheMeanOverAllObjects) {
  MetricMeans means;
  const Metrics first = means.add({one(1.0), {}, {{"rms", one(4.0), 2.0, 3.0}}});
  EXPECT_EQ(first, (Metrics{{"loss", 1.0}}));
  means.add_roots({one(9.0), {}, {{"rms", one(16.0), 2.0, 1.0}}});
  const Metrics found = means.means();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].second, 1.0);
  EXPECT_DOUBLE_EQ(found[1].second, 2.0 * std::sqrt(7.0));
}

}  // namespace
}  // namespace astroclip::record
