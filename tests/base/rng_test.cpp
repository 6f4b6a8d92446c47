#include "base/rng.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <span>

namespace astroclip {
namespace {

// The known-answer vectors of the Random123 distribution for philox4x32-10.
TEST(Philox, KnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, StreamsDifferByEveryKeyPart) {
  const uint32_t reference = Rng(1, RngStream::masks, 2, 3).next();
  EXPECT_EQ(Rng(1, RngStream::masks, 2, 3).next(), reference);
  EXPECT_NE(Rng(2, RngStream::masks, 2, 3).next(), reference);
  EXPECT_NE(Rng(1, RngStream::dropout, 2, 3).next(), reference);
  EXPECT_NE(Rng(1, RngStream::masks, 3, 3).next(), reference);
  EXPECT_NE(Rng(1, RngStream::masks, 2, 4).next(), reference);
}

TEST(Rng, NormalHasUnitMoments) {
  Rng rng(7, RngStream::tests);
  double sum = 0, squares = 0;
  constexpr int count = 200000;
  for (int i = 0; i < count; ++i) {
    const double value = rng.normal();
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / count, 0.0, 5 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 1.0, 5 * std::sqrt(2.0 / count));
}

TEST(Rng, BelowStaysInRangeAndReachesEveryValue) {
  Rng rng(7, RngStream::tests);
  std::array<int, 7> seen{};
  for (int i = 0; i < 7000; ++i) ++seen.at(rng.below(7));
  for (const int count : seen) EXPECT_NEAR(count, 1000, 200);
}

TEST(Rng, ShuffleGivesEveryOrderAsOften) {
  Rng rng(8, RngStream::tests);
  std::map<std::array<char, 3>, int> seen;
  for (int i = 0; i < 6000; ++i) {
    std::array<char, 3> letters = {'a', 'b', 'c'};
    rng.shuffle(std::span<char>(letters));
    ++seen[letters];
  }
  EXPECT_EQ(seen.size(), 6U);
  for (const auto& [order, count] : seen) EXPECT_NEAR(count, 1000, 5 * std::sqrt(1000 * 5 / 6.0));
}

}  // namespace
}  // namespace astroclip
