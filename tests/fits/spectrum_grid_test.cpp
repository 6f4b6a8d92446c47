#include "fits/spectrum_grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "data/survey.h"

namespace astroclip::fits {
namespace {

using testing::ThrowsMessage;

TEST(OnGrid, WeightsOverlapsByInverseVariance) {
  const std::vector<double> blue = {3600.0, 3600.8, 3601.6}, red = {3601.6, 3602.4};
  const std::vector<double> blue_flux = {1.0, 2.0, 10.0}, red_flux = {20.0, 5.0};
  const std::vector<double> blue_ivar = {4.0, 0.0, 1.0}, red_ivar = {3.0, 2.0};
  const SpectrumPiece pieces[] = {{blue, blue_flux, blue_ivar}, {red, red_flux, red_ivar}};
  const GridSpectrum spectrum = on_grid(pieces);
  ASSERT_EQ(spectrum.flux.size(), 7781U);
  EXPECT_EQ(spectrum.measured, 3);
  EXPECT_FLOAT_EQ(spectrum.flux[0], 1.0F);
  EXPECT_FLOAT_EQ(spectrum.ivar[1], 0.0F);
  EXPECT_FLOAT_EQ(spectrum.flux[2], 17.5F);  // (1·10 + 3·20) / 4
  EXPECT_FLOAT_EQ(spectrum.ivar[2], 4.0F);
  EXPECT_FLOAT_EQ(spectrum.flux[3], 5.0F);
  EXPECT_FLOAT_EQ(spectrum.ivar[4], 0.0F);
}

TEST(OnGrid, PassesOverWhatIsNotFinite) {
  const std::vector<double> wavelength = {3600.0, 3600.8, 3601.6};
  const std::vector<double> flux = {NAN, 2.0, 3.0}, ivar = {1.0, INFINITY, -1.0};
  const SpectrumPiece pieces[] = {{wavelength, flux, ivar}};
  EXPECT_EQ(on_grid(pieces).measured, 0);
}

TEST(OnGrid, RefusesOtherWavelengths) {
  const std::vector<double> values(2, 1.0);
  for (const auto& [wavelength, named] : {std::pair(3601.2, "3601.20"), {3599.2, "3599.20"}, {9824.8, "9824.80"}}) {
    const std::vector<double> wavelengths = {3600.0, wavelength};
    const SpectrumPiece pieces[] = {{wavelengths, values, values}};
    EXPECT_THAT([&] { on_grid(pieces); },
                ThrowsMessage<Error>(std::string(named) + " Å is no pixel of the grid from 3600 to 9824 Å in steps of "
                                                          "0.8 Å"));
  }
}

/// Whatever the pixels' widths, a straight line stays one and the information of a stretch stays what it was.
TEST(Resampled, KeepsALinearSpectrumAndItsInformation) {
  for (const double step : {0.3, 0.8, 2.0}) {
    std::vector<double> wavelength, flux, ivar;
    for (double at = 4000.1; at < 5000.0; at += step) {
      wavelength.push_back(at);
      flux.push_back(3.0 + 0.01 * (at - 4000.0));
      ivar.push_back(5.0);
    }
    const GridSpectrum spectrum = resampled({wavelength, flux, ivar});
    double information = 0.0;
    for (size_t i = 0; i < 7781; ++i) {
      const double at = data::wavelength_of(static_cast<int64_t>(i));
      const bool inside = at - 0.4 >= wavelength.front() && at + 0.4 <= wavelength.back();
      ASSERT_EQ(spectrum.ivar[i] > 0.0F, inside) << at;
      if (inside) {
        ASSERT_NEAR(spectrum.flux[i], 3.0 + 0.01 * (at - 4000.0), 1e-5) << at;
      }
      information += static_cast<double>(spectrum.ivar[i]);
    }
    EXPECT_NEAR(information, 5.0 * static_cast<double>(wavelength.size()), 5.0 * 4.0);
  }
}

/// By hand: the pixel at 3600 spans 3599.6 to 3600.4 and the measurements stand at 3599, 3600 and 3601, so the lines
/// give 0.4·(0.2·1 + 0.8·4) + 0.4·(0.8·4 + 0.2·9) over 0.8, and as much of the inverse variances.
TEST(Resampled, AveragesOverThePixel) {
  const std::vector<double> wavelength = {3599.0, 3600.0, 3601.0}, flux = {1.0, 4.0, 9.0}, ivar = {10.0, 20.0, 40.0};
  const GridSpectrum spectrum = resampled({wavelength, flux, ivar});
  EXPECT_EQ(spectrum.measured, 1);
  EXPECT_NEAR(spectrum.flux[0], 4.2, 1e-6);
  EXPECT_NEAR(spectrum.ivar[0], 0.8 * 21.0, 1e-5);
}

TEST(Resampled, AMissingMeasurementIsNotBridged) {
  std::vector<double> wavelength, flux, ivar;
  for (int i = 0; i < 20; ++i) {
    wavelength.push_back(3599.0 + i);
    flux.push_back(1.0);
    ivar.push_back(i == 10 ? 0.0 : 1.0);
  }
  const GridSpectrum spectrum = resampled({wavelength, flux, ivar});
  for (size_t i = 0; i < 22; ++i) {
    const double at = data::wavelength_of(static_cast<int64_t>(i));
    const bool touches = at + 0.4 > 3608.0 && at - 0.4 < 3610.0;
    EXPECT_EQ(spectrum.ivar[i] == 0.0F, touches) << at;
  }
}

TEST(Resampled, RefusesWavelengthsThatFall) {
  const std::vector<double> wavelength = {4000.0, 4001.0, 4000.5}, values(3, 1.0);
  EXPECT_THAT(
      [&] {
        resampled({wavelength, values, values});
      },
      ThrowsMessage<Error>("wavelengths must rise, 4000.500 Å follows 4001.000 Å"));
}

}  // namespace
}  // namespace astroclip::fits
