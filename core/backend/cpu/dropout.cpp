#include <algorithm>
#include <array>

#include "backend/cpu/kernel.h"
#include "base/rng.h"
#include "base/threads.h"

namespace astroclip::cpu {

namespace {

constexpr int64_t words = 4;  // of one Philox block

}  // namespace

void CpuBackend::dropout(ConstView x, double p, uint64_t seed, View y) {
  expect_f32(x, "dropout");
  const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  const auto keep_scale = static_cast<float>(1.0 / (1.0 - p));
  const float* in = x.as<float>();
  float* out = y.as<float>();
  const int64_t size = x.numel(), blocks = (size + words - 1) / words;
  parallel_for(blocks, elementwise_grain / 16, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const auto drawn = philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0}, key);
      for (int64_t i = block * words; i < std::min(size, (block + 1) * words); ++i) {
        const bool kept = drawn[static_cast<size_t>(i % words)] * 0x1.0p-32 >= p;
        out[i] = in[i] * (kept ? keep_scale : 0.0f);
      }
    }
  });
}

}  // namespace astroclip::cpu
