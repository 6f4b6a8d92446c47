#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "io/output/output_file.h"

namespace astroclip::record {

/// Progress of a stage.
struct Progress {
  std::string stage;
  int64_t step = 0;  ///< finished
  int64_t steps = 0;
  double loss = 0.0;
  double learning_rate = 0.0;
  double objects_per_second = 0.0;
  double wait_share = 0.0;  ///< fraction of the time spent waiting for data
  double seconds_left = 0.0;
  std::string watch = {};  ///< the last look for a collapse at a glance; "" without one
};

/// As one line.
std::string describe(const Progress& progress);

/// "1h02m", "5m07s", "12s"
std::string duration(double seconds);

/// Prints to the terminal and to a log, if any. On a terminal, progress is one line that is overwritten; elsewhere it
/// is a new line every few seconds.
class Console {
 public:
  explicit Console(const std::string& log_path = "");
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// Throws Error naming the log if it cannot be written.
  void say(const std::string& line);
  /// Writes to the log only.
  void note(const std::string& line);
  void progress(const std::string& line);

 private:
  void clear_line();

  using Clock = std::chrono::steady_clock;
  std::optional<io::OutputFile> log_;
  bool terminal_;
  bool line_open_ = false;
  Clock::time_point last_{};
};

}  // namespace astroclip::record
