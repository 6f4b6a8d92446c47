#include "record/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "base/error.h"
#include "base/markup.h"
#include "io/output/durable_file.h"
#include "record/line_colours.h"

namespace astroclip::record {

namespace {

constexpr double page_width = 1000.0, page_height = 420.0;
constexpr double frame_left = 75.0, frame_right = 985.0, frame_top = 40.0, frame_bottom = 370.0;  // of the frame
constexpr const char* colours[] = {"#222222", line_colours[1].light, line_colours[0].light, line_colours[2].light};

struct Range {
  double low = HUGE_VAL, high = -HUGE_VAL;
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  /// One with something between its ends.
  Range widened() const {
    if (low > high) return {0.0, 1.0};
    return low == high ? Range{low - 0.5, high + 0.5} : *this;
  }
};

/// From values to places on the page.
class Axis {
 public:
  Axis(Range range, double at_low, double at_high) : range_(range.widened()), at_low_(at_low), at_high_(at_high) {}
  double operator()(double value) const {
    return at_low_ + (value - range_.low) / (range_.high - range_.low) * (at_high_ - at_low_);
  }
  /// Multiples of 1, 2 or 5 times a power of ten, about six.
  std::vector<double> ticks() const {
    const double rough = (range_.high - range_.low) / 6.0, power = std::pow(10.0, std::floor(std::log10(rough)));
    const double digit = rough / power, step = power * (digit < 1.5   ? 1.0
                                                        : digit < 3.5 ? 2.0
                                                        : digit < 7.5 ? 5.0
                                                                      : 10.0);
    std::vector<double> all;
    for (double i = std::ceil(range_.low / step); i * step <= range_.high; i += 1.0) all.push_back(i * step);
    return all;
  }

 private:
  Range range_;
  double at_low_, at_high_;
};

/// The path of a line: runs of finite values, thinned to two points where many share a column of pixels.
std::string path_of(const LossFigure& figure, const LossFigure::Line& line, const Axis& x, const Axis& y) {
  std::string path;
  bool open = false;
  for (size_t i = 0; i < line.y.size();) {
    if (!std::isfinite(line.y[i])) {
      open = false;
      ++i;
      continue;
    }
    const double column = std::floor(x(figure.x[i]));
    size_t least = i, greatest = i, end = i;
    for (; end < line.y.size() && std::isfinite(line.y[end]) && std::floor(x(figure.x[end])) == column; ++end) {
      if (line.y[end] < line.y[least]) least = end;
      if (line.y[end] > line.y[greatest]) greatest = end;
    }
    for (const size_t at : {std::min(least, greatest), std::max(least, greatest)}) {
      path += fmt::format("{}{:.1f} {:.1f}", open ? "L" : "M", x(figure.x[at]), y(line.y[at]));
      open = true;
      if (least == greatest) break;
    }
    i = end;
  }
  return path;
}

/// "name [label]", as a line of a table's head has it.
std::pair<std::string, std::string> name_and_label(const std::string& column) {
  const size_t begin = column.find(" ["), end = column.rfind(']');
  if (begin == std::string::npos || end < begin) return {column, ""};
  return {column.substr(0, begin), column.substr(begin + 2, end - begin - 2)};
}

std::vector<std::string> parts_of(const std::string& text, const std::string& between) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end = text.find(between); end != std::string::npos; end = text.find(between, begin)) {
    parts.push_back(text.substr(begin, end - begin));
    begin = end + between.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

}  // namespace

std::string svg_of(const Figure& page) {
  const LossFigure& figure = page.drawn;
  Range of_x, of_y;
  for (const double value : figure.x) of_x.add(value);
  for (const LossFigure::Line& line : figure.lines) {
    for (const double value : line.y) of_y.add(value);
  }
  const Axis x(of_x, frame_left, frame_right), y(of_y, frame_bottom, frame_top);
  const auto text = [](double at_x, double at_y, const char* anchor, const std::string& words) {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", at_x, at_y, anchor,
                       markup_text(words));
  };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0f} {:.0f}\" font-family=\"sans-serif\" "
      "font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      page_width, page_height);
  for (const auto& [begin, end] : figure.shaded) {
    svg += fmt::format("<rect x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" fill=\"#e8e4d0\"/>\n", x(begin),
                       frame_top, x(end) - x(begin), frame_bottom - frame_top);
  }
  for (const double tick : x.ticks()) {
    svg += fmt::format("<path d=\"M{0:.1f} {1}v6\" stroke=\"black\"/>\n", x(tick), frame_bottom);
    svg += text(x(tick), frame_bottom + 20.0, "middle", fmt::format("{:.6g}", tick));
  }
  for (const double tick : y.ticks()) {
    svg += fmt::format("<path d=\"M{0} {1:.1f}h-6\" stroke=\"black\"/>\n", frame_left, y(tick));
    svg += text(frame_left - 9.0, y(tick) + 4.0, "end", fmt::format("{:.6g}", tick));
  }
  for (size_t i = 0; i < figure.lines.size(); ++i) {
    const char* colour = colours[i % std::size(colours)];
    svg +=
        fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\"/>\n", path_of(figure, figure.lines[i], x, y), colour);
    const double at = frame_left + 10.0 + 200.0 * static_cast<double>(i);
    svg += fmt::format("<path d=\"M{:.1f} {:.1f}h24\" stroke=\"{}\"/>\n", at, frame_top + 14.0, colour);
    svg += text(at + 30.0, frame_top + 18.0, "start", figure.lines[i].name);
  }
  svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"black\"/>\n",
                     frame_left, frame_top, frame_right - frame_left, frame_bottom - frame_top);
  svg += text(0.5 * (frame_left + frame_right), 24.0, "middle", page.title);
  svg += text(0.5 * (frame_left + frame_right), page_height - 10.0, "middle", figure.x_label);
  svg += fmt::format("<g transform=\"translate(16 {:.1f}) rotate(-90)\">{}</g>\n</svg>\n",
                     0.5 * (frame_top + frame_bottom), text(0.0, 0.0, "middle", page.y_label));
  return svg;
}

