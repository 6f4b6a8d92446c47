#include "explore/explorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/object_ids.h"
#include "data/fields.h"
#include "data/survey.h"
#include "explore/exported_table.h"
#include "explore/page.h"
#include "explore/request_body.h"
#include "explore/selection_table.h"
#include "map/placer.h"
#include "map/similar.h"
#include "probe/metrics.h"

namespace astroclip::explore {

namespace {

using nlohmann::ordered_json;
using serve::Request;
using serve::Response;

constexpr int64_t bins = 64;
constexpr int64_t most_neighbours = 200, most_table_rows = 500, most_examples = 100, most_thumbnails = 64;
constexpr int64_t placing_neighbours = 15;  // that place an uploaded galaxy
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
          {"method", of.method == Method::pca    ? "PCA"
                     : of.method == Method::umap ? "UMAP"
                                                 : "sky"},
          {"objects", of.placed},
          {"trustworthiness", rounded(of.quality.trustworthiness)},
          {"preservation", rounded(of.quality.preservation)},
          {"k", of.quality.k},
          {"sampled", of.quality.objects}};
}

/// A value of a table; integers that JavaScript would round are texts.
ordered_json json_cell(const io::Column& column, int64_t row) {
  if (column.is_missing(row)) return nullptr;
  const auto at = static_cast<size_t>(row);
  if (const auto* numbers = std::get_if<std::vector<double>>(&column.values)) return rounded((*numbers)[at]);
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&column.values)) {
    if (std::abs(static_cast<double>((*integers)[at])) < first_rounded) return (*integers)[at];
  }
  return column.text(row);
}

/// Which of image and spectrum an object of an input has.
ordered_json measured_json(const embed::Input* input, int64_t row) {
  ordered_json measured = ordered_json::array();
  for (const char* field : {"image", "spectrum"}) {
    if (input != nullptr && is_measured(*input, row, field)) measured.push_back(field);
  }
  return measured;
}

/// What is predicted of a row. The error is the posterior's, or the scatter of all that is predicted alike.
ordered_json predictions_json(const std::vector<Predicted>& all, int64_t row) {
  ordered_json list = ordered_json::array();
  for (const Predicted& one : all) {
    const auto place = std::ranges::lower_bound(one.rows, row);
    if (place == one.rows.end() || *place != row) continue;
    const auto at = static_cast<size_t>(place - one.rows.begin());
    const double value = double{one.predicted[at]};
    list.push_back({{"property", one.property},
                    {"from", one.from},
                    {"method", one.is_median ? one.method + ", median" : one.method},
                    {"value", rounded(value)},
                    {"error", rounded(one.errors.empty() ? one.scatter : double{one.errors[at]})},
                    {"error_of", one.errors.empty() ? one.known : 0},
                    {"residual", rounded(value - double{one.truth[at]})}});
  }
  return list;
}

/// A JSON head, a line feed, and values as float32.
Response with_head(const ordered_json& head, std::span<const float> values) {
  std::string text = head.dump();
  text.append(3 - text.size() % 4, ' ');
  Response response = binary<float>(values);
  response.body.insert(0, text + "\n");
  return response;
}

}  // namespace

Explorer::Explorer(const Embeddings& embeddings, const Catalogue& catalogue, ViewIndex& index, OwnGalaxies* own,
                   std::vector<Predicted> predictions)
    : embeddings_(embeddings),
      catalogue_(catalogue),
      index_(index),
      own_(own),
      columns_(embeddings, catalogue, index, std::move(predictions)),
      thumbnails_(catalogue),
      samp_(embeddings, catalogue, columns_, selections_, [this](const std::string& name, const map::Mask& rows) {
        return votable_text(table_of(embeddings_, columns_, index_, name, map::rows_of(rows, 0, map::count_of(rows))));
      }) {}

