#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "explore/catalogue.h"
#include "explore/latest.h"

namespace astroclip::explore {

/// Small pictures of objects as bytes for the page, the latest ones kept. Thread-safe.
class Thumbnails {
 public:
  explicit Thumbnails(const Catalogue& catalogue) : catalogue_(catalogue) {}

  /// The object's image: the letter 'i', its side as a byte, and red, green and blue of its pixels, the lowest row
  /// first. Of an object without one, or if the spectrum is wanted, its spectrum: 's', the number of values as a byte,
  /// and values from 0 to 255. Of an object with neither '-'.
  std::string of(int64_t row, bool spectrum_wanted) const;

 private:
  std::string made(int64_t row, bool spectrum_wanted) const;

  const Catalogue& catalogue_;
  mutable std::mutex mutex_;
  mutable Latest<std::pair<int64_t, bool>, std::string> kept_{size_t{8} << 20};
};

}  // namespace astroclip::explore
