#pragma once

#include <string>
#include <vector>

namespace astroclip::faults {

/// How a program ended.
struct Ending {
  int status = -1;     ///< that it gave, or −1
  int signal = 0;      ///< that ended it, or 0; SIGALRM when it was stopped for taking too long
  std::string output;  ///< standard output and error together
};

/// Runs a program to its end, in an environment to which `settings` ("NAME=VALUE") are added.
Ending run_process(const std::vector<std::string>& command, const std::vector<std::string>& settings);

}  // namespace astroclip::faults
