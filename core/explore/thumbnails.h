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

  /// Of an image the letter 'i', its side as a byte, and red, green and blue of its pixels, the lowest row first; of a
  /// spectrum 's', the number of values as a byte, and values from 0 to 255; '-' without either. It is of the field of
  /// that name; where the object has none, of its first image, or else of its first spectrum.
  std::string of(int64_t row, const std::string& field) const;

 private:
  std::string made(int64_t row, const std::string& field) const;

  const Catalogue& catalogue_;
  mutable std::mutex mutex_;
  mutable Latest<std::pair<int64_t, std::string>, std::string> kept_{size_t{8} << 20};
};

}  // namespace astroclip::explore
