#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/shape.h"

namespace astroclip::app {

/// One view in a cell: planes [C, height, width], or values [N], which are drawn as a curve.
struct SheetCell {
  Shape shape;
  std::vector<float> values;
};

/// How a row's views are shown: as what an RGB stretch gives, the reddest plane first, or with these limits for each
/// plane, the bluest first.
struct SheetScale {
  bool is_rgb = false;
  std::vector<float> low = {}, high = {};
};
/// Limits that leave out the faintest and brightest pixels of a view.
SheetScale scale_of(const SheetCell& cell);

struct SheetColumn {
  std::string title;
  std::vector<SheetCell> cells;    ///< one for each row
  std::vector<SheetScale> scales;  ///< of each row
};

/// A table of views, one below the other, with titles in the letters a to z, digits and _ - . : / + =.
class ContactSheet {
 public:
  ContactSheet(const std::vector<std::string>& rows, const std::vector<SheetColumn>& columns);
  int64_t width() const { return width_; }
  int64_t height() const { return height_; }
  /// [height, width, 3]
  std::span<const uint8_t> pixels() const { return pixels_; }

 private:
  void write(int64_t x, int64_t y, const std::string& text);
  void draw_image(int64_t x, int64_t y, int64_t room, const SheetCell& cell, const SheetScale& scale);
  void draw_curve(int64_t x, int64_t y, int64_t room_x, int64_t room_y, const SheetCell& cell, const SheetScale& scale);
  uint8_t* pixel(int64_t x, int64_t y) { return pixels_.data() + 3 * (y * width_ + x); }

  int64_t width_ = 0, height_ = 0;
  std::vector<uint8_t> pixels_;
};

}  // namespace astroclip::app
