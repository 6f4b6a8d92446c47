#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

namespace astroclip::report {

/// The blocks of a file that gnuplot reads, with their numbers.
class Blocks {
 public:
  /// Adds lines of numbers, at least one, under a heading of one line; gives the number of the block.
  int64_t add(std::string heading, const std::string& lines) {
    std::ranges::replace(heading, '\n', ' ');
    text_ += (count_ == 0 ? "# " : "\n\n# ") + heading + "\n" + lines;
    return count_++;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  int64_t count_ = 0;
};

}  // namespace astroclip::report
