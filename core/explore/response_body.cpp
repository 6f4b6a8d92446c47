#include "explore/response_body.h"

#include <cmath>
#include <string>
#include <vector>

#include "base/object_ids.h"

namespace astroclip::explore {

using nlohmann::ordered_json;
using serve::Response;

Response json_response(const ordered_json& value) {
  return {.body = value.dump(-1, ' ', false, ordered_json::error_handler_t::replace)};
}

Response headed_response(const ordered_json& head, std::span<const float> values) {
  std::string text = head.dump();
  text.append(3 - text.size() % 4, ' ');
  Response response = binary_response(values);
  response.body.insert(0, text + "\n");
  return response;
}

ordered_json json_number(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

ordered_json json_cell(const io::Column& column, int64_t row) {
  if (column.is_missing(row)) return nullptr;
  const auto at = static_cast<size_t>(row);
  if (const auto* numbers = std::get_if<std::vector<double>>(&column.values)) return json_number((*numbers)[at]);
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&column.values)) {
    if (std::abs(static_cast<double>((*integers)[at])) < first_rounded) return (*integers)[at];
  }
  return column.text(row);
}

ordered_json json_summary(const EmbeddingMap& of) {
  return {{"id", of.id()},
          {"encoder", of.encoder},
          {"method", of.method == Method::pca    ? "PCA"
                     : of.method == Method::umap ? "UMAP"
                                                 : "sky"},
          {"objects", of.placed},
          {"trustworthiness", json_number(of.quality.trustworthiness)},
          {"preservation", json_number(of.quality.preservation)},
          {"k", of.quality.k},
          {"sampled", of.quality.objects}};
}

}  // namespace astroclip::explore
