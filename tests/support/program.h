#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
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

/// Starts the program and sends it a signal once `ready` returns or it has ended by itself. Returns its exit status, or
/// 128
/// + the signal that ended it.
inline int run_and_signal(const std::vector<std::string>& arguments, const std::function<void(pid_t)>& ready,
                          int signal) {
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
  ready(child);
  kill(child, signal);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// The same after a time.
inline int run_and_signal(const std::vector<std::string>& arguments, std::chrono::milliseconds wait, int signal) {
  return run_and_signal(
      arguments, [&](pid_t) { std::this_thread::sleep_for(wait); }, signal);
}

/// The same as soon as a file has something in it.
inline int run_and_signal(const std::vector<std::string>& arguments, const std::string& file, int signal) {
  const auto ready = [&](pid_t child) {
    siginfo_t ended = {};
    const auto is_running = [&] {
      return waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0;
    };
    std::error_code none;
    while (is_running() && (!std::filesystem::exists(file) || std::filesystem::file_size(file, none) == 0)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  };
  return run_and_signal(arguments, ready, signal);
}

}  // namespace astroclip::testing_support
