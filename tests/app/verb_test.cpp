// The descriptions of the verbs, from which parser, help and man page are made; complete_test.cpp tests completion.
#include "app/verb.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "app/man_page.h"
#include "app/verbs.h"
#include "io/output/durable_file.h"
#include "support/program.h"

namespace astroclip::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::ThrowsMessage;
using testing_support::scratch;

/// The words of a command for a shell, up to a pipe or a redirection; quotes are taken off.
std::vector<std::string> words_of(const std::string& command) {
  std::vector<std::string> words;
  std::string word;
  bool is_quoted = false;
  for (const char c : command + " ") {
    if (c == '\'') is_quoted = !is_quoted;
    if (c == '\'') continue;
    if (!is_quoted && (c == '|' || c == '>' || c == ')')) break;
    if (is_quoted || c != ' ') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, ""));
    }
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

/// What follows "astroclip" and options of all verbs.
std::vector<std::string> arguments_of(const Example& example) {
  std::vector<std::string> words = words_of(example.command);
  if (words.size() > 1 && words[0] == "source") words.erase(words.begin());
  if (words.empty() || (words[0] != "astroclip" && words[0] != "<(astroclip")) return {};
  words.erase(words.begin());
  if (words.size() > 1 && words[0] == "--plugins") words.erase(words.begin(), words.begin() + 2);
  return words;
}

TEST(Verb, EverythingHasAMeaning) {
  for (const Verb& verb : all_verbs()) {
    EXPECT_NE(verb.meaning, "") << verb.name;
    EXPECT_NE(verb.description, "") << verb.name;
    EXPECT_FALSE(verb.usages.empty()) << verb.name;
    EXPECT_FALSE(verb.examples.empty()) << verb.name;
    for (const Example& example : verb.examples) EXPECT_NE(example.meaning, "") << example.command;
    for (const Argument& positional : verb.positionals) {
      EXPECT_NE(positional.meaning, "") << verb.name;
      EXPECT_NE(value_name(positional), "") << verb.name;
    }
    for (const Argument& option : verb.options) EXPECT_NE(option.meaning, "") << verb.name << " --" << option.key;
  }
}

TEST(Verb, EveryExampleIsTakenByItsVerb) {
  for (const Verb& verb : all_verbs()) {
    for (const Example& example : verb.examples) {
      const auto words = arguments_of(example);
      ASSERT_GE(words.size(), 1U) << example.command;
      EXPECT_EQ(words[0], verb.name) << example.command;
      EXPECT_NO_THROW((void)parse(verb, std::span(words).subspan(1))) << example.command;
      for (const std::string& word : words) {
        if (word.starts_with("experiments/")) {
          EXPECT_TRUE(fs::exists(std::string(SOURCE_ROOT "/") + word)) << example.command;
        }
      }
    }
  }
}

const Verb tried{.name = "try",
                 .usages = {"KIND FILE…"},
                 .meaning = "try",
                 .description = "Tries.",
                 .positionals = {Argument("kind", "KIND", "kind").one_of({"loss", "task"}),
                                 Argument("file", "FILE", "files").required().many().completed_by(Completes::file)},
                 .options = {Argument("set", "K=V", "set").repeated(), Argument("input", "FILE", "files").many(),
                             Argument("batch", "N", "batch size").between(1, 64).by_default("32"),
                             Argument("share", "X", "share").number_between(0, 1), Argument("json", "", "print JSON")}};

Values parsed(const std::vector<std::string>& words) { return parse(tried, words); }

TEST(Parse, GivesWordsToTheirArguments) {
  const Values values = parsed({"loss", "--set", "a=1", "a.h5", "--json", "--set=b=--2", "b.h5", "--share", "0.5"});
  EXPECT_EQ(values.text("kind"), "loss");
  EXPECT_THAT(values.texts("file"), testing::ElementsAre("a.h5", "b.h5"));
  EXPECT_THAT(values.texts("set"), testing::ElementsAre("a=1", "b=--2"));
  EXPECT_TRUE(values.has("json"));
  EXPECT_FALSE(values.has("input"));
  EXPECT_EQ(values.integer("batch"), 32);
  EXPECT_EQ(values.number("share"), 0.5);
  EXPECT_THAT(parsed({"loss", "a", "--input", "b", "c", "--json"}).texts("input"), testing::ElementsAre("b", "c"));
  EXPECT_THAT(parsed({"loss", "--json", "--", "--a", "-h"}).texts("file"), testing::ElementsAre("--a", "-h"));
  EXPECT_TRUE(parsed({"--help"}).has("help"));
  EXPECT_TRUE(parsed({"loss", "-h"}).has("help"));
}

