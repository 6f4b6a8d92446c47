#pragma once

#include <optional>
#include <string>
#include <utility>

#include "io/table/table.h"

/// Which columns of a table say what its rows are of, by their usual names. Capitals do not matter.
namespace astroclip::io {

/// Right ascension and declination in degrees: RA and DEC, TARGET_RA and TARGET_DEC, RAJ2000 and DEJ2000, and their
/// like.
std::optional<std::pair<std::string, std::string>> position_columns(const Table& table);
/// Identifiers: TARGETID, OBJECT_ID, SPECOBJID or ID.
std::optional<std::string> id_column(const Table& table);

}  // namespace astroclip::io
