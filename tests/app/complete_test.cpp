// What shells offer: asked of `astroclip __complete`, and through the script of each shell that is installed.
#include "app/complete.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <sstream>

#include "io/output/durable_file.h"
#include "support/program.h"

namespace astroclip::app {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing_support::scratch;
using Words = std::vector<std::string>;

Words lines_of(const std::string& text, char end = '\n') {
  std::istringstream stream(text);
  Words lines;
  for (std::string line; std::getline(stream, line, end);) lines.push_back(line);
  return lines;
}

/// What `__complete` offers in place of the last of some words for a shell, without the meanings.
Words offered(const std::string& words) {
  const auto outcome = testing_support::run_program("__complete -- " + words);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  Words found;
  for (const std::string& line : lines_of(outcome.out)) found.push_back(line.substr(0, line.find('\t')));
  return found;
}

TEST(Complete, OffersVerbsAndOptionsWithTheirMeanings) {
  EXPECT_EQ(testing_support::run_program("__complete -- com").out,
            "compare\tcompare the metrics of runs, with errors over seeds\n"
            "completion\tprint the completion script of a shell\n");
  EXPECT_THAT(offered("''"), IsSupersetOf({"run", "man", "--plugins", "--version"}));
  EXPECT_THAT(offered("''"), Not(Contains("__complete")));
  EXPECT_THAT(offered("run --re"), ElementsAre("--resume"));
  EXPECT_THAT(offered("runs --json --"), ElementsAre("--sweeps", "--plugins", "--help"));
  EXPECT_THAT(offered("run --set a=1 --s"), ElementsAre("--set"));
  EXPECT_THAT(offered(""), IsEmpty());
}

TEST(Complete, OffersEveryValueOfAnOption) {
  EXPECT_THAT(offered("embed --modality ''"), IsEmpty());
  EXPECT_THAT(offered("embed --input a.h5 b.h5 ''"), ElementsAre(":files"));
  EXPECT_THAT(offered("embed --input a.h5 --precision b"), ElementsAre("bf16"));
  EXPECT_THAT(offered("embed --precision=b"), ElementsAre("bf16"));
  EXPECT_THAT(offered("embed --precision = b"), ElementsAre("bf16"));  // as bash takes it apart
  EXPECT_THAT(offered("embed --precision ="), ElementsAre("f32", "bf16", "auto"));
  EXPECT_THAT(offered("run --set a.b = 1 ''"), ElementsAre(":files .toml"));
  EXPECT_THAT(offered("run --set ''"), IsEmpty());
  EXPECT_THAT(offered("run --resume ''"), ElementsAre(":folders"));
  EXPECT_THAT(offered("convert a.ckpt ''"), ElementsAre(":files"));
  EXPECT_THAT(offered("convert a b --architecture vit-s"), ElementsAre("vit-small", ":files .toml"));
  EXPECT_THAT(offered("embed --dataset sim"), ElementsAre("simulated_survey", ":files .toml"));
  EXPECT_THAT(offered("compare a b ''"), ElementsAre(":folders"));
  EXPECT_THAT(offered("new-plugin l"), ElementsAre("loss"));
  EXPECT_THAT(offered("new-plugin loss ''"), IsEmpty());
}

TEST(Complete, OffersChoicesAgainWhereAnOptionTakesMany) {
  const Verb verb{.name = "try",
                  .usages = {""},
                  .meaning = "try",
                  .description = "Tries.",
                  .options = {Argument("band", "", "bands").many().one_of({"g", "r"})}};
  EXPECT_EQ(completions({"try", "--band", "g", ""}, std::span(&verb, 1)), "g\nr\n");
  EXPECT_EQ(completions({"try", "--band", "g", "r"}, std::span(&verb, 1)), "r\n");
}

TEST(Complete, OffersPluginsOfTheFoldersGiven) {
  EXPECT_THAT(offered("describe sig"), ElementsAre("siglip"));
  EXPECT_THAT(offered("describe ex"), ElementsAre("experiment"));
  EXPECT_THAT(offered("describe gau"), IsEmpty());
  EXPECT_THAT(offered("--plugins '" TEST_PLUGINS "' describe gau"), ElementsAre("gauge"));
  EXPECT_THAT(offered("describe --plugins='" TEST_PLUGINS "' gau"), ElementsAre("gauge"));
  EXPECT_THAT(offered("--plugins /nowhere describe sig"), ElementsAre("siglip"));
  EXPECT_THAT(offered("--plugins ''"), ElementsAre(":folders"));
  EXPECT_THAT(offered("--plugins=do"), ElementsAre(":folders"));
}

TEST(Complete, OffersNothingAfterAnError) {
  EXPECT_THAT(offered("lsit ''"), IsEmpty());
  EXPECT_THAT(offered("list losses ''"), IsEmpty());
  EXPECT_THAT(offered("run --bogus ''"), IsEmpty());
  EXPECT_THAT(offered("run --set --re"), IsEmpty());
}

/// Output of a script in the source folder; `astroclip` is the built program.
std::string output_of(const std::string& shell, const std::string& script) {
  const std::string file = scratch("script"), found = scratch("found");
  io::write_text(file, script);
  const std::string folder = std::filesystem::path(ASTROCLIP_BINARY).parent_path();
  const std::string command = "cd '" SOURCE_ROOT "' && PATH='" + folder + "':\"$PATH\" HOME='" SOURCE_ROOT "' " +
                              shell + " '" + file + "' >'" + found + "' 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << io::read_text(found);
  return io::read_text(found);
}

bool is_installed(const std::string& shell) {
  return std::system(("command -v " + shell + " >/dev/null").c_str()) == 0;
}

/// What a shell offers at the end of a line.
using Shell = Words (*)(const std::string& line);

Words bash(const std::string& line) {
  return lines_of(output_of("bash", "source <(astroclip completion bash)\nline=\"" + line +
                                        "\"\nread -ra COMP_WORDS <<< \"${line//=/ = }\"\n"
                                        "[[ $line == *' ' || $line == *= ]] && COMP_WORDS+=('')\n"
                                        "[[ $line == *= ]] && unset 'COMP_WORDS[-1]'\n"
                                        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\ncompopt() { :; }\n"
                                        "_astroclip\nfor word in \"${COMPREPLY[@]}\"; do echo \"$word\"; done\n"));
}

/// Outside of a completion widget zsh's own functions are stood in for by what prints their arguments.
Words zsh(const std::string& line) {
  Words found =
      lines_of(output_of("zsh -f",
                         "compdef() { : }\n_describe() { print -l -- ${(P)2%%:*} }\n"
                         "_files() { case $1 in -/) print -l -- ${~PREFIX}*(/N) ;; -g) print -l -- ${~PREFIX}*(/N) "
                         "${~PREFIX}${~2}(N) ;; *) print -l -- ${~PREFIX}*(N) ;; esac }\n"
                         "compset() { PREFIX=${PREFIX#--*=} }\n"
                         "source <(astroclip completion zsh)\nline=\"" +
                             line +
                             "\"\nwords=(${(z)line})\n[[ $line == *' ' ]] && words+=('')\nCURRENT=$#words\n"
                             "PREFIX=${words[-1]}\n_astroclip || true\n"));
  std::erase(found, "");
  return found;
}

Words fish(const std::string& line) {
  Words found =
      lines_of(output_of("fish --no-config", "astroclip completion fish | source\ncomplete -C '" + line + "'\n"));
  for (std::string& word : found) {
    word.resize(std::min(word.find('\t'), word.size()));
    if (word.starts_with("--") && word.find('=') != std::string::npos) word = word.substr(word.find('=') + 1);
    if (word.ends_with("/")) word.pop_back();
  }
  return found;
}

class Scripts : public testing::TestWithParam<std::pair<std::string, Shell>> {};

TEST_P(Scripts, AskTheProgram) {
  const auto& [name, complete] = GetParam();
  if (!is_installed(name)) GTEST_SKIP() << name << " is not installed";
  EXPECT_THAT(complete("astroclip com"), ElementsAre("compare", "completion"));
  EXPECT_THAT(complete("astroclip "), Contains("simulate"));
  EXPECT_THAT(complete("astroclip run --res"), ElementsAre("--resume"));
  EXPECT_THAT(complete("astroclip run --resume doc"), ElementsAre("docs"));
  EXPECT_THAT(complete("astroclip inspect READ"), ElementsAre("README.md"));
  EXPECT_THAT(complete("astroclip run experiments/smo"), ElementsAre("experiments/smoke.toml"));
  EXPECT_THAT(complete("astroclip embed --input README.md LICE"), ElementsAre("LICENSE"));
  EXPECT_THAT(complete("astroclip embed --precision=b"), ElementsAre("bf16"));
  EXPECT_THAT(complete("astroclip run --output=doc"), ElementsAre("docs"));
  EXPECT_THAT(complete("astroclip --plugins docs embed --precision b"), ElementsAre("bf16"));
  EXPECT_THAT(complete("astroclip --plugins doc"), ElementsAre("docs"));
  EXPECT_THAT(complete("astroclip --plugins " TEST_PLUGINS " describe gau"), ElementsAre("gauge"));
  EXPECT_THAT(complete("astroclip run --set "), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Shells, Scripts,
                         testing::Values(std::pair<std::string, Shell>("bash", bash),
                                         std::pair<std::string, Shell>("zsh", zsh),
                                         std::pair<std::string, Shell>("fish", fish)),
                         [](const auto& shell) { return shell.param.first; });

TEST(Completion, RefusesAnotherShell) {
  const auto outcome = testing_support::run_program("completion tcsh");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err,
            "astroclip: error: SHELL must be one of bash, zsh, fish, found 'tcsh'\n"
            "see: astroclip completion --help\n");
}

}  // namespace
}  // namespace astroclip::app
