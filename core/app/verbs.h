#pragma once

#include <span>
#include <string>

#include "base/error.h"

namespace astroclip::app {

/// The command line itself is wrong: printed with a hint at --help, status 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// One verb of the command line: `astroclip NAME …`. Each stands in a file of its own, parses its arguments with
/// Boost.Program_options and calls into the library. An astroclip::Error thrown by it is printed and ends the
/// program with status 1; a UsageError, or an error of Boost.Program_options, ends it with status 2.
int run_command(std::span<const std::string> arguments);
int check_command(std::span<const std::string> arguments);
int compare_command(std::span<const std::string> arguments);
int runs_command(std::span<const std::string> arguments);
int list_command(std::span<const std::string> arguments);
int describe_command(std::span<const std::string> arguments);
int new_plugin_command(std::span<const std::string> arguments);
int simulate_command(std::span<const std::string> arguments);
int import_command(std::span<const std::string> arguments);
int inspect_command(std::span<const std::string> arguments);
int convert_command(std::span<const std::string> arguments);
int embed_command(std::span<const std::string> arguments);
int bench_command(std::span<const std::string> arguments);

}  // namespace astroclip::app
