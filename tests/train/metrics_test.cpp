#include "train/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "io/durable_file.h"

namespace astroclip::train {
namespace {

TEST(MetricsFile, AResumedRunKeepsEveryStepOnce) {
  const std::string path =
      (std::filesystem::path(testing::TempDir()) / ("astroclip_metrics_" + std::to_string(getpid()))).string();
  std::filesystem::remove(path);
  const std::vector<std::string> stages = {"a", "b"};
  {
    MetricsFile file(path, stages, 0, 0);
    file.write("a", 1, {{"loss", 0.5}});
    file.write("b", 1, {{"loss", 0.25}});
    file.write("b", 2, {{"loss", 0.125}});
  }
  io::write_text(path, io::read_text(path) + "{\"stage\": \"b\", \"st");  // a line cut off by a kill
  {
    MetricsFile file(path, stages, 1, 1);
    file.write("b", 2, {{"loss", 4.0}});
  }
  EXPECT_EQ(io::read_text(path),
            "{\"stage\":\"a\",\"step\":1,\"loss\":0.5}\n"
            "{\"stage\":\"b\",\"step\":1,\"loss\":0.25}\n"
            "{\"stage\":\"b\",\"step\":2,\"loss\":4.0}\n");
}

}  // namespace
}  // namespace astroclip::train
