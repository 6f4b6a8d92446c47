#include <gmock/gmock.h>

#include "plugin/record_check_internal.h"

namespace astroclip::plugin {
namespace {

using testing::HasSubstr;

Description no_description() { std::abort(); }
Checked no_check(const config::Table&, const config::Section&, const config::Location&, config::Problems&) {
  std::abort();
}

Record sound() { return {record_magic, api_version, Kind::loss, ASTROCLIP_ABI, &no_description, &no_check}; }

std::string objection(const Record& record, size_t size = sizeof(Record)) { return objection_to(record, size); }

TEST(RecordCheck, TakesASoundRecord) { EXPECT_EQ(objection(sound()), ""); }

TEST(RecordCheck, RefusesWhatIsMissing) {
  const std::string damaged = "has a damaged plugin record";
  Record record = sound();
  record.magic = 1;
  EXPECT_EQ(objection(record), damaged);
  record = sound();
  record.abi = nullptr;
  EXPECT_EQ(objection(record), damaged);
  record = sound();
  record.describe = nullptr;
  EXPECT_EQ(objection(record), damaged);
  record = sound();
  record.check = nullptr;
  EXPECT_EQ(objection(record), damaged);
  EXPECT_EQ(objection(sound(), sizeof(Record) - 1), damaged);
  EXPECT_EQ(objection(sound(), 8), damaged);
}

TEST(RecordCheck, AnotherApiIsToldThoughItsRecordIsShorter) {
  Record record = sound();
  record.api = 7;
  EXPECT_EQ(objection(record, 24), "was built for plugin API 7, this astroclip has 1; build it again");
}

TEST(RecordCheck, SaysWhatDiffersInPrintableText) {
  Record record = sound();
  record.abi = "other\x1b[31m\n";
  EXPECT_THAT(objection(record), HasSubstr("was built with another ABI (other?[31m?) than"));
  record = sound();
  record.kind = static_cast<Kind>(9);
  EXPECT_EQ(objection(record), "has a plugin record of an unknown kind");
  record = sound();
  const std::string longest(100000, 'x');
  record.abi = longest.c_str();
  EXPECT_THAT(objection(record), HasSubstr("was built with another ABI (xxx"));
  EXPECT_LT(objection(record).size(), 600U);
}

}  // namespace
}  // namespace astroclip::plugin