TEST(Parse, NamesWhatIsWrong) {
  const auto expect = [](const std::vector<std::string>& words, const std::string& message) {
    EXPECT_THAT([&] { parsed(words); }, ThrowsMessage<UsageError>(message));
  };
  expect({"loss", "a", "--bacth", "2"}, "unknown option '--bacth'; did you mean '--batch'?");
  expect({"loss"}, "missing argument: FILE");
  expect({"los", "a"}, "KIND must be one of loss, task, found 'los'; did you mean 'loss'?");
  expect({"loss", ""}, "FILE is empty");
  expect({"loss", "a", "--batch", "65"}, "--batch must be an integer from 1 to 64, found '65'");
  expect({"loss", "a", "--batch", "1.5"}, "--batch must be an integer from 1 to 64, found '1.5'");
  expect({"loss", "a", "--share", "-1"}, "--share must be a number from 0 to 1, found '-1'");
  expect({"loss", "a", "--batch"}, "--batch needs a value: N");
  expect({"loss", "a", "--set", "a=1", "--set", "--json"}, "--set needs a value: K=V");
  expect({"loss", "a", "--batch="}, "--batch needs a value: N");
  expect({"loss", "a", "--shar", "1"}, "unknown option '--shar'; did you mean '--share'?");
  expect({"loss", "a", "--json="}, "--json takes no value");
  expect({"loss", "a", "--json=1"}, "--json takes no value");
  expect({"loss", "a", "--json", "--json"}, "--json is given twice");
  EXPECT_THAT([] { (void)parse(man_verb(), std::vector<std::string>{"x"}); },
              ThrowsMessage<UsageError>("too many arguments: 'x'"));
}

TEST(Help, HasColumnsThatDoNotCollide) {
  EXPECT_THAT(help_of(tried), HasSubstr("\narguments:\n"
                                        "  KIND  kind\n"
                                        "  FILE  files\n"
                                        "\noptions:\n"
                                        "  --set K=V     set; may be repeated\n"
                                        "  --input FILE  files\n"
                                        "  --batch N     batch size (1..64, default: 32)\n"));
}

TEST(Verb, HelpShowsAllOfIt) {
  for (const Verb& verb : all_verbs()) {
    const std::string help = help_of(verb);
    for (const std::string& usage : verb.usages)
      EXPECT_THAT(help, HasSubstr("astroclip " + verb.name + (usage.empty() ? "" : " " + usage)));
    for (const Argument& positional : verb.positionals) EXPECT_THAT(help, HasSubstr("\n  " + value_name(positional)));
    for (const Argument& option : verb.options) EXPECT_THAT(help, HasSubstr("\n  " + option_heading(option)));
    for (const Example& example : verb.examples) EXPECT_THAT(help, HasSubstr("\n  " + example.command + "\n"));
  }
}

TEST(Verb, TheReadmeListsAll) {
  const std::string readme = io::read_text(SOURCE_ROOT "/README.md");
  for (const Verb& verb : all_verbs()) EXPECT_THAT(readme, HasSubstr("\n| `astroclip " + verb.name));
}

std::string without_escapes(std::string text) {
  std::erase(text, '\\');
  return text;
}

TEST(ManPage, SaysAllThatHelpSays) {
  const std::string text = without_escapes(man_page(all_verbs()));
  const auto expect = [&](const std::string& line) { EXPECT_THAT(text, HasSubstr("\n" + line + "\n")); };
  for (const Verb& verb : all_verbs()) {
    expect(".SS " + verb.name);
    expect(verb.description);
    for (const Argument& positional : verb.positionals) {
      expect("fI" + value_name(positional) + "fR\n" + full_meaning(positional));
    }
    for (const Argument& option : verb.options) {
      const std::string value = value_name(option);
      expect("fB--" + option.key + "fR" + (value.empty() ? "" : " fI" + value + "fR") + "\n" + full_meaning(option));
    }
    for (const Example& example : verb.examples) {
      expect(example.meaning + ":");
      expect(example.command);
    }
  }
}

TEST(ManPage, IsWhatRoffExpects) {
  if (std::system("command -v groff >/dev/null") != 0) GTEST_SKIP() << "groff is not installed";
  const std::string page = scratch("astroclip.1"), warnings = scratch("warnings");
  io::write_text(page, man_page(all_verbs()));
  EXPECT_EQ(std::system(("groff -man -ww -Tutf8 -K utf8 '" + page + "' >/dev/null 2>'" + warnings + "'").c_str()), 0);
  EXPECT_EQ(io::read_text(warnings), "");
}

}  // namespace
}  // namespace astroclip::app
