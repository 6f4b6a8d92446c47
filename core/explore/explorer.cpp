#include "explore/explorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/survey.h"
#include "explore/page.h"
#include "probe/metrics.h"

namespace astroclip::explore {

namespace {

using nlohmann::ordered_json;
using serve::Request;
using serve::Response;

constexpr int64_t bins = 64;
constexpr int64_t most_neighbours = 200, most_table_rows = 500, most_exported = 2000000;
constexpr int64_t most_selections = 64, most_corners = 20000, longest_name = 100;
constexpr int64_t density_side = 256;

/// What is no UTF-8 is replaced.
Response json(const ordered_json& value) {
  return {.body = value.dump(-1, ' ', false, ordered_json::error_handler_t::replace)};
}

template <class T>
Response binary(std::span<const T> values) {
  return {.type = "application/octet-stream",
          .body = {reinterpret_cast<const char*>(values.data()), values.size_bytes()}};
}

ordered_json rounded(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

ordered_json summary_json(const EmbeddingMap& of) {
  return {{"id", of.id()},
          {"encoder", of.encoder},
          {"method", of.method == Method::pca ? "PCA" : "UMAP"},
          {"objects", of.placed},
          {"trustworthiness", rounded(of.quality.trustworthiness)},
          {"preservation", rounded(of.quality.preservation)},
          {"k", of.quality.k},
          {"sampled", of.quality.objects}};
}

/// A text as a cell of CSV (RFC 4180).
std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

ordered_json parsed_body(const Request& request) {
  if (request.method != "POST") throw Error("expected POST");
  const ordered_json body = ordered_json::parse(request.body, nullptr, false);
  if (!body.is_object()) throw Error("the body must be a JSON object");
  return body;
}

std::string text_in(const ordered_json& body, const char* name, const std::string& fallback) {
  const auto found = body.find(name);
  if (found == body.end()) return fallback;
  if (!found->is_string()) throw Error(fmt::format("'{}' must be a text", name));
  return found->get<std::string>();
}

double number_in(const ordered_json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end() || !found->is_number()) throw Error(fmt::format("'{}' must be a number", name));
  return found->get<double>();
}

int64_t integer_in(const ordered_json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end() || !found->is_number_integer()) throw Error(fmt::format("'{}' must be a whole number", name));
  return found->get<int64_t>();
}

std::vector<std::array<double, 2>> polygon_in(const ordered_json& body) {
  const ordered_json& corners = body.at("polygon");
  if (!corners.is_array() || corners.size() < 3 || std::ssize(corners) > most_corners)
    throw Error(fmt::format("'polygon' must be a list of 3 to {} corners", most_corners));
  std::vector<std::array<double, 2>> polygon;
  for (const ordered_json& corner : corners) {
    if (!corner.is_array() || corner.size() != 2 || !corner[0].is_number() || !corner[1].is_number())
      throw Error("a corner of 'polygon' must be a list of two numbers");
    polygon.push_back({corner[0].get<double>(), corner[1].get<double>()});
  }
  return polygon;
}

/// All rows.
map::Mask every_row(int64_t rows) {
  map::Mask mask(static_cast<size_t>((rows + 63) / 64), ~uint64_t{0});
  if (rows % 64 != 0) mask.back() = (uint64_t{1} << (rows % 64)) - 1;
  return mask;
}

/// How rows join an earlier selection.
map::Mask joined(const map::Mask& earlier, map::Mask rows, const std::string& how) {
  for (size_t word = 0; word < rows.size(); ++word) {
    if (how == "union")
      rows[word] |= earlier[word];
    else if (how == "intersection")
      rows[word] &= earlier[word];
    else if (how == "difference")
      rows[word] = earlier[word] & ~rows[word];
    else
      throw Error(fmt::format("'how' must be one of union, intersection, difference, found '{}'", how));
  }
  return rows;
}

}  // namespace

Explorer::Explorer(const Embeddings& embeddings, const Catalogue& catalogue, ViewIndex& index)
    : embeddings_(embeddings), catalogue_(catalogue), index_(index) {}

