// The command line: finds the verb, prints what goes wrong. No logic of its own.
#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options/errors.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include "app/verbs.h"
#include "app/version.h"
#include "base/openmp_start.h"
#include "base/text.h"
#include "plugin/host.h"

namespace astroclip::app {

namespace {

void print_help() {
  fmt::print(
      "astroclip: cross-modal representation learning on galaxies\n\n"
      "usage: astroclip [--plugins DIR]… VERB …\n\n");
  for (const Verb& verb : all_verbs()) fmt::print("  {:10} {}\n", verb.name, verb.meaning);
  fmt::print(
      "\n"
      "  --plugins DIR   search DIR for plugins, too (as does ASTROCLIP_PLUGIN_PATH)\n"
      "  --version       print the version, and what this was built with\n"
      "  --help          print this; astroclip VERB --help tells more\n");
}

/// Takes --plugins DIR and --plugins=DIR out of the arguments, wherever they stand.
std::vector<std::string> take_plugin_folders(std::vector<std::string> arguments) {
  static const std::string option = "--plugins";
  std::vector<std::string> rest;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == option) {
      if (i + 1 == arguments.size()) throw UsageError("--plugins needs a folder");
      plugin::Host::instance().add_search_path(arguments[++i]);
    } else if (arguments[i].starts_with(option + "=")) {
      plugin::Host::instance().add_search_path(arguments[i].substr(option.size() + 1));
    } else {
      rest.push_back(std::move(arguments[i]));
    }
  }
  return rest;
}

int dispatch(const std::vector<std::string>& arguments) {
  if (arguments.empty()) throw UsageError("a verb is missing");
  const std::string& name = arguments[0];
  if (name == "--help" || name == "-h" || name == "help") return print_help(), 0;
  if (name == "--version") return fmt::print("{}", version_text()), 0;
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
  fmt::print(
      stderr, "{}\n",
      has_verb ? fmt::format("astroclip {} --help tells more", arguments[0]) : "astroclip --help lists the verbs");
  return 2;
}

/// What was printed must have arrived.
int flushed(int status) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  throw Error(fmt::format("standard output: cannot write: {}", std::strerror(errno)));
}

int guarded_main(const std::vector<std::string>& arguments) {
  try {
    return flushed(dispatch(take_plugin_folders(arguments)));
  } catch (const UsageError& error) {
    return usage_error(arguments, error.what());
  } catch (const boost::program_options::too_many_positional_options_error&) {
    return usage_error(arguments, "there are more words than the verb takes");
  } catch (const boost::program_options::error& error) {
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
