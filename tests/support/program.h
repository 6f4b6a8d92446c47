#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

/// Runs the built program as a user would; needs ASTROCLIP_BINARY from the room's room.cmake.
namespace astroclip::testing_support {

struct Outcome {
  int status = -1;  ///< −1 when a signal ended it
  std::string out, err;
};

/// A path for this test process alone.
inline std::string scratch(const std::string& name) {
  return (std::filesystem::path(testing::TempDir()) / ("astroclip_" + std::to_string(getpid()) + "_" + name)).string();
}

/// Through the shell, and to its end.
inline Outcome run_program(const std::string& arguments) {
  const std::string err = scratch("stderr");
  const std::string command = "'" ASTROCLIP_BINARY "' " + arguments + " 2>'" + err + "'";
  Outcome outcome;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  for (size_t n = 0; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.out.append(buffer, n);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  std::ostringstream text;
  text << std::ifstream(err).rdbuf();
  outcome.err = text.str();
  std::filesystem::remove(err);
  return outcome;
}

}  // namespace astroclip::testing_support
