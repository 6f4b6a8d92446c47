#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>

#include "explore/view_index.h"
#include "io/table/column.h"
#include "serve/http_server.h"

namespace astroclip::explore {

// What a response's body says.

/// JSON. What is no UTF-8 is replaced.
serve::Response json_response(const nlohmann::ordered_json& value);
/// Values as they lie in memory.
template <class T>
serve::Response binary_response(std::span<const T> values) {
  return {.type = "application/octet-stream",
          .body = {reinterpret_cast<const char*>(values.data()), values.size_bytes()}};
}
/// A JSON head, a line feed at a multiple of four bytes, and values as float32.
serve::Response headed_response(const nlohmann::ordered_json& head, std::span<const float> values);

/// null for what is not finite.
nlohmann::ordered_json json_number(double value);
/// A value of a table; integers that JavaScript would round are texts.
nlohmann::ordered_json json_cell(const io::Column& column, int64_t row);
/// A map without its tiles.
nlohmann::ordered_json json_summary(const EmbeddingMap& of);

}  // namespace astroclip::explore
