// The contact sheet of views: its pixels, and the verb that writes one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "app/contact_sheet.h"
#include "io/output/durable_file.h"
#include "support/experiment_text.h"
#include "support/program.h"

namespace astroclip::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::run_program;
using testing_support::scratch;

/// How often a colour stands in a sheet.
int64_t count(const ContactSheet& sheet, std::array<uint8_t, 3> colour) {
  int64_t found = 0;
  for (size_t i = 0; i < sheet.pixels().size(); i += 3)
    found += std::equal(colour.begin(), colour.end(), sheet.pixels().begin() + static_cast<std::ptrdiff_t>(i)) ? 1 : 0;
  return found;
}

TEST(ContactSheet, ShowsRgbAsItIsAndOtherBandsFromRedToBlue) {
  // One pixel of each, 144 times enlarged.
  const SheetCell rgb{{3, 1, 1}, {1.0F, 0.6F, 0.2F}}, bands{{3, 1, 1}, {1.0F, 2.0F, 4.0F}};
  const SheetScale limits{.low = {0.0F, 0.0F, 0.0F}, .high = {10.0F, 10.0F, 10.0F}};
  const ContactSheet sheet({"1"}, {{"a", {rgb}, {{.is_rgb = true}}}, {"b", {bands}, {limits}}});
  EXPECT_EQ(count(sheet, {255, 153, 51}), 144 * 144);
  EXPECT_EQ(count(sheet, {102, 51, 26}), 144 * 144);
}

TEST(ContactSheet, NamesRowsAndColumns) {
  const SheetCell dark{{1, 1, 1}, {0.0F}};
  const auto inked = [&](const std::string& row, const std::string& column) {
    const ContactSheet sheet({row}, {{column, {dark}, {{.is_rgb = true}}}});
    return count(sheet, {230, 230, 230});
  };
  // An i has 9 pixels, an l 7, each of four.
  EXPECT_EQ(inked("i", ""), 4 * 9);
  EXPECT_EQ(inked("I", "l"), 4 * (9 + 7));
}

TEST(ContactSheet, LimitsLeaveOutTheBrightestAndTheFaintest) {
  SheetCell cell{{1, 10, 100}, {}};
  for (int i = 0; i < 1000; ++i) cell.values.push_back(static_cast<float>(i));
  const SheetScale scale = scale_of(cell);
  EXPECT_THAT(scale.low, ElementsAre(19));
  EXPECT_THAT(scale.high, ElementsAre(994));
}

TEST(Augment, DrawsTheViewsOfAStage) {
  const std::string file = scratch("augment.toml"), output = scratch("sheet.png");
  io::write_text(file, testing_support::small_pretraining(
                           {.dataset = "bands = \"griz\"\n[dataset.image]\nstretch = \"arcsinh\"\n"}));
  const auto outcome = run_program("augment '" + file + "' --objects 3 --output '" + output + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(output + ": 3 objects of the first step of stage 'pretraining', loss 'dinov2'; "
                                              "columns: plain image, global_1, global_2, local 1, local 2\n"));
  // Five columns of 144 pixels with 6 between them, after identifiers of one digit or two; a line of titles.
  std::ifstream png(output, std::ios::binary);
  std::array<unsigned char, 24> head{};
  png.read(reinterpret_cast<char*>(head.data()), head.size());
  const auto number = [&](size_t at) { return head[at + 2] << 8 | head[at + 3]; };
  EXPECT_EQ(std::string(head.begin() + 1, head.begin() + 4), "PNG");
  EXPECT_GT(number(16), 5 * 150);
  EXPECT_LT(number(16), 5 * 150 + 200);
  EXPECT_EQ(number(20), 22 + 3 * 150);
  EXPECT_THAT(
      run_program("augment '" + file + "' --output '" + output + "' --set dataset.views.global_2.size=48").err,
      HasSubstr("[dataset.views] 'global_1' and 'global_2' make crops of one view, 'global', and have the sizes "
                "0 and 48"));
  EXPECT_THAT(run_program("augment '" + file + "' --output '" + output + "' --stage pretrain").err,
              HasSubstr("there is no stage 'pretrain' (pretraining)"));
}

}  // namespace
}  // namespace astroclip::app
