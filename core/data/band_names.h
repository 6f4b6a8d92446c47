#pragma once

#include <string>
#include <vector>

/// Names of photometric bands, in the spellings that files have.
namespace astroclip::data {

/// One band: u, g, r, i, z or y where the text says so ("G", "HSC-R2", "MzLS-z", "g-band", "g DECam SDSS c0001 4720.0
/// 1520.0", BASS's "bokr" and MzLS's "zd"), else the text as it is ("F814W", "Bessell R"); "" of blanks.
std::string band_of(const std::string& text);

/// Several, as one letter each ("griz") or with commas or blanks between ("VIS,Y,J,H").
std::vector<std::string> bands_of(const std::string& text);

/// Words of letters and digits in a text, in lower case.
std::vector<std::string> lower_words(const std::string& text);

/// The one band that a name has as a word of one letter ("legacysurvey-1800p050-image-g.fits.fz", "IMAGE_G"); "" if
/// there is none or are several.
std::string band_in_name(const std::string& name);

}  // namespace astroclip::data
