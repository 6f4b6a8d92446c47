#include "record/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace astroclip::record {

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}s", whole);
}

std::string describe(const Progress& p) {
  return fmt::format("{} {}/{}  loss {:.4f}  lr {:.2e}  {:.1f} objects/s  waiting {:.0f}%  {} left{}{}", p.stage,
                     p.step, p.steps, p.loss, p.learning_rate, p.objects_per_second, 100.0 * p.wait_share,
                     duration(p.seconds_left), p.watch.empty() ? "" : "  ", p.watch);
}

Console::Console(const std::string& log_path) : terminal_(isatty(STDOUT_FILENO) != 0) {
  if (!log_path.empty()) log_.emplace(log_path, io::OutputFile::Mode::append);
}

Console::~Console() { clear_line(); }

void Console::clear_line() {
  if (line_open_) fmt::print("\r\033[K");
  line_open_ = false;
}

void Console::say(const std::string& line) {
  clear_line();
  fmt::print("{}\n", line);
  std::fflush(stdout);
  note(line);
}

void Console::note(const std::string& line) {
  if (log_) log_->write(line + "\n");
}

void Console::progress(const std::string& line) {
  const auto now = Clock::now();
  const std::chrono::milliseconds interval(terminal_ ? 200 : 10000);
  if (now - last_ < interval) return;
  last_ = now;
  if (!terminal_) return say(line);
  fmt::print("\r\033[K{}", line);
  std::fflush(stdout);
  line_open_ = true;
}

}  // namespace astroclip::record
