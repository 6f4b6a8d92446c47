// What is said of the verbs: once, in their descriptions, for help, man page, completion and README.
#include "app/verb.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <sstream>

#include "app/man_page.h"
#include "app/value_words.h"
#include "app/verbs.h"
#include "io/output/durable_file.h"
#include "support/program.h"

namespace astroclip::app {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
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
    for (const Positional& positional : verb.positionals) EXPECT_NE(positional.meaning, "") << verb.name;
    for (const auto& option : verb.options.options()) {
      EXPECT_NE(option->description(), "") << verb.name << " --" << option->long_name();
      if (option->semantic()->max_tokens() > 0) {
        EXPECT_THAT(value_name_of(*option), Not(testing::StartsWith("arg"))) << verb.name << " " << option->long_name();
      }
    }
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

TEST(Verb, AnotherOptionIsNotTaken) {
  const std::vector<std::string> words = {"a.toml", "--outptu", "x"};
  EXPECT_THROW((void)parse(run_verb(), words), options::error);
}

TEST(Verb, HelpShowsAllOfIt) {
  for (const Verb& verb : all_verbs()) {
    const std::string help = help_of(verb);
    for (const std::string& usage : verb.usages)
      EXPECT_THAT(help, HasSubstr("astroclip " + verb.name + (usage.empty() ? "" : " " + usage)));
    for (const Positional& positional : verb.positionals) EXPECT_THAT(help, HasSubstr("  " + positional.name));
    for (const auto& option : verb.options.options()) EXPECT_THAT(help, HasSubstr("--" + option->long_name()));
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
  const std::string page = man_page(all_verbs()), text = without_escapes(page);
  for (const Verb& verb : all_verbs()) {
    EXPECT_THAT(text, HasSubstr("\n.SS " + verb.name + "\n"));
    EXPECT_THAT(text, HasSubstr("\n" + verb.description + "\n"));
    for (const auto& option : verb.options.options()) EXPECT_THAT(text, HasSubstr("fB--" + option->long_name() + "fR"));
    for (const Example& example : verb.examples) EXPECT_THAT(page, HasSubstr(example.meaning.substr(0, 5)));
  }
}

TEST(ManPage, IsWhatRoffExpects) {
  if (std::system("command -v groff >/dev/null") != 0) GTEST_SKIP() << "groff is not installed";
  const std::string page = scratch("astroclip.1"), warnings = scratch("warnings");
  io::write_text(page, man_page(all_verbs()));
  EXPECT_EQ(std::system(("groff -man -ww -Tutf8 -K utf8 '" + page + "' >/dev/null 2>'" + warnings + "'").c_str()), 0);
  EXPECT_EQ(io::read_text(warnings), "");
}

TEST(ValueWords, FollowFromTheName) {
  using Kind = ValueWords::Kind;
  EXPECT_EQ(words_for("FILE.toml").kind, Kind::files);
  EXPECT_EQ(words_for("OUT.h5").kind, Kind::files);
  EXPECT_EQ(words_for("RUN").kind, Kind::folders);
  EXPECT_EQ(words_for("key=value").kind, Kind::none);
  EXPECT_EQ(words_for("NAME").kind, Kind::none);
  EXPECT_EQ(words_for("PLUGIN").kind, Kind::plugins);
  EXPECT_THAT(words_for("f32|bf16").choices, testing::ElementsAre("f32", "bf16"));
  EXPECT_THAT(words_for("KIND").choices, testing::ElementsAre("encoder", "loss", "dataset", "task"));
}

/// What bash offers behind `line`, whose last word is the one being typed ("" when it ends in a blank).
std::vector<std::string> completed(const std::string& line) {
  const std::string script = scratch("completion.sh"), found = scratch("found");
  io::write_text(script, "source <('" ASTROCLIP_BINARY "' completion bash)\nline=\"" + line +
                             "\"\nCOMP_WORDS=($line)\n[[ $line == *' ' ]] && COMP_WORDS+=('')\n"
                             "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\nCOMP_WORDS[0]='" ASTROCLIP_BINARY
                             "'\n_astroclip\n"
                             "printf '%s\\n' \"${COMPREPLY[@]}\"\n");
  EXPECT_EQ(std::system(("cd '" SOURCE_ROOT "' && bash '" + script + "' >'" + found + "' 2>/dev/null").c_str()), 0);
  std::istringstream text(io::read_text(found));
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  return words;
}

TEST(Completion, OfBashKnowsVerbsOptionsFilesAndPlugins) {
  if (std::system("command -v bash >/dev/null") != 0) GTEST_SKIP() << "bash is not installed";
  EXPECT_THAT(completed("astroclip com"), testing::ElementsAre("compare", "completion"));
  EXPECT_THAT(completed("astroclip "), Contains("simulate"));
  EXPECT_THAT(completed("astroclip run --res"), testing::ElementsAre("--resume"));
  EXPECT_THAT(completed("astroclip run --resume doc"), testing::ElementsAre("docs"));
  EXPECT_THAT(completed("astroclip run READ"), testing::ElementsAre("README.md"));
  EXPECT_THAT(completed("astroclip --plugins docs embed --precision b"), testing::ElementsAre("bf16"));
  EXPECT_THAT(completed("astroclip describe sig"), testing::ElementsAre("siglip"));
  EXPECT_THAT(completed("astroclip describe ex"), testing::ElementsAre("experiment"));
  EXPECT_THAT(completed("astroclip new-plugin l"), testing::ElementsAre("loss"));
  EXPECT_THAT(completed("astroclip completion z"), testing::ElementsAre("zsh"));
  EXPECT_TRUE(completed("astroclip run --set ").empty());
}

TEST(Completion, OtherShellsThanThereAreAreRefused) {
  const auto outcome = testing_support::run_program("completion tcsh");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("there is no completion for 'tcsh'; shells: bash, zsh, fish\n"));
}

}  // namespace
}  // namespace astroclip::app
