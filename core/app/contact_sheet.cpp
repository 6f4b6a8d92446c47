#include "app/contact_sheet.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

namespace astroclip::app {

namespace {

constexpr int64_t sheet_gap = 6, letter_scale = 2, letter_rows = 5, letter_columns = 3;
constexpr int64_t letter_pitch = letter_scale * (letter_columns + 1),
                  title_line = letter_scale * letter_rows + 2 * sheet_gap;
constexpr int64_t least_cell = 144, curve_width = 360;
constexpr uint8_t paper_shade = 24, ink_shade = 230;

/// Five rows of three pixels, a row to each octal digit.
const std::map<char, int> sheet_letters = {
    {'a', 025755}, {'b', 065656}, {'c', 034443}, {'d', 065556}, {'e', 074647}, {'f', 074644}, {'g', 034553},
    {'h', 055755}, {'i', 072227}, {'j', 011152}, {'k', 055655}, {'l', 044447}, {'m', 057755}, {'n', 065555},
    {'o', 025552}, {'p', 065644}, {'q', 025563}, {'r', 065655}, {'s', 034216}, {'t', 072222}, {'u', 055557},
    {'v', 055552}, {'w', 055775}, {'x', 055255}, {'y', 055222}, {'z', 071247}, {'0', 075557}, {'1', 026227},
    {'2', 071747}, {'3', 071717}, {'4', 055711}, {'5', 074717}, {'6', 074757}, {'7', 071122}, {'8', 075757},
    {'9', 075717}, {'_', 000007}, {'-', 000700}, {'.', 000002}, {':', 002020}, {'/', 011244}, {'+', 002720},
    {'=', 007070}, {' ', 000000}};

bool is_image(const Shape& shape) { return shape.rank() == 3; }

int64_t planes_of(const SheetCell& cell) { return is_image(cell.shape) ? cell.shape[0] : 1; }

/// How many times larger a view is shown.
int64_t enlargement(const SheetCell& cell) { return std::max<int64_t>(1, least_cell / cell.shape[-1]); }

int64_t width_of(const SheetCell& cell) {
  return is_image(cell.shape) ? cell.shape[-1] * enlargement(cell) : curve_width;
}
int64_t height_of(const SheetCell& cell) {
  return is_image(cell.shape) ? cell.shape[-2] * enlargement(cell) : least_cell;
}

uint8_t shade(float value) {
  return static_cast<uint8_t>(std::lround(255.0F * (std::isfinite(value) ? std::clamp(value, 0.0F, 1.0F) : 0.0F)));
}

}  // namespace

SheetScale scale_of(const SheetCell& cell) {
  constexpr double faintest = 0.02, brightest = 0.995;
  SheetScale scale;
  const size_t planes = static_cast<size_t>(planes_of(cell)), area = cell.values.size() / planes;
  for (size_t plane = 0; plane < planes; ++plane) {
    std::vector<float> values(cell.values.begin() + static_cast<std::ptrdiff_t>(plane * area),
                              cell.values.begin() + static_cast<std::ptrdiff_t>((plane + 1) * area));
    std::erase_if(values, [](float value) { return !std::isfinite(value); });
    std::ranges::sort(values);
    const auto at = [&](double share) {
      return values.empty() ? 0.0F : values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
    };
    scale.low.push_back(at(faintest));
    scale.high.push_back(at(brightest) > at(faintest) ? at(brightest) : at(faintest) + 1.0F);
  }
  return scale;
}

ContactSheet::ContactSheet(const std::vector<std::string>& rows, const std::vector<SheetColumn>& columns) {
  int64_t title_width = 0, row_height = least_cell;
  for (const std::string& row : rows) title_width = std::max(title_width, std::ssize(row) * letter_pitch);
  std::vector<int64_t> widths;
  width_ = title_width + 2 * sheet_gap;
  for (const SheetColumn& column : columns) {
    widths.push_back(std::max(width_of(column.cells[0]), std::ssize(column.title) * letter_pitch));
    row_height = std::max(row_height, height_of(column.cells[0]));
    width_ += widths.back() + sheet_gap;
  }
  height_ = title_line + std::ssize(rows) * (row_height + sheet_gap);
  pixels_.assign(static_cast<size_t>(3 * width_ * height_), paper_shade);
  for (size_t row = 0; row < rows.size(); ++row)
    write(sheet_gap, title_line + static_cast<int64_t>(row) * (row_height + sheet_gap) + row_height / 2, rows[row]);
  int64_t x = title_width + 2 * sheet_gap;
  for (size_t i = 0; i < columns.size(); ++i) {
    write(x, sheet_gap, columns[i].title);
    for (size_t row = 0; row < rows.size(); ++row) {
      const int64_t y = title_line + static_cast<int64_t>(row) * (row_height + sheet_gap);
      const SheetCell& cell = columns[i].cells[row];
      if (is_image(cell.shape)) {
        draw_image(x, y, row_height, cell, columns[i].scales[row]);
      } else {
        draw_curve(x, y, curve_width, row_height, cell, columns[i].scales[row]);
      }
    }
    x += widths[i] + sheet_gap;
  }
}

void ContactSheet::write(int64_t x, int64_t y, const std::string& text) {
  for (const char c : text) {
    const auto found = sheet_letters.find(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    const int rows = found == sheet_letters.end() ? 0 : found->second;
    for (int64_t v = 0; v < letter_rows * letter_scale; ++v) {
      for (int64_t u = 0; u < letter_columns * letter_scale; ++u) {
        const int64_t row = v / letter_scale, column = u / letter_scale;
        const int64_t bit = 3 * (letter_rows - 1 - row) + (letter_columns - 1 - column);
        if ((rows >> bit & 1) != 0) std::fill_n(pixel(x + u, y + v), 3, ink_shade);
      }
    }
    x += letter_pitch;
  }
}

void ContactSheet::draw_image(int64_t x, int64_t y, int64_t room, const SheetCell& cell, const SheetScale& scale) {
  const int64_t planes = cell.shape[0], height = cell.shape[1], width = cell.shape[2], times = enlargement(cell);
  y += (room - height * times) / 2;
  for (int64_t v = 0; v < height * times; ++v) {
    for (int64_t u = 0; u < width * times; ++u) {
      uint8_t* to = pixel(x + u, y + v);
      for (int64_t colour = 0; colour < 3; ++colour) {
        const int64_t from_red = colour * (planes - 1) / 2, plane = scale.is_rgb ? from_red : planes - 1 - from_red;
        const auto at = static_cast<size_t>(plane);
        const float value = cell.values[static_cast<size_t>((plane * height + v / times) * width + u / times)];
        to[colour] = shade(scale.is_rgb ? value : (value - scale.low[at]) / (scale.high[at] - scale.low[at]));
      }
    }
  }
}

void ContactSheet::draw_curve(int64_t x, int64_t y, int64_t room_x, int64_t room_y, const SheetCell& cell,
                              const SheetScale& scale) {
  const auto count = std::ssize(cell.values);
  const auto row_of = [&](float value) {
    if (!std::isfinite(value)) value = scale.low[0];
    const float height = (value - scale.low[0]) / (scale.high[0] - scale.low[0]);
    return static_cast<int64_t>((0.9F - 0.8F * std::clamp(height, -0.1F, 1.1F)) * static_cast<float>(room_y - 1));
  };
  for (int64_t column = 0; column < room_x; ++column) {
    const int64_t begin = column * count / room_x, end = std::max(begin + 1, (column + 1) * count / room_x);
    const auto [least, most] = std::minmax_element(cell.values.begin() + begin, cell.values.begin() + end);
    for (int64_t row = row_of(*most); row <= row_of(*least); ++row)
      std::fill_n(pixel(x + column, y + row), 3, ink_shade);
  }
}

}  // namespace astroclip::app