Response Explorer::answer(const Request& request) {
  using Answer = Response (Explorer::*)(const Request&);
  using ConstAnswer = Response (Explorer::*)(const Request&) const;
  static const std::map<std::string, ConstAnswer> reading = {
      {"api/map", &Explorer::map_details},         {"api/tile", &Explorer::tile},
      {"api/values", &Explorer::tile_values},      {"api/density", &Explorer::density},
      {"api/column", &Explorer::column},           {"api/object", &Explorer::object},
      {"api/measurement", &Explorer::measurement}, {"api/neighbours", &Explorer::neighbours},
      {"api/nearest", &Explorer::nearest},         {"api/find", &Explorer::find},
  };
  static const std::map<std::string, Answer> selecting = {
      {"api/selected", &Explorer::tile_selected}, {"api/table", &Explorer::table},
      {"api/export.csv", &Explorer::exported},    {"api/select", &Explorer::select},
      {"api/forget", &Explorer::forget},
  };
  if (request.path == "api/state") return state();
  if (const auto found = reading.find(request.path); found != reading.end()) return (this->*found->second)(request);
  if (const auto found = selecting.find(request.path); found != selecting.end()) return (this->*found->second)(request);
  const std::string name = request.path.empty() ? "index.html" : request.path;
  for (const PageFile& file : page_files()) {
    if (file.name == name) return {.type = std::string(file.type), .body = std::string(file.text)};
  }
  throw serve::NotFound(fmt::format("there is nothing under '{}'", request.path));
}

void Explorer::set_work(const std::string& what, double share) {
  const std::scoped_lock lock(mutex_);
  work_ = what;
  share_ = share;
}

Response Explorer::state() {
  ordered_json maps = ordered_json::array(), columns = ordered_json::array(), selections = ordered_json::array();
  for (const auto& one : index_.maps()) maps.push_back(summary_json(*one));
  for (const Catalogue::Column& column : catalogue_.columns()) {
    columns.push_back({{"name", column.name}, {"unit", column.unit}, {"meaning", column.meaning}});
  }
  ordered_json encoders = ordered_json::array();
  for (const std::string& name : embeddings_.encoders()) {
    encoders.push_back({{"name", name}, {"width", embeddings_.width(name)}});
  }
  const std::scoped_lock lock(mutex_);
  for (const auto& [id, selection] : selections_) {
    selections.push_back({{"id", id}, {"name", selection.name}, {"count", selection.count}});
  }
  return json({{"file", std::filesystem::path(embeddings_.path()).filename().string()},
               {"objects", embeddings_.rows()},
               {"with_data", catalogue_.found()},
               {"model", embeddings_.attribute("model")},
               {"model_hash", embeddings_.attribute("model_hash")},
               {"embedding", embeddings_.attribute("embedding")},
               {"encoders", encoders},
               {"maps", maps},
               {"columns", columns},
               {"selections", selections},
               {"work", work_},
               {"share", share_}});
}

std::shared_ptr<const EmbeddingMap> Explorer::map_of(const Request& request) const {
  auto found = index_.find(request.text("map"));
  if (!found) throw serve::NotFound(fmt::format("there is no map '{}'", request.text("map")));
  return found;
}

const map::Tile& Explorer::tile_of(const EmbeddingMap& of, const Request& request) const {
  return of.tiles[static_cast<size_t>(request.integer("tile", 0, std::ssize(of.tiles) - 1))];
}

int64_t Explorer::row_of(const Request& request) const { return request.integer("row", 0, embeddings_.rows() - 1); }

Response Explorer::map_details(const Request& request) const {
  const auto of = map_of(request);
  ordered_json tiles = ordered_json::array();
  for (const map::Tile& tile : of->tiles) tiles.push_back({tile.level, tile.x, tile.y, tile.count, tile.below});
  ordered_json details = summary_json(*of);
  details["extent"] = {of->extent.left, of->extent.bottom, of->extent.side};
  details["cells"] = of->cells;
  details["tiles"] = tiles;
  return json(details);
}

/// x, then y, then rows of the points of a tile.
Response Explorer::tile(const Request& request) const {
  const auto of = map_of(request);
  const map::Tile& tile = tile_of(*of, request);
  const auto first = static_cast<size_t>(tile.first), count = static_cast<size_t>(tile.count);
  Response response = binary(of->row.subspan(first, count));
  response.body += binary(of->x.subspan(first, count)).body;
  response.body += binary(of->y.subspan(first, count)).body;
  return response;
}

Response Explorer::tile_values(const Request& request) const {
  const auto of = map_of(request);
  const map::Tile& tile = tile_of(*of, request);
  const auto all = catalogue_.values(request.text("column"));
  std::vector<float> values;
  for (const uint32_t row : of->row.subspan(static_cast<size_t>(tile.first), static_cast<size_t>(tile.count))) {
    values.push_back(all[row]);
  }
  return binary<float>(values);
}

