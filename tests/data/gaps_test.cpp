#include "data/gaps.h"

#include <gtest/gtest.h>

#include <vector>

namespace astroclip::data {
namespace {

TEST(FillGaps, FollowsTheRule) {
  std::vector<float> flux(7781), ivar(7781);
  const auto measure = [&](size_t pixel, float one_flux, float one_ivar) {
    flux[pixel] = one_flux;
    ivar[pixel] = one_ivar;
  };
  measure(100, 2.0F, 1.0F);
  measure(101, 8.0F, 2.0F);
  for (size_t i = 105; i < 205; ++i) measure(i, 4.0F, 1.0F);
  fill_gaps(flux, ivar);
  EXPECT_FLOAT_EQ(flux[0], (1.0F * 2.0F + 2.0F * 8.0F + 98.0F * 4.0F) / 101.0F);
  EXPECT_FLOAT_EQ(flux[99], flux[0]);
  EXPECT_FLOAT_EQ(flux[101], 8.0F);
  EXPECT_FLOAT_EQ(flux[102], 7.0F);
  EXPECT_FLOAT_EQ(flux[104], 5.0F);
  EXPECT_FLOAT_EQ(flux[7780], 4.0F);
  EXPECT_FLOAT_EQ(ivar[102], 0.0F);
}

TEST(FillGaps, LeavesAnEmptySpectrumAlone) {
  std::vector<float> flux(7781), ivar(7781);
  fill_gaps(flux, ivar);
  EXPECT_FLOAT_EQ(flux[5000], 0.0F);
}

}  // namespace
}  // namespace astroclip::data
