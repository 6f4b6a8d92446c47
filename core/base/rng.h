#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace astroclip {

/// Random streams by purpose; they never overlap. The numbers are part of a
/// run's reproducibility: append, never renumber.
enum class RngStream : uint32_t {
  weights = 1,
  batches = 2,
  augmentation = 3,
  masks = 4,
  dropout = 5,
  simulation = 6,
  probes = 7,
  tests = 8,
  bootstrap = 9,
  validation = 10,
};

/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the block of four
/// random words at `counter` under `key`.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// A counter-based random stream keyed by (seed, stream, step, sample). The same key gives the same
/// numbers on every thread, in any order, after any interruption.
class Rng {
 public:
  Rng(uint64_t seed, RngStream stream, uint64_t step = 0, uint64_t sample = 0);

  uint32_t next();
  /// Uniform in [0, 1) with 53 random bits.
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal (Box-Muller).
  double normal();
  /// Uniform integer in [0, count), without bias; count > 0.
  int64_t below(int64_t count);
  /// Puts `values` in a random order, every order as likely as any other (Fisher & Yates).
  template <class T>
  void shuffle(std::span<T> values) {
    for (size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[static_cast<size_t>(below(static_cast<int64_t>(i)))]);
    }
  }

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
  double spare_ = 0.0;
  bool has_spare_ = false;
};

/// A stable 64-bit hash of a name (FNV-1a), to key a stream by a parameter's name.
uint64_t stable_hash(std::string_view text);

}  // namespace astroclip