Response Explorer::answer(const Request& request) {
  using Answer = Response (Explorer::*)(const Request&);
  using ConstAnswer = Response (Explorer::*)(const Request&) const;
  static const std::map<std::string, ConstAnswer> reading = {
      {"api/map", &Explorer::map_details},
      {"api/tile", &Explorer::tile},
      {"api/values", &Explorer::tile_values},
      {"api/density", &Explorer::density},
      {"api/object", &Explorer::object},
      {"api/measurement", &Explorer::measurement},
      {"api/reconstruction", &Explorer::reconstruction},
      {"api/thumbnails", &Explorer::thumbnails},
      {"api/selected", &Explorer::tile_selected},
      {"api/table", &Explorer::table},
      {"api/column", &Explorer::column},
      {"api/neighbours", &Explorer::neighbours},
      {"api/nearest", &Explorer::nearest},
      {"api/find", &Explorer::find},
      {"api/similar", &Explorer::similar},
  };
  static const std::map<std::string, Answer> changing = {
      {"api/select", &Explorer::select}, {"api/forget", &Explorer::forget}, {"api/rename", &Explorer::rename},
      {"api/samp", &Explorer::samp},     {upload_path, &Explorer::upload},
  };
  if (request.path == "api/state") return state();
  if (request.path == "api/export.csv") return exported(request, Format::csv);
  if (request.path == "api/export.fits") return exported(request, Format::fits);
  if (request.path == "api/export.vot") return exported(request, Format::votable);
  if (const auto found = reading.find(request.path); found != reading.end()) return (this->*found->second)(request);
  if (const auto found = changing.find(request.path); found != changing.end()) return (this->*found->second)(request);
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
  for (const Catalogue::Column& column : columns_.all()) {
    columns.push_back({{"name", column.name},
                       {"unit", column.unit},
                       {"meaning", column.meaning},
                       {"text", column.kind == Catalogue::Column::Kind::text}});
  }
  ordered_json encoders = ordered_json::array();
  for (const std::string& name : embeddings_.encoders()) {
    encoders.push_back({{"name", name}, {"width", embeddings_.width(name)}});
  }
  ordered_json own = ordered_json::array();
  if (own_ != nullptr) {
    for (const auto& galaxy : own_->all()) own.push_back({{"id", galaxy->id}, {"name", galaxy->name}});
  }
  for (const Selection& one : selections_.all())
    selections.push_back({{"id", one.id}, {"name", one.name}, {"count", one.count}});
  const std::scoped_lock lock(mutex_);
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
               {"with_model", own_ != nullptr},
               {"reconstructs", own_ != nullptr && own_->reconstructs()},
               {"with_positions", catalogue_.position_columns().has_value()},
               {"own", own},
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

std::shared_ptr<const OwnGalaxies::Galaxy> Explorer::own_of(const Request& request) const {
  if (!request.query.contains("own")) return nullptr;
  const int64_t id = request.integer("own", 1, INT64_MAX);
  auto found = own_ == nullptr ? nullptr : own_->find(id);
  if (!found) throw serve::NotFound(fmt::format("there is no uploaded galaxy {}", id));
  return found;
}

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
  const auto all = columns_.values(request.text("column"));
  std::vector<float> of_tile;
  for (const uint32_t row : of->row.subspan(static_cast<size_t>(tile.first), static_cast<size_t>(tile.count))) {
    of_tile.push_back(all[row]);
  }
  return binary<float>(of_tile);
}