/// A byte for each point of a tile: 1 where it is selected.
Response Explorer::tile_selected(const Request& request) {
  const auto of = map_of(request);
  const map::Tile& tile = tile_of(*of, request);
  const Selection chosen = selection(request.integer("selection", 1, INT64_MAX));
  std::vector<uint8_t> values;
  for (const uint32_t row : of->row.subspan(static_cast<size_t>(tile.first), static_cast<size_t>(tile.count))) {
    values.push_back(static_cast<uint8_t>(map::is_set(*chosen.mask, row)));
  }
  return binary<uint8_t>(values);
}

/// Counts in 256 × 256 squares of a part of the map, of which there are 2^level along each axis.
Response Explorer::density(const Request& request) const {
  const auto of = map_of(request);
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
  return binary<uint32_t>(counts);
}

Response Explorer::column(const Request& request) const {
  const ColumnSummary summary = summary_of(catalogue_.values(request.text("name")), bins);
  return json({{"name", request.text("name")},
               {"count", summary.count},
               {"least", summary.least},
               {"greatest", summary.greatest},
               {"low", summary.low},
               {"high", summary.high},
               {"histogram", summary.histogram}});
}

Response Explorer::object(const Request& request) const {
  const int64_t row = row_of(request);
  ordered_json labels = ordered_json::array(), positions = ordered_json::object(), encoders = ordered_json::array();
  ordered_json redshift = nullptr;
  for (const Catalogue::Column& column : catalogue_.columns()) {
    const double value = double{catalogue_.values(column.name)[static_cast<size_t>(row)]};
    labels.push_back(
        {{"name", column.name}, {"unit", column.unit}, {"meaning", column.meaning}, {"value", rounded(value)}});
    if (redshift.is_null() && probe::is_redshift(column.name)) redshift = rounded(value);
  }
  for (const auto& of : index_.maps()) {
    const auto at = static_cast<size_t>(2 * row);
    if (std::isfinite(of->positions[at])) positions[of->id()] = {of->positions[at], of->positions[at + 1]};
  }
  for (const std::string& name : embeddings_.encoders()) {
    if (std::isfinite(embeddings_.vector(name, row)[0])) encoders.push_back(name);
  }
  return json({{"row", row},
               {"id", embeddings_.id(row)},
               {"labels", labels},
               {"redshift", redshift},
               {"positions", positions},
               {"encoders", encoders}});
}

/// A JSON head, a line feed, and the values as float32.
Response Explorer::measurement(const Request& request) const {
  const std::string& field = request.text("field");
  if (field != "image" && field != "spectrum") throw serve::NotFound(fmt::format("there is no field '{}'", field));
  const auto measured = catalogue_.measurement(row_of(request), field);
  if (!measured) throw serve::NotFound(fmt::format("the data have no {} of this object", field));
  ordered_json head = {{"shape", std::vector<int64_t>(measured->shape.begin(), measured->shape.end())},
                       {"unit", measured->unit},
                       {"bands", measured->bands}};
  if (field == "spectrum") {
    head["first_wavelength"] = data::first_wavelength;
    head["wavelength_step"] = data::wavelength_step;
  }
  std::string text = head.dump();
  text.append(3 - text.size() % 4, ' ');
  Response response = binary<float>(measured->values);
  response.body.insert(0, text + "\n");
  return response;
}

Response Explorer::neighbours(const Request& request) const {
  const int64_t row = row_of(request), k = request.integer("k", 1, most_neighbours);
  const std::string &query = request.text("query"), &among = request.text("among");
  const auto vector = embeddings_.vector(query, row);
  if (embeddings_.width(among) != std::ssize(vector)) {
    throw Error(fmt::format("embeddings of '{}' and '{}' differ in width", query, among));
  }
  ordered_json list = ordered_json::array();
  if (std::isfinite(vector[0])) {
    for (const auto& [similar, cosine] : map::most_similar(vector, embeddings_.vectors(among), k, row)) {
      list.push_back({{"row", similar}, {"id", embeddings_.id(similar)}, {"cosine", cosine}});
    }
  }
  return json({{"query", query}, {"among", among}, {"neighbours", list}});
}

Response Explorer::nearest(const Request& request) const {
  const auto of = map_of(request);
  const int64_t row =
      map::nearest_row(of->positions, request.number("x"), request.number("y"), request.number("farthest"));
  return json({{"row", row < 0 ? ordered_json(nullptr) : ordered_json(row)}});
}

Response Explorer::find(const Request& request) const {
  const auto row = embeddings_.row_of(request.text("id"));
  if (!row) throw serve::NotFound(fmt::format("there is no object '{}'", request.text("id")));
  return json({{"row", *row}});
}

Explorer::Selection Explorer::selection(int64_t id) {
  const std::scoped_lock lock(mutex_);
  const auto found = selections_.find(id);
  if (found == selections_.end()) throw serve::NotFound(fmt::format("there is no selection {}", id));
  return found->second;
}

