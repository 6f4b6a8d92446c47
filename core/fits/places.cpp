#include "fits/places.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "io/table/key_columns.h"

namespace astroclip::fits {

Places read_places(const std::string& named) {
  const io::Table table = io::Table::open_named(named);
  const auto columns = io::position_columns(table);
  if (!columns) {
    throw Error(fmt::format("{}: has no columns of positions (as ra and dec, in degrees); it has {}", named,
                            fmt::join(table.columns(), ", ")));
  }
  Places places;
  const std::vector<double> ras = table.degrees(columns->first).numbers(),
                            decs = table.degrees(columns->second).numbers();
  for (size_t i = 0; i < ras.size(); ++i) places.positions.push_back({ras[i], decs[i]});
  if (const auto id = io::id_column(table)) {
    const io::Column column = table.read(*id);
    for (int64_t row = 0; row < column.rows(); ++row) places.ids.push_back(column.text(row));
    places.id_name = *id;
  }
  return places;
}

}  // namespace astroclip::fits
