#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "map/similar.h"
#include "tensor/matrix.h"

namespace astroclip::nn {
class Mlp;
}

namespace astroclip::map {

/// Where a row belongs on a map by its neighbours: the mean of their positions [rows, 2], weighted by the inverse of
/// their distances as unit vectors, √(2 − 2 cosine); neighbours at distance 0 decide alone. None without neighbours on
/// the map.
std::optional<std::array<double, 2>> place_among(std::span<const float> positions, std::span<const Similar> neighbours);

/// A small network that places rows on a map: a map that was made of some rows, distilled, so that others are placed
/// in a moment and always at the same place.
class Placer {
 public:
  struct Options {
    int64_t steps = 8000;  ///< of Adam
    int64_t batch = 256;
    uint64_t seed = 1;
  };
  /// Fits the network to positions [rows, 2] by the mean squared error. `progress` is told the share that is done, and
  /// may throw to end the work. Throws Error when the numbers of rows differ, and without rows.
  Placer(const Matrix& rows, const Matrix& positions, const Options& options,
         const std::function<void(double share)>& progress = {});
  ~Placer();
  Placer(const Placer&) = delete;
  Placer& operator=(const Placer&) = delete;

  /// Positions [rows, 2]. Throws Error when rows are of another width.
  Matrix place(const Matrix& rows) const;

 private:
  Matrix scaled(const Matrix& rows) const;

  std::unique_ptr<nn::Mlp> network_;
  std::vector<double> means_, factors_;  ///< of the rows' columns
  std::vector<double> centre_, extent_;  ///< of the positions' two
};

}  // namespace astroclip::map
