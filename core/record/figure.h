#pragma once

#include <string>

#include "api/loss.h"

namespace astroclip::record {

struct Figure {
  std::string title, y_label;
  LossFigure drawn;
};

/// As a page of SVG. Of many points in a pixel the least and the greatest are drawn.
std::string svg_of(const Figure& figure);
/// As a table for other programs: a column for x, for each line, and for whether x is shaded.
std::string table_of(const Figure& figure);
/// Writes PATH.svg and PATH.dat.
void write_figure(const std::string& path, const Figure& figure);
/// Of such a table, without object and view. Throws Error naming the file when it is anything else.
Figure read_figure(const std::string& path);

}  // namespace astroclip::record
