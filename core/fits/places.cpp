#include "fits/places.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "io/table/table.h"

namespace astroclip::fits {

Places read_places(const std::string& path) {
  constexpr std::pair<const char*, const char*> position_columns[] = {
      {"ra", "dec"},           {"TARGET_RA", "TARGET_DEC"},    {"RAJ2000", "DEJ2000"},
      {"RA_ICRS", "DE_ICRS"},  {"ra_deg", "dec_deg"},          {"RACAT", "DECCAT"},
      {"PLUG_RA", "PLUG_DEC"}, {"ALPHA_J2000", "DELTA_J2000"}, {"right_ascension", "declination"}};
  const io::Table table = io::Table::open(path);
  Places places;
  for (const auto& [ra, dec] : position_columns) {
    if (!table.has(ra) || !table.has(dec)) continue;
    const std::vector<double> ras = table.read(ra).numbers(), decs = table.read(dec).numbers();
    for (size_t i = 0; i < ras.size(); ++i) places.positions.push_back({ras[i], decs[i]});
    break;
  }
  if (places.positions.empty()) {
    throw Error(fmt::format("{}: has no columns of positions (as ra and dec, in degrees); it has {}", path,
                            fmt::join(table.columns(), ", ")));
  }
  for (const char* name : {"TARGETID", "OBJECT_ID", "SPECOBJID", "ID"}) {
    if (!table.has(name)) continue;
    const io::Column column = table.read(name);
    for (int64_t row = 0; row < column.rows(); ++row) places.ids.push_back(column.text(row));
    places.id_name = name;
    break;
  }
  return places;
}

}  // namespace astroclip::fits