/// A byte for each point of a tile: 1 where it is selected.
Response Explorer::tile_selected(const Request& request) const {
  const auto of = map_of(request);
  const map::Tile& tile = tile_of(*of, request);
  const Selection chosen = selections_.find(request.integer("selection", 1, INT64_MAX));
  std::vector<uint8_t> values;
  for (const uint32_t row : of->row.subspan(static_cast<size_t>(tile.first), static_cast<size_t>(tile.count))) {
    values.push_back(static_cast<uint8_t>(map::is_set(*chosen.rows, row)));
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

/// With a selection how many of its rows are in each bin, too.
Response Explorer::column(const Request& request) const {
  const auto all = columns_.values(request.text("name"));
  const ColumnSummary summary = summary_of(all, bins);
  ordered_json answer = {{"name", request.text("name")},  {"count", summary.count}, {"least", summary.least},
                         {"greatest", summary.greatest},  {"low", summary.low},     {"high", summary.high},
                         {"histogram", summary.histogram}};
  if (request.query.contains("selection")) {
    const Selection chosen = selections_.find(request.integer("selection", 1, INT64_MAX));
    std::vector<float> some;
    for (const int64_t row : map::rows_of(*chosen.rows, 0, chosen.count)) some.push_back(all[static_cast<size_t>(row)]);
    answer["selected"] = histogram_of(some, summary.low, summary.high, bins);
  }
  return json(answer);
}

/// Its labels as far as its file says them, and its places on the maps by its nearest.
Response Explorer::own_object(const OwnGalaxies::Galaxy& galaxy) const {
  ordered_json labels = ordered_json::array(), positions = ordered_json::object(), encoders = ordered_json::array();
  ordered_json redshift = nullptr;
  const std::vector<int64_t> rows = {galaxy.row};
  for (const Field& field : galaxy.input.objects->fields()) {
    if (field.shape.rank() > 0 || field.name == "object_id" || field.name.starts_with("has_")) continue;
    const double value = data::read_label(*galaxy.input.objects, galaxy.input.split, rows, field.name)[0];
    if (!std::isfinite(value)) continue;
    labels.push_back({{"name", field.name}, {"unit", field.unit}, {"meaning", field.meaning}, {"value", value}});
    if (redshift.is_null() && probe::is_redshift(field.name)) redshift = value;
  }
  for (const auto& [encoder, vector] : galaxy.vectors) encoders.push_back(encoder);
  for (const auto& [encoder, vector] : galaxy.vectors) {
    const auto near = index_.most_similar(vector, encoder, placing_neighbours);
    for (const auto& of : index_.maps()) {
      if (of->encoder != encoder) continue;
      if (const auto place = map::place_among(of->positions, near)) positions[of->id()] = *place;
    }
  }
  return json({{"own", galaxy.id},
               {"id", galaxy.name},
               {"labels", labels},
               {"redshift", redshift},
               {"positions", positions},
               {"placed_by", placing_neighbours},
               {"notes", galaxy.notes},
               {"encoders", encoders},
               {"predictions", ordered_json::array()},
               {"measured", measured_json(&galaxy.input, galaxy.row)}});
}

/// The body holds the bytes of two FITS files, as many as the parameters say: an image, then a spectrum.
Response Explorer::upload(const Request& request) {
  if (own_ == nullptr) throw Error("galaxies are embedded where the program is started with --model");
  if (request.method != "POST") throw Error("expected POST");
  const auto size = std::ssize(request.body);
  const int64_t image = request.integer("image", 0, size), spectrum = request.integer("spectrum", 0, size);
  if (image + spectrum != size)
    throw Error(fmt::format("the body has {} bytes, expected {} and {}", size, image, spectrum));
  const std::string_view body = request.body;
  ordered_json added = ordered_json::array();
  for (const auto& galaxy :
       own_->add(body.substr(0, static_cast<size_t>(image)), body.substr(static_cast<size_t>(image))))
    added.push_back({{"id", galaxy->id}, {"name", galaxy->name}});
  return json({{"own", added}});
}

Response Explorer::object(const Request& request) const {
  if (const auto own = own_of(request)) return own_object(*own);
  const int64_t row = row_of(request);
  const std::vector<int64_t> rows = {row};
  ordered_json labels = ordered_json::array(), positions = ordered_json::object(), encoders = ordered_json::array();
  ordered_json redshift = nullptr;
  for (const Catalogue::Column& column : columns_.all()) {
    const ordered_json value = json_cell(columns_.read(column.name, rows), 0);
    labels.push_back({{"name", column.name}, {"unit", column.unit}, {"meaning", column.meaning}, {"value", value}});
    if (redshift.is_null() && value.is_number() && probe::is_redshift(column.name)) redshift = value;
  }
  for (const auto& of : index_.maps()) {
    const auto at = static_cast<size_t>(2 * row);
    if (std::isfinite(of->positions[at])) positions[of->id()] = {of->positions[at], of->positions[at + 1]};
  }
  for (const std::string& name : embeddings_.encoders()) {
    if (std::isfinite(embeddings_.vector(name, row)[0])) encoders.push_back(name);
  }
  const ordered_json predictions = predictions_json(columns_.predictions(), row);
  const auto found = catalogue_.find(row);
  return json({{"row", row},
               {"id", embeddings_.id(row)},
               {"labels", labels},
               {"redshift", redshift},
               {"positions", positions},
               {"encoders", encoders},
               {"predictions", predictions},
               {"measured", measured_json(found ? &found->input : nullptr, found ? found->input_row : 0)}});
}

Response Explorer::measurement(const Request& request) const {
  const std::string& field = request.text("field");
  if (field != "image" && field != "spectrum") throw serve::NotFound(fmt::format("there is no field '{}'", field));
  const auto own = own_of(request);
  const auto measured =
      own ? measurement_of(own->input, own->row, field) : catalogue_.measurement(row_of(request), field);
  if (!measured) throw serve::NotFound(fmt::format("the data have no {} of this object", field));
  ordered_json head = {{"shape", std::vector<int64_t>(measured->shape.begin(), measured->shape.end())},
                       {"unit", measured->unit},
                       {"bands", measured->bands}};
  if (field == "spectrum") {
    head["first_wavelength"] = data::first_wavelength;
    head["wavelength_step"] = data::wavelength_step;
  }
  if (measured->colours) {
    head["channels"] = ordered_json::array();  // of red, green and blue: band and scale
    const auto& [bands, stretch] = *measured->colours;
    for (const size_t part : {2, 1, 0}) head["channels"].push_back({bands[part], stretch.scales[part]});
    head["offset"] = stretch.offset;
    head["softening"] = stretch.softening;
  }
  return with_head(head, measured->values);
}

/// The spectrum as the model predicts its parts from the rest of it.
Response Explorer::reconstruction(const Request& request) const {
  if (own_ == nullptr || !own_->reconstructs()) throw serve::NotFound("there is no model that reconstructs spectra");
  const auto own = own_of(request);
  const auto found = own ? Catalogue::Found{0, own->input, own->row} : catalogue_.find(row_of(request));
  const std::vector<float> values = found ? own_->reconstruction(found->input, found->input_row) : std::vector<float>();
  if (values.empty()) throw serve::NotFound("the model reconstructs no spectrum of this object");
  return with_head(ordered_json::object(), values);
}

/// Those of "rows", numbers with commas between, one after another (explore/thumbnails.h); of spectra if "of" is
/// "spectrum".
Response Explorer::thumbnails(const Request& request) const {
  Response response{.type = "application/octet-stream"};
  const bool spectrum_wanted = request.text("of") == "spectrum";
  const std::vector<int64_t> rows = request.integers("rows", 0, embeddings_.rows() - 1, most_thumbnails);
  for (const int64_t row : rows) response.body += thumbnails_.of(row, spectrum_wanted);
  return response;
}

void Explorer::expect_width(const std::string& among, int64_t width, const std::string& query) const {
  if (embeddings_.width(among) == width) return;
  throw Error(fmt::format("embeddings of '{}' and '{}' differ in width", query, among));
}

/// Of one part of the rows, of which the answer tells the number; by each of the object's embeddings that is as wide as
/// those it is looked for among, or by "query" alone.
Response Explorer::neighbours(const Request& request) const {
  const int64_t k = request.integer("k", 1, most_neighbours);
  const std::string& among = request.text("among");
  const int64_t parts = index_.parts(among),
                part = request.query.contains("part") ? request.integer("part", 0, parts - 1) : 0;
  const auto own = own_of(request);
  const int64_t row = own ? -1 : row_of(request);
  const auto asked = request.query.find("query");
  std::vector<std::string> names;
  std::vector<std::span<const float>> queries;
  for (const std::string& name : embeddings_.encoders()) {
    const bool is_there = !own || own->vectors.contains(name);
    if (asked == request.query.end() ? !is_there || embeddings_.width(name) != embeddings_.width(among)
                                     : name != asked->second)
      continue;
    if (!is_there) throw Error(fmt::format("{} has no embedding of '{}'", own->name, name));
    expect_width(among, embeddings_.width(name), name);
    names.push_back(name);
    queries.push_back(own ? own->vectors.at(name) : embeddings_.vector(name, row));
  }
  if (names.empty()) throw Error("there are no such embeddings to look for neighbours by");
  const auto found = index_.most_similar(queries, among, part, k, row);
  ordered_json lists = ordered_json::object();
  for (size_t i = 0; i < names.size(); ++i) {
    ordered_json& list = lists[names[i]] = ordered_json::array();
    for (const auto& [similar, cosine] : found[i])
      list.push_back({{"row", similar}, {"id", embeddings_.id(similar)}, {"cosine", cosine}});
  }
  return json({{"among", among}, {"part", part}, {"parts", parts}, {"neighbours", lists}});
}

/// {"positive": […], "negative": […], "query", "among", "k"}: the nearest to examples, rows or {"own"}, that are
/// themselves left out.
Response Explorer::similar(const Request& request) const {
  const ordered_json body = parsed_body(request);
  const std::string query = text_in(body, "query", ""), among = text_in(body, "among", "");
  const int64_t k = std::clamp<int64_t>(integer_in(body, "k"), 1, most_neighbours);
  std::vector<int64_t> examples;
  std::array<std::vector<std::span<const float>>, 2> vectors;
  for (const auto& [name, found] : {std::pair("positive", &vectors[0]), std::pair("negative", &vectors[1])}) {
    const ordered_json list = body.value(name, ordered_json::array());
    if (!list.is_array() || std::ssize(list) > most_examples)
      throw Error(fmt::format("'{}' must be a list of at most {} examples", name, most_examples));
    for (const ordered_json& one : list) {
      if (one.is_object()) {
        const auto own = own_ == nullptr ? nullptr : own_->find(integer_in(one, "own"));
        if (!own || !own->vectors.contains(query))
          throw Error(fmt::format("an example has no embedding of '{}'", query));
        found->push_back(own->vectors.at(query));
      } else {
        if (!one.is_number_integer() || one < 0 || one >= embeddings_.rows()) throw Error("an example is no row");
        examples.push_back(one.get<int64_t>());
        found->push_back(embeddings_.vector(query, examples.back()));
      }
    }
  }
  const std::vector<float> direction = map::direction_of(vectors[0], vectors[1]);
  if (direction.empty()) throw Error(fmt::format("no positive example has an embedding of '{}'", query));
  expect_width(among, std::ssize(direction), query);
  ordered_json neighbours = ordered_json::array();
  for (const auto& [row, cosine] : index_.most_similar(direction, among, k + std::ssize(examples))) {
    if (std::ranges::find(examples, row) != examples.end() || std::ssize(neighbours) == k) continue;
    neighbours.push_back({{"row", row}, {"id", embeddings_.id(row)}, {"cosine", cosine}});
  }
  return json({{"query", query}, {"among", among}, {"neighbours", neighbours}});
}

Response Explorer::nearest(const Request& request) const {
  const auto of = map_of(request);
  const int64_t row =
      map::nearest_row(of->positions, request.number("x"), request.number("y"), request.number("farthest"));
  return json({{"row", row < 0 ? ordered_json(nullptr) : ordered_json(row)}});
}

/// By "id"; or the nearest to "ra", "dec" (degrees), within a minute of arc.
Response Explorer::find(const Request& request) const {
  if (request.query.contains("id")) {
    const auto row = embeddings_.row_of(request.text("id"));
    if (!row) throw serve::NotFound(fmt::format("there is no object '{}'", request.text("id")));
    return json({{"row", *row}});
  }
  if (!catalogue_.position_columns()) throw serve::NotFound("the data have no columns 'ra' and 'dec'");
  const auto near = columns_.nearest_on_sky(request.number("ra"), request.number("dec"));
  if (!near) throw serve::NotFound("no object is within a minute of arc of that position");
  return json({{"row", near->row}, {"separation", near->separation}});
}

Response Explorer::table(const Request& request) const {
  const int64_t id = request.integer("selection", 0, INT64_MAX);
  const int64_t first = request.integer("first", 0, embeddings_.rows()),
                most = request.integer("most", 1, most_table_rows);
  const Selection chosen = id > 0 ? selections_.find(id) : Selection{};
  std::vector<int64_t> rows;
  if (id > 0)
    rows = map::rows_of(*chosen.rows, first, most);
  else
    for (int64_t row = first; row < std::min(first + most, embeddings_.rows()); ++row) rows.push_back(row);
  std::vector<io::Column> columns;
  for (const Catalogue::Column& column : columns_.all()) columns.push_back(columns_.read(column.name, rows));
  ordered_json lines = ordered_json::array();
  for (size_t i = 0; i < rows.size(); ++i) {
    ordered_json values = ordered_json::array();
    for (const io::Column& column : columns) values.push_back(json_cell(column, static_cast<int64_t>(i)));
    lines.push_back({{"row", rows[i]}, {"id", embeddings_.id(rows[i])}, {"values", values}});
  }
  return json({{"total", id > 0 ? chosen.count : embeddings_.rows()}, {"first", first}, {"rows", lines}});
}

Response Explorer::exported(const Request& request, Format format) const {
  const Selection chosen = selections_.find(request.integer("selection", 1, INT64_MAX));
  const ExportedTable table =
      table_of(embeddings_, columns_, index_, chosen.name, map::rows_of(*chosen.rows, 0, chosen.count));
  switch (format) {
    case Format::csv:
      return {"text/csv; charset=utf-8", csv_text(table), "selection.csv"};
    case Format::fits:
      return {"application/fits", fits_bytes(table), "selection.fits"};
    case Format::votable:
      return {"application/x-votable+xml", votable_text(table), "selection.vot"};
  }
  return {};
}

/// {"map", "polygon"}, {"column", "low", "high"}, {"where"}, {"rows"} or {"selection"} are the rows; with "earlier" and
/// "how" they join an earlier selection; "inverse" takes all others.
Response Explorer::select(const Request& request) {
  const ordered_json body = parsed_body(request);
  map::Mask rows;
  if (body.contains("polygon")) {
    const auto of = index_.find(text_in(body, "map", ""));
    if (!of) throw serve::NotFound("there is no such map");
    rows = map::inside(of->positions, polygon_in(body));
  } else if (body.contains("column")) {
    rows = map::within(columns_.values(text_in(body, "column", "")), number_in(body, "low"), number_in(body, "high"));
  } else if (body.contains("where")) {
    rows = columns_.where(text_in(body, "where", ""));
  } else if (body.contains("rows")) {
    rows = rows_in(body, embeddings_.rows());
  } else {
    rows = *selections_.find(integer_in(body, "selection")).rows;
  }
  const auto inverse = body.find("inverse");
  if (inverse != body.end() && *inverse == true)
    rows = joined(map::every_row(embeddings_.rows()), std::move(rows), "difference");
  if (body.contains("earlier")) {
    rows = joined(*selections_.find(integer_in(body, "earlier")).rows, std::move(rows), text_in(body, "how", "union"));
  }
  const Selection made = selections_.add(name_in(body), std::move(rows));
  return json({{"id", made.id}, {"name", made.name}, {"count", made.count}});
}

Response Explorer::rename(const Request& request) {
  const ordered_json body = parsed_body(request);
  const int64_t id = integer_in(body, "selection");
  const std::string name = name_in(body);
  if (name.empty()) throw Error("a selection needs a name");
  selections_.rename(id, name);
  return json({{"id", id}, {"name", name}});
}

Response Explorer::forget(const Request& request) {
  const int64_t id = integer_in(parsed_body(request), "selection");
  selections_.remove(id);
  return json({{"id", id}});
}

/// What has come from other programs "after" a number; by POST {"do": "connect", "disconnect", "table" (of "selection",
/// or of all), "show" ("row") or "select" ("selection")}.
Response Explorer::samp(const Request& request) {
  if (request.method == "GET") return json(samp_.state(request.integer("after", 0, INT64_MAX)));
  const ordered_json body = parsed_body(request);
  const std::string action = text_in(body, "do", "");
  const auto chosen = [&] { return selections_.find(integer_in(body, "selection")); };
  std::vector<std::string> programs;
  if (action == "connect") {
    samp_.connect();
  } else if (action == "disconnect") {
    samp_.disconnect();
  } else if (action == "table" && body.contains("selection")) {
    programs = samp_.send_table(chosen().name, chosen().rows);
  } else if (action == "table") {
    programs = samp_.send_table(std::filesystem::path(embeddings_.path()).filename().string(),
                                std::make_shared<const map::Mask>(map::every_row(embeddings_.rows())));
  } else if (action == "show") {
    programs = samp_.show(row_in(body, embeddings_.rows()));
  } else if (action == "select") {
    programs = samp_.select(*chosen().rows);
  } else {
    throw Error(fmt::format("'do' must be one of connect, disconnect, table, show, select, found '{}'", action));
  }
  return json({{"programs", programs}});
}

}  // namespace astroclip::explore