std::string table_of(const Figure& page) {
  const LossFigure& figure = page.drawn;
  std::string table = fmt::format("# {}\n# {}", page.title, figure.x_label);
  for (const LossFigure::Line& line : figure.lines) table += fmt::format("; {} [{}]", line.name, page.y_label);
  table += "; shaded\n";
  for (size_t i = 0; i < figure.x.size(); ++i) {
    table += fmt::format("{:.6g}", figure.x[i]);
    for (const LossFigure::Line& line : figure.lines) table += fmt::format(" {:.6g}", line.y[i]);
    const bool shaded = std::ranges::any_of(figure.shaded, [&](const std::pair<double, double>& span) {
      return span.first <= figure.x[i] && figure.x[i] <= span.second;
    });
    table += shaded ? " 1\n" : " 0\n";
  }
  return table;
}

Figure read_figure(const std::string& path) {
  std::istringstream text(io::read_text(path));
  std::string title, head, line;
  const auto fail = [&] { throw Error(path + ": not a figure's table"); };
  if (!std::getline(text, title) || !std::getline(text, head) || !title.starts_with("# ") || !head.starts_with("# "))
    fail();
  Figure page{title.substr(2), "", {}};
  LossFigure& figure = page.drawn;
  const std::vector<std::string> columns = parts_of(head.substr(2), "; ");
  if (columns.size() < 3) fail();
  figure.x_label = columns.front();
  for (size_t i = 1; i + 1 < columns.size(); ++i) {
    auto [name, label] = name_and_label(columns[i]);
    figure.lines.push_back({std::move(name), {}});
    page.y_label = std::move(label);
  }
  bool was_shaded = false;
  while (std::getline(text, line)) {
    const std::vector<std::string> cells = parts_of(line, " ");
    if (cells.size() != columns.size()) fail();
    std::vector<double> values;
    for (const std::string& cell : cells) {
      char* end = nullptr;
      values.push_back(std::strtod(cell.c_str(), &end));
      if (cell.empty() || *end != '\0') fail();
    }
    figure.x.push_back(values.front());
    for (size_t i = 0; i < figure.lines.size(); ++i) figure.lines[i].y.push_back(values[i + 1]);
    const bool is_shaded = values.back() != 0.0;
    if (is_shaded && !was_shaded) figure.shaded.emplace_back(values.front(), values.front());
    if (is_shaded) figure.shaded.back().second = values.front();
    was_shaded = is_shaded;
  }
  return page;
}

void write_figure(const std::string& path, const Figure& figure) {
  io::write_text(path + ".svg", svg_of(figure));
  io::write_text(path + ".dat", table_of(figure));
}

}  // namespace astroclip::record
