#include "explore/selection_table.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/error.h"

namespace astroclip::explore {

ExportedTable table_of(const Embeddings& embeddings, const Columns& columns, const ViewIndex& index,
                       const std::string& name, std::span<const int64_t> rows) {
  if (std::ssize(rows) > most_exported) {
    throw Error(
        fmt::format("'{}' has {} objects; at most {} leave the program at once", name, rows.size(), most_exported));
  }
  ExportedTable table{.facts = {{"embeddings", std::filesystem::path(embeddings.path()).filename().string()},
                                {"model", embeddings.attribute("model")},
                                {"model_hash", embeddings.attribute("model_hash")},
                                {"selection", name}},
                      .columns = {}};
  table.columns.push_back({columns.read("object_id", rows)});
  for (const Catalogue::Column& column : columns.all()) {
    table.columns.push_back(
        {columns.read(column.name, rows), column.unit, column.meaning, column.kind == Catalogue::Column::Kind::single});
  }
  for (const auto& of : index.maps()) {
    if (of->method == Method::sky) continue;  // the data have the positions
    for (const size_t axis : {0, 1}) {
      std::vector<double> values;
      for (const int64_t row : rows) values.push_back(double{of->positions[2 * static_cast<size_t>(row) + axis]});
      const std::string method = of->method == Method::pca ? "pca" : "umap";
      io::Column column{.name = fmt::format("{}_{}_{}", of->encoder, method, axis == 0 ? "x" : "y"), .place = {}};
      column.values = std::move(values);
      table.columns.push_back({std::move(column), "", "position on the map", true});
    }
  }
  return table;
}

}  // namespace astroclip::explore
