#pragma once

#include <cstdint>
#include <optional>
#include <string>

/// Identifiers of surveys that are made of several numbers.
namespace astroclip {

/// DESI's TARGETID of a source of the Legacy Surveys, as desitarget's encode_targetid makes it: OBJID from bit 0 (22
/// bits), BRICKID from 22 (20), RELEASE from 42 (16). Throws Error naming the number that does not fit.
int64_t desi_target_id(int64_t release, int64_t brick, int64_t object);

/// SDSS's SPECOBJID since DR8, as idlutils' sdss_specobjid makes it: RUN2D from bit 10 (14 bits), MJD − 50000 from 24
/// (14), FIBERID from 38 (12), PLATE from 50 (14). Throws Error naming the number that does not fit.
uint64_t sdss_spectrum_id(int64_t plate, int64_t mjd, int64_t fiber, int64_t run2d);

/// RUN2D as a number: "103" is 103, "vN_M_P" is (N − 5) · 10000 + M · 100 + P; none if it is neither.
std::optional<int64_t> sdss_run2d(const std::string& text);

}  // namespace astroclip
