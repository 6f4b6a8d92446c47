#pragma once

#include <string>
#include <vector>

namespace astroclip::faults {

/// How a program ended.
struct Ending {
  int status = -1;     ///< the exit status, or −1
  int signal = 0;      ///< the signal that ended it, or 0; SIGALRM on a timeout
  std::string output;  ///< standard output and error together
};

/// Runs a program to its end with `settings` ("NAME=VALUE") added to its environment.
Ending run_process(const std::vector<std::string>& command, const std::vector<std::string>& settings);

}  // namespace astroclip::faults
