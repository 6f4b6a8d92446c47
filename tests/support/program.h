#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/scratch.h"

/// Runs the built program as a user would; needs ASTROCLIP_BINARY from the room's room.cmake.
namespace astroclip::testing_support {

struct Outcome {
  int status = -1;  ///< −1 when a signal ended it
  std::string out, err;
};

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

/// Starts the program, waits, and sends it a signal; gives its status (128 + n when signal n ended it).
inline int run_and_signal(const std::vector<std::string>& arguments, std::chrono::milliseconds wait, int signal) {
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> words;
    std::string program = ASTROCLIP_BINARY;
    words.push_back(program.data());
    std::vector<std::string> copies = arguments;
    for (std::string& word : copies) words.push_back(word.data());
    words.push_back(nullptr);
    (void)!freopen("/dev/null", "w", stdout);
    execv(program.c_str(), words.data());
    _exit(127);
  }
  std::this_thread::sleep_for(wait);
  kill(child, signal);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace astroclip::testing_support
