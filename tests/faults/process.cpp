#include "faults/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <stdexcept>

extern char** environ;

namespace astroclip::faults {

namespace {

constexpr std::chrono::seconds longest(120);

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (std::string& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

/// Reads until the pipe closes; false on a timeout.
bool read_all(int pipe, std::string& text) {
  const auto end = std::chrono::steady_clock::now() + longest;
  std::array<char, 4096> buffer{};
  pollfd ready{pipe, POLLIN, 0};
  while (std::chrono::steady_clock::now() < end) {
    if (poll(&ready, 1, 1000) <= 0) continue;
    const ssize_t count = read(pipe, buffer.data(), buffer.size());
    if (count <= 0) return true;
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  return false;
}

}  // namespace

Ending run_process(const std::vector<std::string>& command, const std::vector<std::string>& settings) {
  std::vector<std::string> words = command, environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  environment.insert(environment.end(), settings.begin(), settings.end());
  std::array<int, 2> pipe{};
  if (pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDERR_FILENO);
  pid_t child = 0;
  const int failure =
      posix_spawn(&child, words[0].c_str(), &actions, nullptr, pointers(words).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  close(pipe[1]);
  if (failure != 0) throw std::runtime_error("cannot start " + words[0]);
  Ending ending;
  const bool ended = read_all(pipe[0], ending.output);
  close(pipe[0]);
  if (!ended) kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) ending.status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ending.signal = ended ? WTERMSIG(status) : SIGALRM;
  return ending;
}

}  // namespace astroclip::faults
