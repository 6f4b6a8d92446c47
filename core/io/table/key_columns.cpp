#include "io/table/key_columns.h"

namespace astroclip::io {

std::optional<std::pair<std::string, std::string>> position_columns(const Table& table) {
  constexpr std::pair<const char*, const char*> names[] = {
      {"ra", "dec"},           {"TARGET_RA", "TARGET_DEC"},    {"RAJ2000", "DEJ2000"},
      {"RA_ICRS", "DE_ICRS"},  {"ra_deg", "dec_deg"},          {"RACAT", "DECCAT"},
      {"PLUG_RA", "PLUG_DEC"}, {"ALPHA_J2000", "DELTA_J2000"}, {"right_ascension", "declination"}};
  for (const auto& [ra, dec] : names) {
    if (table.has(ra) && table.has(dec)) return std::pair<std::string, std::string>(ra, dec);
  }
  return std::nullopt;
}

std::optional<std::string> id_column(const Table& table) {
  for (const char* name : {"TARGETID", "OBJECT_ID", "SPECOBJID", "ID"}) {
    if (table.has(name)) return name;
  }
  return std::nullopt;
}

}  // namespace astroclip::io
