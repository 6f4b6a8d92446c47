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
  io::Column z{.name = "z", .values = std::vector<double>{0.5, INFINITY, NAN}};
  io::Column warning{.name = "ZWARN", .values = std::vector<int64_t>{0, 4, 0}};
  warning.set_missing(2);
  io::Column type{.name = "type", .values = std::vector<std::string>{"GALAXY", "STAR", ""}};
  type.set_missing(2);
  io::Column good{.name = "good flag", .values = std::vector<bool>{true, false, false}};
  good.set_missing(2);
  return {{"z", z}, {"ZWARN", warning}, {"type", type}, {"good flag", good}};
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
  says("log(z) > 1", "at character 1: there is no function 'log' (isfinite, abs)");
  says("type == 'GALAXY", "at character 9: the quote ' is not closed");
  says("type > 1", "at character 1: '>' compares a text with a number");
  says("type", "at character 1: expected a condition, found a text");
  says("-type == 1", "at character 2: '-' expects a number, found a text");
  says("(z > 1) + 1 == 2", "at character 2: '+' expects a number, found a condition");
  says(std::string(200, '(') + "z" + std::string(200, ')'), "at character 101: the condition is nested too deeply");
}

}  // namespace
}  // namespace astroclip::data
