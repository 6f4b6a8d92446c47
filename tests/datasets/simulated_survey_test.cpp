#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numbers>

#include "base/threads.h"
#include "data/layouts/paired_file.h"
#include "data/survey.h"
#include "support/scratch.h"
#include "survey.h"

namespace astroclip::simulation {
namespace {

Parameters noiseless() {
  Parameters parameters;
  parameters.simulated_noise = {0.0, 0.0};
  return parameters;
}

const SpectrumModel& model() {
  static const SpectrumModel one;
  return one;
}

std::vector<float> total_of(const Galaxy& galaxy) {
  auto [bulge, disc] = model().spectra(galaxy);
  for (size_t i = 0; i < disc.size(); ++i) disc[i] += bulge[i];
  return disc;
}

/// A galaxy that forms many stars, so that every line stands out.
Galaxy starburst(double redshift) {
  Galaxy galaxy;
  galaxy.redshift = redshift;
  galaxy.log_mass = 10.0;
  galaxy.log_sfr = 1.5;
  galaxy.oxygen_ratio = 1.5;
  return galaxy;
}

TEST(Cosmology, AgreesWithPublishedDistances) {
  // H0 = 70, Ωm = 0.3, flat (Wright 2006, CosmoCalc): 460.3 and 2832.9 Mpc at z = 0.1, 0.5; 13.46 and 8.42 Gyr.
  EXPECT_NEAR(luminosity_distance_mpc(0.1), 460.3, 0.2);
  EXPECT_NEAR(luminosity_distance_mpc(0.5), 2832.9, 1.0);
  EXPECT_NEAR(cosmic_age_gyr(0.0), 13.46, 0.02);
  EXPECT_NEAR(cosmic_age_gyr(0.5), 8.42, 0.02);
}

TEST(SimulatedSpectrum, LinesPeakAtTheirRedshiftedVacuumWavelengths) {
  for (const double z : {0.02, 0.17, 0.45}) {
    const std::vector<float> flux = total_of(starburst(z));
    // Rest wavelengths in vacuum as the SDSS line list has them.
    for (const double rest : {4862.68, 5008.24, 6564.61}) {
      const double expected = rest * (1.0 + z);
      const auto centre = static_cast<int64_t>((expected - 3600.0) / 0.8);
      if (centre + 12 >= model_pixels) continue;
      int64_t peak = centre - 12;
      for (int64_t i = centre - 12; i <= centre + 12; ++i)
        if (flux[static_cast<size_t>(i)] > flux[static_cast<size_t>(peak)]) peak = i;
      EXPECT_NEAR(3600.0 + 0.8 * static_cast<double>(peak), expected, 0.8) << rest << " at " << z;
    }
  }
}

TEST(SimulatedSpectrum, HalphaCarriesTheLuminosityOfItsStarFormation) {
  // Two galaxies that differ only in the rate differ in Hα by its luminosity over 4πd², dust aside.
  Galaxy galaxy = starburst(0.1);
  galaxy.dust = 0.0;
  const std::vector<float> flux = total_of(galaxy);
  const double centre = 6564.61 * 1.1;
  double line = 0.0, beside = 0.0;
  int64_t inside = 0, outside = 0;
  for (int64_t i = 0; i < model_pixels; ++i) {
    const double distance = std::abs(model_wavelength(i) - centre);
    if (distance < 9.0) line += 0.8 * flux[static_cast<size_t>(i)], ++inside;
    if (distance > 35.0 && distance < 60.0) beside += flux[static_cast<size_t>(i)], ++outside;
  }
  line -= 0.8 * static_cast<double>(inside) * beside / static_cast<double>(outside);
  // Kennicutt & Evans 2012: log L(Hα) = log SFR + 41.27; the distance is that of the test above.
  const double distance_cm = 460.3 * 3.0856776e24;
  const double expected = std::pow(10.0, 1.5 + 41.27) / (4.0 * std::numbers::pi * distance_cm * distance_cm) / 1e-17;
  EXPECT_NEAR(line / expected, 1.0, 0.06);
}

TEST(SimulatedSpectrum, OldPopulationsBreakAt4000) {
  const auto d4000 = [](double age) {
    Galaxy galaxy;
    galaxy.redshift = 0.1;
    galaxy.age = age;
    galaxy.log_sfr = -3.0;
    galaxy.dust = 0.0;
    const std::vector<float> flux = total_of(galaxy);
    double red = 0.0, blue = 0.0;
    for (int64_t i = 0; i < model_pixels; ++i) {
      const double rest = model_wavelength(i) / 1.1, frequency = flux[static_cast<size_t>(i)] * rest * rest;
      if (rest > 4000.0 && rest < 4100.0) red += frequency;
      if (rest > 3850.0 && rest < 3950.0) blue += frequency;
    }
    return red / blue;
  };
  // Dn4000 (Balogh et al. 1999): about 1.2 to 1.4 for a population of a Gyr, 1.7 to 2.2 for ten (Kauffmann 2003).
  EXPECT_GT(d4000(10.0), 1.6);
  EXPECT_LT(d4000(10.0), 2.4);
  EXPECT_LT(d4000(1.0), 1.5);
}

TEST(SimulatedBands, AFlatSpectrumInFrequencyHasItsABMagnitude) {
  // f_ν = 3631 Jy · 10^(−0.4 · 20), which every band sees as magnitude 20.
  std::vector<float> flux(static_cast<size_t>(model_pixels));
  for (int64_t i = 0; i < model_pixels; ++i) {
    const double wavelength = model_wavelength(i);
    flux[static_cast<size_t>(i)] =
        static_cast<float>(3.6307805e-20 * 1e-8 * 2.99792458e18 / (wavelength * wavelength) / 1e-17);
  }
  for (const double band : band_fluxes(flux)) EXPECT_NEAR(magnitude_of(band), 20.0, 2e-3);
}

TEST(SimulatedBands, AgreeWithAnIntegralOnAnotherGrid) {
  const std::vector<float> flux = total_of(draw_galaxy(4, 11));
  const BandFluxes found = band_fluxes(flux);
  for (int64_t band = 0; band < band_count; ++band) {
    // Trapezoids over every third pixel, in frequency: ∫ f_ν T dν/ν / ∫ T dν/ν.
    double numerator = 0.0, denominator = 0.0;
    for (int64_t i = 0; i + 3 < model_pixels; i += 3) {
      const double low = model_wavelength(i), high = model_wavelength(i + 3), step = std::log(high / low);
      for (const int64_t k : {i, i + 3}) {
        const double wavelength = model_wavelength(k), response = band_response(band, wavelength);
        const double f_nu = flux[static_cast<size_t>(k)] * 1e-17 * wavelength * wavelength / 2.99792458e18;
        numerator += 0.5 * step * response * f_nu;
        denominator += 0.5 * step * response;
      }
    }
    EXPECT_NEAR(found[static_cast<size_t>(band)] * 3.6307805e-29 / (numerator / denominator), 1.0, 3e-3) << band;
  }
}

TEST(SimulatedImage, AnExponentialDiskHoldsHalfItsLightWithinItsRadius) {
  const Profile disc = {.sersic_index = 1.0, .radius = 10 * data::pixel_scale};
  const std::vector<float> stamp = sersic_stamp(disc, {0.0, 0.0});
  double inside = 0.0, all = 0.0;
  for (int64_t y = 0; y < data::image_side; ++y) {
    for (int64_t x = 0; x < data::image_side; ++x) {
      const double value = stamp[static_cast<size_t>(y * data::image_side + x)];
      all += value;
      if (std::hypot(static_cast<double>(x) - 75.5, static_cast<double>(y) - 75.5) < 10.0) inside += value;
    }
  }
  EXPECT_NEAR(all, 1.0, 2e-3);
  EXPECT_NEAR(inside, 0.5, 0.01);
}

TEST(SimulatedImage, TheBrightestAxisPointsWhereThePositionAngleSays) {
  const Profile disc = {.radius = 3.0, .axis_ratio = 0.4, .position_angle = 0.6};
  const std::vector<float> stamp = sersic_stamp(disc, {0.0, 0.0});
  double xx = 0.0, yy = 0.0, xy = 0.0;
  for (int64_t y = 0; y < data::image_side; ++y) {
    for (int64_t x = 0; x < data::image_side; ++x) {
      const double value = stamp[static_cast<size_t>(y * data::image_side + x)];
      const double u = static_cast<double>(x) - 75.5, v = static_cast<double>(y) - 75.5;
      xx += value * u * u, yy += value * v * v, xy += value * u * v;
    }
  }
  EXPECT_NEAR(0.5 * std::atan2(2.0 * xy, xx - yy), 0.6, 0.01);
}

TEST(SimulatedImage, BlurringKeepsTheLightAndAddsItsVariance) {
  std::vector<float> stamp(static_cast<size_t>(data::image_side * data::image_side));
  stamp[static_cast<size_t>(70 * data::image_side + 80)] = 1.0F;
  blur(stamp, 2.5);
  double all = 0.0, variance_x = 0.0, mean_y = 0.0;
  for (int64_t y = 0; y < data::image_side; ++y) {
    for (int64_t x = 0; x < data::image_side; ++x) {
      const double value = stamp[static_cast<size_t>(y * data::image_side + x)];
      all += value, mean_y += value * static_cast<double>(y);
      variance_x += value * std::pow(static_cast<double>(x) - 80.0, 2);
    }
  }
  EXPECT_NEAR(all, 1.0, 1e-5);
  EXPECT_NEAR(mean_y, 70.0, 1e-3);
  EXPECT_NEAR(variance_x, 6.25, 0.03);
}

TEST(SimulatedSurvey, TheSumOverAnImageIsTheGalaxysMagnitude) {
  Parameters parameters;
  int64_t compared = 0;
  for (int64_t index = 0; index < 40; ++index) {
    const Observation seen = observe(model(), parameters, index);
    if (seen.galaxy.disc.radius > 1.5 || seen.galaxy.bulge_share > 0.5 || seen.magnitudes[1] > 19.5) continue;
    ++compared;
    // The r band; its noise is 0.0044 nanomaggies in a pixel, 0.67 over the stamp.
    const size_t plane = seen.image.size() / 3;
    double sum = 0.0;
    for (size_t i = plane; i < 2 * plane; ++i) sum += seen.image[i];
    const double expected = std::pow(10.0, 0.4 * (22.5 - seen.magnitudes[1]));
    EXPECT_NEAR(sum, expected, 0.05 * expected + 4.0 * 0.67) << index;
  }
  EXPECT_GE(compared, 3);
}

TEST(SimulatedSurvey, WithoutNoiseAFibreTakesItsShareOfBulgeAndDisc) {
  const Observation seen = observe(model(), noiseless(), 5);
  const auto [bulge, disc] = model().spectra(seen.galaxy);
  const double from_bulge = fibre_fraction(seen.galaxy.bulge), from_disc = fibre_fraction(seen.galaxy.disc);
  EXPECT_GT(from_bulge, from_disc);
  EXPECT_LT(from_bulge, 1.0);
  EXPECT_GT(from_disc, 0.01);
  for (const size_t i : {0, 100, 3000, 7780}) {
    const double expected = from_bulge * bulge[i] + from_disc * disc[i];
    EXPECT_NEAR(seen.spectrum.flux[i] / expected, 1.0, 1e-5) << i;
  }
}

TEST(SimulatedImage, BulgesAreRedderThanTheirDiscs) {
  int64_t redder = 0, compared = 0;
  for (int64_t index = 0; index < 60; ++index) {
    const Galaxy galaxy = draw_galaxy(1, index);
    if (galaxy.bulge_share < 0.1) continue;
    const auto [bulge, disc] = model().spectra(galaxy);
    const BandFluxes inner = band_fluxes(bulge), outer = band_fluxes(disc);
    redder += inner[0] * outer[2] < outer[0] * inner[2] ? 1 : 0, ++compared;
  }
  // Not where a dusty disc forms few stars.
  EXPECT_GT(redder, compared * 2 / 3);
}

TEST(SimulatedSurvey, NoiseIsWhatTheInverseVarianceSays) {
  double chi2 = 0.0;
  int64_t count = 0;
  for (int64_t index = 0; index < 10; ++index) {
    const Observation seen = observe(model(), {}, index);
    const auto& [flux, ivar] = seen.spectrum;
    for (size_t i = 3000; i + 1 < 3600; i += 2) {
      const double difference = flux[i + 1] - flux[i];
      chi2 += difference * difference / (1.0 / ivar[i] + 1.0 / ivar[i + 1]), ++count;
    }
  }
  // Neighbouring pixels differ by noise and, little, by the spectrum.
  EXPECT_NEAR(chi2 / static_cast<double>(count), 1.0, 0.2);
}

TEST(SimulatedSurvey, MedianSignalToNoiseIsThatOfTheSurvey) {
  std::vector<double> medians;
  for (int64_t index = 0; index < 60; ++index) {
    const Observation seen = observe(model(), {}, index);
    std::vector<double> ratio;
    for (size_t i = 0; i < seen.spectrum.flux.size(); ++i)
      ratio.push_back(seen.spectrum.flux[i] * std::sqrt(seen.spectrum.ivar[i]));
    std::nth_element(ratio.begin(), ratio.begin() + 3890, ratio.end());
    medians.push_back(ratio[3890]);
  }
  std::nth_element(medians.begin(), medians.begin() + 30, medians.end());
  EXPECT_GT(medians[30], 2.0);
  EXPECT_LT(medians[30], 6.5);
}

TEST(SimulatedSurvey, AGalaxyDependsOnSeedAndIndexAlone) {
  const SpectrumModel another;
  const Observation a = observe(model(), {}, 7), b = observe(another, {}, 7), c = observe(model(), {}, 8);
  Parameters other;
  other.seed = 2;
  other.galaxies = 100;
  const Observation d = observe(model(), other, 7);
  EXPECT_EQ(a.image, b.image);
  EXPECT_EQ(a.spectrum.flux, b.spectrum.flux);
  EXPECT_NE(a.image, c.image);
  EXPECT_NE(a.spectrum.flux, d.spectrum.flux);
}

class SurveyFile : public testing::Test {
 protected:
  std::string write(const std::string& name, const Parameters& parameters) {
    const std::string path = testing_support::scratch("survey_" + name + ".h5");
    paths_.push_back(path);
    write_survey(parameters, path);
    return path;
  }
  void TearDown() override {
    for (const auto& path : paths_) std::filesystem::remove(path);
    set_compute_threads(0);
  }
  std::vector<std::string> paths_;
};

TEST_F(SurveyFile, IsTheSameForAnyNumberOfThreadsAndSplitsEightyToTwenty) {
  Parameters parameters;
  parameters.galaxies = 50;
  set_compute_threads(1);
  const auto one = data::PairedFile::open(write("one", parameters));
  set_compute_threads(2);
  const auto two = data::PairedFile::open(write("two", parameters));
  EXPECT_EQ(one.size(true), 40);  // five groups of ten
  EXPECT_EQ(one.size(false), 10);
  const std::vector<int64_t> rows = {0, 7, 3};
  std::vector<float> a(3 * 3 * 152 * 152), b(a.size());
  one.read(false, rows, "image", DType::f32, a.data());
  two.read(false, rows, "image", DType::f32, b.data());
  EXPECT_EQ(a, b);
  // The test rows are the last two of each group of ten.
  std::vector<int64_t> ids(3);
  one.read(false, rows, "object_id", DType::i64, ids.data());
  EXPECT_EQ(ids, (std::vector<int64_t>{8, 39, 19}));
  const Observation last = observe(model(), parameters, 19);
  EXPECT_TRUE(std::equal(last.image.begin(), last.image.end(), a.begin() + 2 * 3 * 152 * 152));
  for (const Label& label : survey_labels()) EXPECT_NO_THROW((void)one.column(label.name)) << label.name;
}

}  // namespace
}  // namespace astroclip::simulation
