#include "report/condensed_svg.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdio>
#include <sstream>

namespace astroclip::report {

namespace {

struct Dot {
  double x = 0.0, y = 0.0, scale = 0.0;
  int red = 0, green = 0, blue = 0;
};

bool is_dot(const std::string& line, Dot& dot) {
  return std::sscanf(line.c_str(),
                     " <use xlink:href='#gpPt6' transform='translate(%lf,%lf) scale(%lf)' color='rgb(%d, %d, %d)'/>",
                     &dot.x, &dot.y, &dot.scale, &dot.red, &dot.green, &dot.blue) == 6;
}

/// Without the second of two decimals of numbers in a path's data, which may go on over several lines.
std::string with_tenths(const std::string& line, bool& in_path) {
  const auto is_digit = [&](size_t at) {
    return at < line.size() && std::isdigit(static_cast<unsigned char>(line[at]));
  };
  size_t begin = 0;
  if (!in_path) {
    const size_t data = line.find(" d='");
    if (line.find("<path") == std::string::npos || data == std::string::npos) return line;
    begin = data + 4;
  }
  const size_t end = line.find('\'', begin);
  in_path = end == std::string::npos;
  std::string out;
  for (size_t i = 0; i < line.size(); ++i) {
    const bool is_second =
        i >= begin + 2 && i < end && is_digit(i) && is_digit(i - 1) && line[i - 2] == '.' && !is_digit(i + 1);
    if (!is_second) out += line[i];
  }
  return out;
}

}  // namespace

std::string condensed_svg(const std::string& svg) {
  // A zero-length line with round ends is a dot. gnuplot's circle has radius 1 and a stroke of 0.205, times the scale.
  constexpr double diameter = 2.205;
  std::string out, colour;
  double scale = 0.0;  // of the open group; 0: none is open
  bool in_path = false;
  const auto close = [&] {
    if (scale > 0.0) out += "'/>\n</g>\n";
    scale = 0.0;
    colour.clear();
  };
  std::istringstream text(svg);
  for (std::string line; std::getline(text, line);) {
    Dot dot;
    if (!is_dot(line, dot)) {
      close();
      out += with_tenths(line, in_path) + "\n";
      continue;
    }
    if (dot.scale != scale) {
      close();
      scale = dot.scale;
      out += fmt::format("<g stroke-width='{:.2f}' stroke-linecap='round'>\n", diameter * scale);
    }
    if (const std::string own = fmt::format("#{:02x}{:02x}{:02x}", dot.red, dot.green, dot.blue); own != colour) {
      out += fmt::format("{}<path stroke='{}' d='", colour.empty() ? "" : "'/>\n", own);
      colour = own;
    }
    out += fmt::format("M{:.1f} {:.1f}h0", dot.x, dot.y);
  }
  close();
  return out;
}

}  // namespace astroclip::report
