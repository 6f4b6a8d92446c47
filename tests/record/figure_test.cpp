#include "record/figure.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "io/output/durable_file.h"
#include "support/message_of.h"
#include "support/scratch.h"

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

TEST(Figure, IsReadFromItsTable) {
  const std::string path = testing_support::scratch("figure");
  write_figure(path, figure());
  const Figure read = read_figure(path + ".dat");
  EXPECT_EQ(read.title, "a < b & c");
  EXPECT_EQ(read.y_label, "flux [nanomaggy]");
  EXPECT_EQ(read.drawn.x_label, "wavelength [Å]");
  EXPECT_EQ(read.drawn.x, figure().drawn.x);
  ASSERT_EQ(read.drawn.lines.size(), 2U);
  EXPECT_EQ(read.drawn.lines[0].name, "spectrum");
  EXPECT_EQ(read.drawn.lines[0].y, figure().drawn.lines[0].y);
  EXPECT_TRUE(std::isnan(read.drawn.lines[1].y[0]));
  EXPECT_EQ(read.drawn.lines[1].y[1], 2.5);
  EXPECT_EQ(read.drawn.shaded, figure().drawn.shaded);
}

TEST(Figure, ThatIsDamagedIsOneClearError) {
  const std::string path = testing_support::scratch("damaged.dat");
  for (const char* text : {"", "# a\n", "# a\n# b\n", "a\n# x; y [u]; shaded\n", "# a\n# x; y [u]; shaded\n1 2\n",
                           "# a\n# x; y [u]; shaded\n1 2 z\n"}) {
    io::write_text(path, text);
    EXPECT_THAT(testing_support::message_of([&] { (void)read_figure(path); }), HasSubstr("damaged.dat: not a figure"))
        << text;
  }
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
