#include "fits/places.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"

namespace astroclip::fits {

std::optional<std::pair<std::string, std::string>> position_columns(const io::Table& table) {
  constexpr std::pair<const char*, const char*> names[] = {
      {"ra", "dec"},           {"TARGET_RA", "TARGET_DEC"},    {"RAJ2000", "DEJ2000"},
      {"RA_ICRS", "DE_ICRS"},  {"ra_deg", "dec_deg"},          {"RACAT", "DECCAT"},
      {"PLUG_RA", "PLUG_DEC"}, {"ALPHA_J2000", "DELTA_J2000"}, {"right_ascension", "declination"}};
  for (const auto& [ra, dec] : names) {
    if (table.has(ra) && table.has(dec)) return std::pair<std::string, std::string>(ra, dec);
  }
  return std::nullopt;
}

std::optional<std::string> id_column(const io::Table& table) {
  for (const char* name : {"TARGETID", "OBJECT_ID", "SPECOBJID", "ID"}) {
    if (table.has(name)) return name;
  }
  return std::nullopt;
}

Places read_places(const std::string& path) {
  const io::Table table = io::Table::open(path);
  const auto columns = position_columns(table);
  if (!columns) {
    throw Error(fmt::format("{}: has no columns of positions (as ra and dec, in degrees); it has {}", path,
                            fmt::join(table.columns(), ", ")));
  }
  Places places;
  const std::vector<double> ras = table.read(columns->first).numbers(), decs = table.read(columns->second).numbers();
  for (size_t i = 0; i < ras.size(); ++i) places.positions.push_back({ras[i], decs[i]});
  if (const auto id = id_column(table)) {
    const io::Column column = table.read(*id);
    for (int64_t row = 0; row < column.rows(); ++row) places.ids.push_back(column.text(row));
    places.id_name = *id;
  }
  return places;
}

}  // namespace astroclip::fits
