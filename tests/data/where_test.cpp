#include "data/where.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace astroclip::data {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;

/// Three objects: of the last one every value is missing.
std::map<std::string, io::Column> labels() {
  const std::map<std::string, io::ColumnValues> values = {
      {"z", std::vector<double>{0.5, INFINITY, NAN}},
      {"ZWARN", std::vector<int64_t>{0, 4, 0}},
      {"type", std::vector<std::string>{"GALAXY", "STAR", ""}},
      {"good flag", std::vector<bool>{true, false, false}},
      {"id", std::vector<int64_t>{39633300968441868, 39633300968441869, 0}},
      {"big", std::vector<uint64_t>{14127161586843054080U, 14127161586843054081U, 0}}};
  std::map<std::string, io::Column> columns;
  for (const auto& [name, all] : values) {
    columns[name] = {.name = name, .values = all};
    columns[name].set_missing(2);
  }
  return columns;
}

/// A letter for each object: yes, no, unknown.
std::string of(const std::string& condition) {
  std::string letters;
  for (const Where::Truth truth : Where(condition).of(labels(), 3))
    letters += truth == Where::Truth::yes ? 'y' : truth == Where::Truth::no ? 'n' : '?';
  return letters;
}

TEST(WhereTest, ComparesAndCombines) {
  EXPECT_EQ(of("ZWARN == 0 && z > 0.01"), "yn?");
  EXPECT_EQ(of("z < 1 || ZWARN == 4"), "yy?");
  EXPECT_EQ(of("z<=0.5"), "yn?");
  EXPECT_EQ(of("z >= .5"), "yy?");
  EXPECT_EQ(of("ZWARN != 4"), "yn?");
  EXPECT_EQ(of("type == 'GALAXY'"), "yn?");
  EXPECT_EQ(of("type != \"GALAXY\" && z > 1"), "ny?");
  EXPECT_EQ(of("`good flag`"), "yn?");
  EXPECT_EQ(of("!`good flag`"), "ny?");
  EXPECT_EQ(of("`good flag` == true"), "yn?");
  EXPECT_EQ(of("!(z > 0.01)"), "nn?") << "what is missing is neither above nor not above";
}

TEST(WhereTest, DecidesWithoutWhatIsMissing) {
  EXPECT_EQ(of("isfinite(z)"), "ynn");
  EXPECT_EQ(of("!isfinite(z)"), "nyy");
  EXPECT_EQ(of("isfinite(type)"), "yyn");
  EXPECT_EQ(of("z > 0 || !isfinite(z)"), "yyy");
  EXPECT_EQ(of("z > 0 && isfinite(z)"), "ynn");
}

TEST(WhereTest, Computes) {
  EXPECT_EQ(of("(1 + z) * 2 == 3"), "yn?");
  EXPECT_EQ(of("ZWARN % 3 == 1"), "ny?");
  EXPECT_EQ(of("1 + ZWARN * 2 - 9 / 3 == 6"), "ny?");
  EXPECT_EQ(of("-z < -1e-1"), "yy?");
  EXPECT_EQ(of("abs(ZWARN - 4) == 4"), "yn?");
  EXPECT_EQ(of("2 - 1 - 1 == 0"), "yyy") << "from left to right";
  EXPECT_EQ(of("1 == 1 || 1 == 2 && 1 == 2"), "yyy") << "&& before ||";
}

/// float64 holds neither of two neighbours of these.
TEST(WhereTest, ComparesIntegersExactlyWithQuotedOnes) {
  EXPECT_EQ(of("id == '39633300968441868'"), "yn?");
  EXPECT_EQ(of("'39633300968441869' != id"), "yn?");
  EXPECT_EQ(of("big == '14127161586843054081'"), "ny?");
  EXPECT_EQ(of("ZWARN == '4'"), "ny?");
  EXPECT_EQ(of("isfinite(z) && isfinite(id)"), "ynn");
}

TEST(WhereTest, NamesItsLabels) {
  EXPECT_THAT(Where("b.x > 0 && (a == 'c' || isfinite(`odd name`)) && a != 'd'").names(),
              ElementsAre("a", "b.x", "odd name"));
}

TEST(WhereTest, NamesTheCharacterThatIsWrong) {
  const auto says = [](const std::string& text, const std::string& message) {
    EXPECT_THAT([&] { of(text); }, ThrowsMessage<Error>(message)) << text;
  };
  says("", "at character 1: expected a label or a number, found the end");
  says("z >", "at character 4: expected a label or a number, found the end");
  says("z = 1", "at character 3: '=' compares nothing; write '=='");
  says("(z > 1", "at character 7: expected ')', found the end");
  says("z > 1 and z < 2", "at character 7: expected an operator or the end, found 'and'");
  says("0 < z < 1", "at character 7: comparisons do not chain; write a < b && b < c");
  says("z > 1x", "at character 5: expected a number, found '1x'");
  says("log(z) > 1", "at character 1: there is no function 'log' (isfinite, abs, sqrt, exp, ln, log10)");
  says("type == 'GALAXY", "at character 9: the quote ' is not closed");
  says("type > 1", "at character 1: '>' compares the text 'type' with a number");
  says("0.5 != type", "at character 1: '!=' compares a number with the text 'type'");
  says("z == '0.5'", "at character 1: '==' compares the number 'z' with a text");
  says("type == z", "at character 1: '==' compares the text 'type' with the number 'z'");
  says("id == 1",
       "at character 1: 'id' has integers of 2^53 and beyond, where numbers are rounded; compare it with one "
       "in quotes: id == '39633300968441868'");
  says("ZWARN == 9007199254740993",
       "at character 10: 9007199254740993 is beyond 2^53, where numbers are rounded; compare with '9007199254740993', "
       "in "
       "quotes");
  says("type", "at character 1: expected a condition, found a text");
  says("-type == 1", "at character 2: '-' expects a number, found a text");
  says("(z > 1) + 1 == 2", "at character 2: '+' expects a number, found a condition");
  says(std::string(200, '(') + "z" + std::string(200, ')'), "at character 101: the condition is nested too deeply");
}

}  // namespace
}  // namespace astroclip::data
