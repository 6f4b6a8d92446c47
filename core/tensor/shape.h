#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace astroclip {

/// The extents of a tensor, outermost first; at most six axes. The empty shape is a scalar.
class Shape {
 public:
  static constexpr int max_rank = 6;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  /// Throws Error for more than six axes or a negative extent.
  explicit Shape(std::span<const int64_t> extents);

  int rank() const { return rank_; }
  int64_t numel() const;
  /// The extent of an axis; negative axes count from the last. Throws Error if there is no such axis.
  int64_t operator[](int axis) const;
  /// The same shape with one extent replaced.
  Shape with(int axis, int64_t extent) const;
  std::span<const int64_t> extents() const { return {extents_.data(), static_cast<size_t>(rank_)}; }
  const int64_t* begin() const { return extents_.data(); }
  const int64_t* end() const { return extents_.data() + rank_; }
  bool operator==(const Shape& other) const = default;
  /// "[2, 3, 144, 144]"
  std::string str() const;

 private:
  std::array<int64_t, max_rank> extents_{};
  int rank_ = 0;
};

}  // namespace astroclip
