// Galaxies of the user's own: how they are uploaded, and what is known of them.
#include <fmt/format.h>

#include <cmath>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "data/fields.h"
#include "explore/answers.h"
#include "explore/response_body.h"
#include "map/placer.h"
#include "probe/metrics.h"

namespace astroclip::explore {

using nlohmann::ordered_json;
using serve::Request;
using serve::Response;

namespace {

constexpr int64_t placing_neighbours = 15;  // that place an uploaded galaxy

/// The body holds the bytes of two FITS files, as many as the parameters say: an image, then a spectrum.
Response upload(const Explored& explored, const Request& request) {
  if (explored.own == nullptr) throw Error("galaxies are embedded where the program is started with --model");
  if (request.method != "POST") throw Error("expected POST");
  const auto size = std::ssize(request.body);
  const int64_t image = request.integer("image", 0, size), spectrum = request.integer("spectrum", 0, size);
  if (image + spectrum != size)
    throw Error(fmt::format("the body has {} bytes, expected {} and {}", size, image, spectrum));
  const std::string_view body = request.body;
  ordered_json added = ordered_json::array();
  for (const auto& galaxy :
       explored.own->add(body.substr(0, static_cast<size_t>(image)), body.substr(static_cast<size_t>(image))))
    added.push_back({{"id", galaxy->id}, {"name", galaxy->name}});
  return json_response({{"own", added}});
}

}  // namespace

/// Its labels as far as its file says them, and its places on the maps by its nearest.
Response own_object(const Explored& explored, const OwnGalaxies::Galaxy& galaxy) {
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
  for (const auto& [encoder, vector] : galaxy.vectors) {
    encoders.push_back(encoder);
    const auto near = explored.index.most_similar(vector, encoder, placing_neighbours);
    for (const auto& of : explored.index.maps()) {
      if (of->encoder != encoder) continue;
      if (const auto place = map::place_among(of->positions, near)) positions[of->id()] = *place;
    }
  }
  return json_response(
      {{"own", galaxy.id},
       {"id", galaxy.name},
       {"labels", labels},
       {"redshift", redshift},
       {"positions", positions},
       {"placed_by", placing_neighbours},
       {"notes", galaxy.notes},
       {"encoders", encoders},
       {"predictions", ordered_json::array()},
       {"measured", measured_json(explored.catalogue, Catalogue::Found{0, galaxy.input, galaxy.row})}});
}

Answers own_answers(const Explored& explored) { return answers_by<const Explored>(explored, {{upload_path, upload}}); }

}  // namespace astroclip::explore
