#include "record/event_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "io/output/durable_file.h"
#include "support/scratch.h"

namespace astroclip::record {
namespace {

using std::string_literals::operator""s;

TEST(EventFile, ChecksumsAreThoseOfTheStandard) {
  // RFC 3720, appendix B.4 (bytes there are least significant first); and the usual check of CRC catalogues.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  std::string ascending(32, '\0');
  std::iota(ascending.begin(), ascending.end(), '\0');
  EXPECT_EQ(crc32c(ascending), 0x46DD794EU);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
}

TEST(EventFile, RecordsBeginAsTensorFlowsDo) {
  // Every event file of TensorFlow starts with a record of 24 bytes, hence with these.
  const std::string record = tf_record(std::string(24, 'x'));
  EXPECT_EQ(record.substr(0, 12), "\x18\0\0\0\0\0\0\0\xA3\x7FK\""s);
  EXPECT_EQ(record.size(), 12U + 24U + 4U);
}

TEST(EventFile, AnEventIsTheProtocolBufferOfItsScalars) {
  // Written out by hand: wall_time (1, fixed64) 2.0, step (2, varint) 300, summary (5) of one value (1) with tag (1)
  // "a/loss" and simple_value (2, fixed32) 0.5.
  const std::string value = "\x0A\x06"s + "a/loss" + "\x15\x00\x00\x00\x3F"s;
  const std::string expected = "\x09\x00\x00\x00\x00\x00\x00\x00\x40"s + "\x10\xAC\x02"s + "\x2A\x0F\x0A\x0D"s + value;
  EXPECT_EQ(event_of({"a", 300, {{"time", 2.0}, {"loss", 0.5}}}), expected);
}

TEST(EventFile, StartsFromTheLinesThereAre) {
  const std::string metrics = testing_support::scratch("metrics"), events = testing_support::scratch("events");
  std::filesystem::remove(metrics);
  {
    MetricsFile file(metrics, {"a"}, 0, -1);
    EventFile copy(events, metrics);
    for (const int64_t step : {1, 2, 3}) {
      file.write({"a", step, {{"loss", 0.25}}});
      copy.write({"a", step, {{"loss", 0.25}}});
    }
  }
  const std::string whole = io::read_text(events);
  io::write_text(events, whole.substr(0, whole.size() - 5));  // cut off by a kill
  const EventFile again(events, metrics);
  EXPECT_EQ(io::read_text(events), whole);
}

}  // namespace
}  // namespace astroclip::record
