#include "explore/thumbnails.h"

#include <algorithm>
#include <cmath>

#include "evaluate/pictures.h"

namespace astroclip::explore {

namespace {

constexpr int64_t longest_side = 76;  // pixels, and values of a spectrum

std::string image_bytes(const Measurement& image) {
  const int64_t least = std::min(image.shape[1], image.shape[2]), step = (least + longest_side - 1) / longest_side,
                side = least / step;
  const std::vector<float> rgb = evaluate::picture_of(image.values, image.shape, *image.colours, side, step);
  std::string bytes = {'i', static_cast<char>(side)};
  const auto plane = static_cast<size_t>(side * side);
  for (size_t pixel = 0; pixel < plane; ++pixel) {
    for (size_t part = 0; part < 3; ++part)
      bytes += static_cast<char>(static_cast<unsigned char>(std::lround(255.0F * rgb[part * plane + pixel])));
  }
  return bytes;
}

std::string spectrum_bytes(const Measurement& spectrum) {
  const std::vector<float> means =
      evaluate::binned(spectrum.values, (std::ssize(spectrum.values) + longest_side - 1) / longest_side);
  std::vector<float> known;
  std::ranges::copy_if(means, std::back_inserter(known), [](float mean) { return std::isfinite(mean); });
  if (known.empty()) return "-";
  const auto [low, high] = std::ranges::minmax(known);
  const float span = high > low ? high - low : 1.0F;
  std::string bytes = {'s', static_cast<char>(means.size())};
  for (const float mean : means)
    bytes += static_cast<char>(
        static_cast<unsigned char>(std::isfinite(mean) ? std::lround(255.0F * (mean - low) / span) : 0));
  return bytes;
}

}  // namespace

std::string Thumbnails::of(int64_t row, const std::string& field) const {
  const std::pair key(row, field);
  {
    const std::scoped_lock lock(mutex_);
    if (const std::string* known = kept_.find(key)) return *known;
  }
  std::string bytes = made(row, field);
  const std::scoped_lock lock(mutex_);
  const size_t size = bytes.size();
  return kept_.add(key, std::move(bytes), size);
}

std::string Thumbnails::made(int64_t row, const std::string& field) const {
  const auto found = catalogue_.find(row);
  if (!found) return "-";
  auto measured = catalogue_.measurement(found->input, found->input_row, field);
  if (!measured) {
    const std::vector<Measured> others = catalogue_.measured(found->input, found->input_row);
    if (others.empty()) return "-";
    measured = catalogue_.measurement(found->input, found->input_row, others.front().field);
  }
  return measured->colours ? image_bytes(*measured) : spectrum_bytes(*measured);
}

}  // namespace astroclip::explore
