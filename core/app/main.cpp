// The command line: finds the verb and prints errors.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include "app/complete.h"
#include "app/verbs.h"
#include "app/version.h"
#include "base/openmp_start.h"
#include "base/table.h"
#include "base/text.h"
#include "config/problems.h"
#include "plugin/host.h"

namespace astroclip::app {

namespace {

void print_help() {
  std::vector<TableRow> verbs;
  for (const Verb& verb : all_verbs()) verbs.push_back({verb.name, verb.meaning});
  const std::vector<TableRow> options = {
      {option_heading(plugins_option()), full_meaning(plugins_option())},
      {"--version", "print the version, the libraries and what this machine supports"},
      {"--help", "print this help; `astroclip VERB --help` describes a verb"}};
  fmt::print(
      "astroclip: cross-modal representation learning on galaxies\n\n"
      "usage: astroclip [--plugins DIR]… VERB …\n\nverbs:\n{}\noptions:\n{}",
      format_table(verbs), format_table(options));
}

int dispatch(std::vector<std::string> arguments) {
  if (!arguments.empty() && arguments[0] == "__complete") {  // -- WORDS…
    fmt::print("{}", completions({arguments.begin() + std::min<ptrdiff_t>(2, std::ssize(arguments)), arguments.end()},
                                 all_verbs()));
    return 0;
  }
  for (const std::string& folder : take_plugin_folders(arguments)) plugin::Host::instance().add_search_path(folder);
  if (!arguments.empty() && arguments.back() == "--plugins") throw UsageError("--plugins needs a value: DIR");
  if (arguments.empty()) throw UsageError("a verb is missing");
  const std::string& name = arguments[0];
  if (name == "--help" || name == "-h" || name == "help") {
    print_help();
    return 0;
  }
  if (name == "--version") {
    fmt::print("{}", version_text());
    return 0;
  }
  std::vector<std::string> names;
  for (const Verb& verb : all_verbs()) {
    if (name == verb.name) return run(verb, std::span(arguments).subspan(1));
    names.push_back(verb.name);
  }
  throw UsageError(
      fmt::format("unknown {} '{}'{}", name.starts_with("-") ? "option" : "verb", name, suggestion(name, names)));
}

int usage_error(const std::vector<std::string>& arguments, const std::string& message) {
  fmt::print(stderr, "astroclip: error: {}\n", message);
  const auto is_first = [&](const Verb& verb) { return !arguments.empty() && verb.name == arguments[0]; };
  const bool has_verb = std::ranges::any_of(all_verbs(), is_first);
  fmt::print(stderr, "see: astroclip {}--help\n", has_verb ? arguments[0] + " " : "");
  return 2;
}

/// Throws Error when what was printed could not be written.
int flushed(int status) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  throw Error(fmt::format("standard output: cannot write: {}", std::strerror(errno)));
}

int guarded_main(const std::vector<std::string>& arguments) {
  try {
    return flushed(dispatch(arguments));
  } catch (const UsageError& error) {
    return usage_error(arguments, error.what());
  } catch (const config::ProblemList& problems) {
    // Every line begins with its own place and "error:".
    fmt::print(stderr, "{}\n", problems.what());
  } catch (const Error& error) {
    fmt::print(stderr, "astroclip: error: {}\n", error.what());
  } catch (const std::system_error& error) {  // fmt throws one when it cannot print
    fmt::print(stderr, "astroclip: error: {}{}\n", std::ferror(stdout) != 0 ? "standard output: " : "", error.what());
  } catch (const std::exception& error) {
    fmt::print(stderr, "astroclip: error: unexpected: {}\n", error.what());
  }
  return 1;
}

}  // namespace

}  // namespace astroclip::app

int main(int count, char** arguments) {
  astroclip::restart_with_short_openmp_spinning(arguments);
  return astroclip::app::guarded_main({arguments + 1, arguments + count});
}
