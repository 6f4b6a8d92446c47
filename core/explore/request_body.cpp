#include "explore/request_body.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace astroclip::explore {

using nlohmann::ordered_json;

namespace {

constexpr int64_t most_corners = 20000, longest_name = 100, most_listed = 10000;
constexpr double farthest_corner = std::numeric_limits<float>::max();  // as positions on a map

}  // namespace

ordered_json parsed_body(const serve::Request& request) {
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
    for (const double place : polygon.back()) {
      if (std::abs(place) > farthest_corner)
        throw Error(
            fmt::format("a corner of 'polygon' must lie within {:.2g} of zero, found {}", farthest_corner, place));
    }
  }
  return polygon;
}

std::string name_in(const ordered_json& body) {
  const std::string name = text_in(body, "name", "");
  if (std::ssize(name) > longest_name) throw Error(fmt::format("a name has at most {} letters", longest_name));
  return name;
}

int64_t row_in(const ordered_json& body, int64_t count) {
  const int64_t row = integer_in(body, "row");
  if (row < 0 || row >= count) throw Error(fmt::format("'row' must be from 0 to {}, found {}", count - 1, row));
  return row;
}

map::Mask rows_in(const ordered_json& body, int64_t count) {
  const ordered_json& list = body.at("rows");
  if (!list.is_array() || std::ssize(list) > most_listed)
    throw Error(fmt::format("'rows' must be a list of at most {} rows", most_listed));
  map::Mask mask = map::no_row(count);
  for (const ordered_json& row : list) {
    if (!row.is_number_integer() || row < 0 || row >= count)
      throw Error(fmt::format("'rows' must be whole numbers from 0 to {}", count - 1));
    map::set(mask, row.get<int64_t>());
  }
  return mask;
}

}  // namespace astroclip::explore
