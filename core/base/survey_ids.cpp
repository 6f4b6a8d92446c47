#include "base/survey_ids.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>

#include "base/error.h"

namespace astroclip {

namespace {

uint64_t bits_of(const char* name, int64_t value, int bits, int first_bit) {
  const int64_t most = (int64_t{1} << bits) - 1;
  if (value < 0 || value > most) throw Error(fmt::format("{} must be 0 to {}, found {}", name, most, value));
  return static_cast<uint64_t>(value) << first_bit;
}

}  // namespace

int64_t desi_target_id(int64_t release, int64_t brick, int64_t object) {
  return static_cast<int64_t>(bits_of("RELEASE", release, 16, 42) | bits_of("BRICKID", brick, 20, 22) |
                              bits_of("OBJID", object, 22, 0));
}

uint64_t sdss_spectrum_id(int64_t plate, int64_t mjd, int64_t fiber, int64_t run2d) {
  return bits_of("PLATE", plate, 14, 50) | bits_of("FIBERID", fiber, 12, 38) |
         bits_of("MJD - 50000", mjd - 50000, 14, 24) | bits_of("RUN2D", run2d, 14, 10);
}

std::optional<int64_t> sdss_run2d(const std::string& text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  if (const auto read = std::from_chars(text.data(), end, number); read.ec == std::errc() && read.ptr == end)
    return number;
  int major = 0, minor = 0, patch = 0, used = 0;
  const int found = std::sscanf(text.c_str(), "v%2d_%2d_%2d%n", &major, &minor, &patch, &used);
  if (found != 3 || static_cast<size_t>(used) != text.size()) return {};
  return (major - 5) * 10000 + minor * 100 + patch;
}

}  // namespace astroclip
