// Objects: what is known of one, its measurements and small pictures, and which one an identifier or a position names.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "explore/answers.h"
#include "explore/response_body.h"
#include "probe/metrics.h"

namespace astroclip::explore {

namespace {

using nlohmann::ordered_json;
using serve::Request;
using serve::Response;

constexpr int64_t most_thumbnails = 64;

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
                    {"value", json_number(value)},
                    {"error", json_number(one.errors.empty() ? one.scatter : double{one.errors[at]})},
                    {"error_of", one.errors.empty() ? one.known : 0},
                    {"residual", json_number(value - double{one.truth[at]})}});
  }
  return list;
}

Response object(const Explored& explored, const Request& request) {
  if (const auto own = explored.own_of(request)) return own_object(explored, *own);
  const int64_t row = explored.row_of(request);
  const std::vector<int64_t> rows = {row};
  ordered_json labels = ordered_json::array(), positions = ordered_json::object(), encoders = ordered_json::array();
  ordered_json redshift = nullptr;
  for (const Catalogue::Column& column : explored.columns.all()) {
    const ordered_json value = json_cell(explored.columns.read(column.name, rows), 0);
    labels.push_back({{"name", column.name}, {"unit", column.unit}, {"meaning", column.meaning}, {"value", value}});
    if (redshift.is_null() && value.is_number() && probe::is_redshift(column.name)) redshift = value;
  }
  for (const auto& of : explored.index.maps()) {
    const auto at = static_cast<size_t>(2 * row);
    if (std::isfinite(of->positions[at])) positions[of->id()] = {of->positions[at], of->positions[at + 1]};
  }
  for (const std::string& name : explored.embeddings.encoders()) {
    if (std::isfinite(explored.embeddings.vector(name, row)[0])) encoders.push_back(name);
  }
  return json_response({{"row", row},
                        {"id", explored.embeddings.id(row)},
                        {"labels", labels},
                        {"redshift", redshift},
                        {"positions", positions},
                        {"encoders", encoders},
                        {"predictions", predictions_json(explored.columns.predictions(), row)},
                        {"measured", measured_json(explored.catalogue, explored.found(request))}});
}

Response measurement(const Explored& explored, const Request& request) {
  const std::string& field = request.text("field");
  const auto found = explored.found(request);
  const auto measured = found ? explored.catalogue.measurement(found->input, found->input_row, field) : std::nullopt;
  if (!measured) throw serve::NotFound(fmt::format("the data have no '{}' of this object that can be drawn", field));
  ordered_json head = {{"shape", std::vector<int64_t>(measured->shape.begin(), measured->shape.end())},
                       {"unit", measured->unit},
                       {"bands", measured->bands}};
  if (measured->shape.rank() == 1) {
    head["first_wavelength"] = measured->first_wavelength;
    head["wavelength_step"] = measured->wavelength_step;
  }
  if (measured->colours) {
    head["channels"] = ordered_json::array();  // of red, green and blue: band and scale
    const auto& [bands, stretch] = *measured->colours;
    for (const size_t part : {2, 1, 0}) head["channels"].push_back({bands[part], stretch.scales[part]});
    head["offset"] = stretch.offset;
    head["softening"] = stretch.softening;
  }
  return headed_response(head, measured->values);
}

/// The spectrum "field" as the model predicts its parts from the rest of it.
Response reconstruction(const Explored& explored, const Request& request) {
  const std::string& field = request.text("field");
  const auto found = explored.found(request);
  const std::vector<float> values = explored.own != nullptr && found
                                        ? explored.own->reconstruction(field, found->input, found->input_row)
                                        : std::vector<float>();
  if (values.empty()) throw serve::NotFound(fmt::format("no model reconstructs the '{}' of this object", field));
  return headed_response(ordered_json::object(), values);
}

/// Those of "rows", numbers with commas between, one after another, as explore/thumbnails.h makes them of the field
/// "of".
Response thumbnails(const Explored& explored, const Request& request) {
  Response response{.type = "application/octet-stream"};
  for (const int64_t row : request.integers("rows", 0, explored.embeddings.rows() - 1, most_thumbnails))
    response.body += explored.thumbnails.of(row, request.text("of"));
  return response;
}

/// By "id"; or the nearest to "ra", "dec" (degrees), within a minute of arc.
Response find(const Explored& explored, const Request& request) {
  if (request.query.contains("id")) {
    const auto row = explored.embeddings.row_of(request.text("id"));
    if (!row) throw serve::NotFound(fmt::format("there is no object '{}'", request.text("id")));
    return json_response({{"row", *row}});
  }
  if (!explored.catalogue.position_columns()) throw serve::NotFound("the data have no columns 'ra' and 'dec'");
  const auto near = explored.columns.nearest_on_sky(request.number("ra"), request.number("dec"));
  if (!near) throw serve::NotFound("no object is within a minute of arc of that position");
  return json_response({{"row", near->row}, {"separation", near->separation}});
}

}  // namespace

ordered_json measured_json(const Catalogue& catalogue, const std::optional<Catalogue::Found>& object) {
  ordered_json list = ordered_json::array();
  if (!object) return list;
  for (const auto& [field, is_image] : catalogue.measured(object->input, object->input_row))
    list.push_back({{"field", field}, {"kind", is_image ? "image" : "spectrum"}});
  return list;
}

Answers object_answers(const Explored& explored) {
  return answers_by<const Explored>(explored, {{"api/object", object},
                                               {"api/measurement", measurement},
                                               {"api/reconstruction", reconstruction},
                                               {"api/thumbnails", thumbnails},
                                               {"api/find", find}});
}

}  // namespace astroclip::explore
