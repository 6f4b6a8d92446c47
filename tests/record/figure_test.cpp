#include "record/figure.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

namespace astroclip::record {
namespace {

using testing::HasSubstr;

Figure figure() {
  return {"a < b & c",
          "flux [nanomaggy]",
          {.view = "spectrum",
           .x_label = "wavelength [Å]",
           .x = {0, 10, 20, 30},
           .lines = {{"spectrum", {1, 2, 3, 4}}, {"reconstruction", {NAN, 2.5, 2.5, NAN}}},
           .shaded = {{10, 20}}}};
}

TEST(Figure, TellsTheNumbersAndWhereTheyAreShaded) {
  EXPECT_EQ(table_of(figure()),
            "# a < b & c\n# wavelength [Å]; spectrum [flux [nanomaggy]]; reconstruction [flux [nanomaggy]]; shaded\n"
            "0 1 nan 0\n10 2 2.5 1\n20 3 2.5 1\n30 4 nan 0\n");
}

TEST(Figure, IsDrawnToScale) {
  const std::string svg = svg_of(figure());
  EXPECT_THAT(svg, HasSubstr("a &lt; b &amp; c"));
  EXPECT_THAT(svg, HasSubstr(">wavelength [Å]<"));
  // The frame is from 75 to 985 across and from 370 up to 40.
  EXPECT_THAT(svg, HasSubstr("M75.0 370.0L378.3 260.0L681.7 150.0L985.0 40.0"));
  EXPECT_THAT(svg, HasSubstr("\"M378.3 205.0L681.7 205.0\""));  // between its gaps
  EXPECT_THAT(svg, HasSubstr("<rect x=\"378.3\" y=\"40\" width=\"303.3\" height=\"330\""));
}

TEST(Figure, KeepsTheExtremesOfManyPoints) {
  Figure many = figure();
  many.drawn = {.view = "line", .x_label = "x", .x = {}, .lines = {{"line", {}}}, .shaded = {}};
  for (int i = 0; i < 100000; ++i) {
    many.drawn.x.push_back(i);
    many.drawn.lines[0].y.push_back(i == 54321 ? 7.0 : i % 2);
  }
  const std::string svg = svg_of(many);
  EXPECT_LT(std::ranges::count(svg, 'L'), 2000);
  EXPECT_THAT(svg, HasSubstr(" 40.0L"));  // the one point at the top
}

}  // namespace
}  // namespace astroclip::record
