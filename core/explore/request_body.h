#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "map/selecting.h"
#include "serve/http_server.h"

namespace astroclip::explore {

// What a request's body says. All throw Error naming the field where it is something else.

/// The body of a POST, a JSON object.
nlohmann::ordered_json parsed_body(const serve::Request& request);
std::string text_in(const nlohmann::ordered_json& body, const char* name, const std::string& fallback);
double number_in(const nlohmann::ordered_json& body, const char* name);
int64_t integer_in(const nlohmann::ordered_json& body, const char* name);
/// "polygon": at least three corners [x, y].
std::vector<std::array<double, 2>> polygon_in(const nlohmann::ordered_json& body);
/// "name", "" where there is none.
std::string name_in(const nlohmann::ordered_json& body);
/// "row" of a file that has `count`.
int64_t row_in(const nlohmann::ordered_json& body, int64_t count);
/// "rows" of a file that has `count`.
map::Mask rows_in(const nlohmann::ordered_json& body, int64_t count);

}  // namespace astroclip::explore
