// Maps: their tiles, what colours the points of a tile, and how many objects are where.
#include <algorithm>
#include <vector>

#include "explore/answers.h"
#include "explore/response_body.h"
#include "map/selecting.h"

namespace astroclip::explore {

namespace {

using nlohmann::ordered_json;
using serve::Request;
using serve::Response;

constexpr int64_t bins = 64;
constexpr int64_t density_side = 256;

const map::Tile& tile_of(const EmbeddingMap& of, const Request& request) {
  return of.tiles[static_cast<size_t>(request.integer("tile", 0, std::ssize(of.tiles) - 1))];
}

/// The part of a map's points that a tile has.
template <class T>
std::span<const T> part_of(std::span<const T> points, const map::Tile& tile) {
  return points.subspan(static_cast<size_t>(tile.first), static_cast<size_t>(tile.count));
}

Response details(const Explored& explored, const Request& request) {
  const auto of = explored.map_of(request);
  ordered_json tiles = ordered_json::array();
  for (const map::Tile& tile : of->tiles) tiles.push_back({tile.level, tile.x, tile.y, tile.count, tile.below});
  ordered_json answer = json_summary(*of);
  answer["extent"] = {of->extent.left, of->extent.bottom, of->extent.side};
  answer["cells"] = of->cells;
  answer["tiles"] = tiles;
  return json_response(answer);
}

/// Rows, then x, then y of the points of a tile.
Response tile(const Explored& explored, const Request& request) {
  const auto of = explored.map_of(request);
  const map::Tile& asked = tile_of(*of, request);
  Response response = binary_response(part_of(of->row, asked));
  response.body += binary_response(part_of(of->x, asked)).body;
  response.body += binary_response(part_of(of->y, asked)).body;
  return response;
}

Response tile_values(const Explored& explored, const Request& request) {
  const auto of = explored.map_of(request);
  const auto all = explored.columns.values(request.text("column"));
  std::vector<float> values;
  for (const uint32_t row : part_of(of->row, tile_of(*of, request))) values.push_back((*all)[row]);
  return binary_response<float>(values);
}

/// A byte for each point of a tile: 1 where it is selected.
Response tile_selected(const Explored& explored, const Request& request) {
  const auto of = explored.map_of(request);
  const Selection chosen = explored.selections.find(request.integer("selection", 1, INT64_MAX));
  std::vector<uint8_t> values;
  for (const uint32_t row : part_of(of->row, tile_of(*of, request)))
    values.push_back(static_cast<uint8_t>(map::is_set(*chosen.rows, row)));
  return binary_response<uint8_t>(values);
}

/// Counts in 256 × 256 squares of a part of the map, of which there are 2^level along each axis.
Response density(const Explored& explored, const Request& request) {
  const auto of = explored.map_of(request);
  int64_t last_level = 0;
  while (density_side << last_level < of->cells) ++last_level;
  const int64_t level = request.integer("level", 0, last_level), parts = int64_t{1} << level;
  const int64_t x = request.integer("x", 0, parts - 1), y = request.integer("y", 0, parts - 1);
  const int64_t step = of->cells / (density_side * parts);
  std::vector<uint32_t> counts(static_cast<size_t>(density_side * density_side));
  for (int64_t row = 0; row < density_side * step; ++row) {
    const auto from = static_cast<size_t>((y * density_side * step + row) * of->cells + x * density_side * step);
    uint32_t* to = counts.data() + row / step * density_side;
    for (int64_t column = 0; column < density_side * step; ++column)
      to[column / step] += of->density[from + static_cast<size_t>(column)];
  }
  return binary_response<uint32_t>(counts);
}

/// What a map can be coloured by. With a selection how many of its rows are in each bin, too.
Response column(const Explored& explored, const Request& request) {
  const auto all = explored.columns.values(request.text("name"));
  const ColumnSummary summary = summary_of(*all, bins);
  ordered_json answer = {{"name", request.text("name")},  {"count", summary.count}, {"least", summary.least},
                         {"greatest", summary.greatest},  {"low", summary.low},     {"high", summary.high},
                         {"histogram", summary.histogram}};
  if (request.query.contains("selection")) {
    const Selection chosen = explored.selections.find(request.integer("selection", 1, INT64_MAX));
    std::vector<float> some;
    for (const int64_t row : map::rows_of(*chosen.rows, 0, chosen.count))
      some.push_back((*all)[static_cast<size_t>(row)]);
    answer["selected"] = histogram_of(some, summary.low, summary.high, bins);
  }
  return json_response(answer);
}

/// The object nearest to "x", "y".
Response nearest(const Explored& explored, const Request& request) {
  const auto of = explored.map_of(request);
  const int64_t row =
      map::nearest_row(of->positions, request.number("x"), request.number("y"), request.number("farthest"));
  return json_response({{"row", row < 0 ? ordered_json(nullptr) : ordered_json(row)}});
}

}  // namespace

Answers map_answers(const Explored& explored) {
  return answers_by<const Explored>(explored, {{"api/map", details},
                                               {"api/tile", tile},
                                               {"api/values", tile_values},
                                               {"api/selected", tile_selected},
                                               {"api/density", density},
                                               {"api/column", column},
                                               {"api/nearest", nearest}});
}

}  // namespace astroclip::explore