Response Explorer::table(const Request& request) {
  const int64_t id = request.integer("selection", 0, INT64_MAX);
  const int64_t first = request.integer("first", 0, embeddings_.rows()),
                most = request.integer("most", 1, most_table_rows);
  const Selection chosen = id > 0 ? selection(id) : Selection{};
  std::vector<int64_t> rows;
  if (id > 0)
    rows = map::rows_of(*chosen.mask, first, most);
  else
    for (int64_t row = first; row < std::min(first + most, embeddings_.rows()); ++row) rows.push_back(row);
  ordered_json lines = ordered_json::array();
  for (const int64_t row : rows) {
    ordered_json values = ordered_json::array();
    for (const Catalogue::Column& column : catalogue_.columns()) {
      values.push_back(rounded(double{catalogue_.values(column.name)[static_cast<size_t>(row)]}));
    }
    lines.push_back({{"row", row}, {"id", embeddings_.id(row)}, {"values", values}});
  }
  return json({{"total", id > 0 ? chosen.count : embeddings_.rows()}, {"first", first}, {"rows", lines}});
}

Response Explorer::exported(const Request& request) {
  const Selection chosen = selection(request.integer("selection", 1, INT64_MAX));
  if (chosen.count > most_exported) {
    throw Error(
        fmt::format("the selection has {} objects; at most {} can be exported at once", chosen.count, most_exported));
  }
  Response response{.type = "text/csv; charset=utf-8", .body = "object_id", .file_name = "selection.csv"};
  std::vector<std::span<const float>> columns;
  for (const Catalogue::Column& column : catalogue_.columns()) {
    response.body += "," + csv_cell(column.name);
    columns.push_back(catalogue_.values(column.name));
  }
  for (const auto& of : index_.maps()) response.body += "," + of->id() + "/x," + of->id() + "/y";
  const auto add = [&](float value) { response.body += std::isfinite(value) ? fmt::format(",{}", value) : ","; };
  const auto maps = index_.maps();
  for (const int64_t row : map::rows_of(*chosen.mask, 0, chosen.count)) {
    const auto at = static_cast<size_t>(row);
    response.body += "\r\n" + csv_cell(embeddings_.id(row));
    for (const auto& values : columns) add(values[at]);
    for (const auto& of : maps) {
      add(of->positions[2 * at]);
      add(of->positions[2 * at + 1]);
    }
  }
  response.body += "\r\n";
  return response;
}

/// {"map", "polygon"}, {"column", "low", "high"} or {"selection"} are the rows; with "earlier" and "how" they join an
/// earlier selection; "inverse" takes all others.
Response Explorer::select(const Request& request) {
  const ordered_json body = parsed_body(request);
  map::Mask rows;
  if (body.contains("polygon")) {
    const auto of = index_.find(text_in(body, "map", ""));
    if (!of) throw serve::NotFound("there is no such map");
    rows = map::inside(of->positions, polygon_in(body));
  } else if (body.contains("column")) {
    rows = map::within(catalogue_.values(text_in(body, "column", "")), number_in(body, "low"), number_in(body, "high"));
  } else {
    rows = *selection(integer_in(body, "selection")).mask;
  }
  const auto inverse = body.find("inverse");
  if (inverse != body.end() && *inverse == true)
    rows = joined(every_row(embeddings_.rows()), std::move(rows), "difference");
  if (body.contains("earlier")) {
    rows = joined(*selection(integer_in(body, "earlier")).mask, std::move(rows), text_in(body, "how", "union"));
  }
  const int64_t count = map::count_of(rows);
  std::string name = text_in(body, "name", "");
  if (std::ssize(name) > longest_name) throw Error(fmt::format("a name has at most {} letters", longest_name));
  const std::scoped_lock lock(mutex_);
  if (std::ssize(selections_) >= most_selections)
    throw Error(fmt::format("there are {} selections already; remove one", most_selections));
  const int64_t id = ++last_selection_;
  if (name.empty()) name = fmt::format("selection {}", id);
  selections_[id] = {name, count, std::make_shared<const map::Mask>(std::move(rows))};
  return json({{"id", id}, {"name", name}, {"count", count}});
}

Response Explorer::forget(const Request& request) {
  const int64_t id = integer_in(parsed_body(request), "selection");
  const std::scoped_lock lock(mutex_);
  if (selections_.erase(id) == 0) throw serve::NotFound(fmt::format("there is no selection {}", id));
  return json({{"id", id}});
}

}  // namespace astroclip::explore
