#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numbers>
#include <numeric>

#include "base/threads.h"
#include "cosmology.h"
#include "data/layouts/paired_file.h"
#include "data/survey.h"
#include "lines.h"
#include "neighbours.h"
#include "support/scratch.h"
#include "survey.h"

namespace astroclip::simulation {
namespace {

const SpectrumModel& model() {
  static const SpectrumModel one;
  return one;
}

std::vector<float> total_of(const Galaxy& galaxy) {
  const ModelLight light = model().light(galaxy);
  std::vector<float> total = light.lines;
  for (size_t i = 0; i < total.size(); ++i) total[i] += light.bulge[i] + light.disc[i] + light.young[i];
  return total;
}

/// A galaxy that forms 32 solar masses a year, so that every line stands out.
Galaxy starburst(double redshift) {
  Galaxy galaxy;
  galaxy.redshift = redshift;
  galaxy.history = {.formed = 2e11, .start_gyr = 8.0, .decay = 1.0};
  galaxy.history.recent_share = std::pow(10.0, 1.5) * 1e9 / galaxy.history.formed;
  galaxy.gas = {.oxygen = 8.5, .log_nucleus = 0.0, .velocity_sigma = 80.0};
  return galaxy;
}

Galaxy seen_galaxy(int64_t index) { return observe(model(), {}, index).galaxy; }

TEST(Cosmology, AgreesWithPublishedDistances) {
  // H0 = 70, Ωm = 0.3, flat (Wright 2006, CosmoCalc): 460.3 and 2832.9 Mpc at z = 0.1, 0.5; 13.46 and 8.42 Gyr.
  EXPECT_NEAR(luminosity_distance_mpc(0.1), 460.3, 0.2);
  EXPECT_NEAR(luminosity_distance_mpc(0.5), 2832.9, 1.0);
  EXPECT_NEAR(cosmic_age_gyr(0.0), 13.46, 0.02);
  EXPECT_NEAR(cosmic_age_gyr(0.5), 8.42, 0.02);
  // The volume element is the derivative of the volume: (D(z+h)³ − D(z−h)³) / 3 / 2h of comoving distances.
  const auto volume = [](double z) { return std::pow(luminosity_distance_mpc(z) / (1.0 + z), 3) / 3.0; };
  EXPECT_NEAR(comoving_volume_density(0.3) / ((volume(0.301) - volume(0.299)) / 0.002), 1.0, 1e-5);
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
  Galaxy galaxy = starburst(0.1);
  galaxy.dust = 0.0;
  const std::vector<float> lines = model().light(galaxy).lines;
  double flux = 0.0;
  for (int64_t i = 0; i < model_pixels; ++i)
    if (std::abs(model_wavelength(i) - 6564.61 * 1.1) < 9.0) flux += 0.8 * lines[static_cast<size_t>(i)];
  // Kennicutt & Evans 2012: log L(Hα) = log SFR + 41.27; the distance is that of the test above. What the delayed
  // history adds to the constant rate is 0.1 of it at most, and the wings of [NII] as much again.
  const double distance_cm = 460.3 * 3.0856776e24;
  const double rate = galaxy.history.formed * galaxy.history.smooth_share(0.0, 0.01) / 1e7;
  EXPECT_NEAR(rate, 31.6, 3.5);
  const double expected = rate * std::pow(10.0, 41.27) / (4.0 * std::numbers::pi * distance_cm * distance_cm) / 1e-17;
  EXPECT_NEAR(flux / expected, 1.0, 0.06);
}

TEST(SimulatedSpectrum, TheGasHasABalmerDecrementAndMoreDustThanTheStars) {
  const auto ratio = [](double dust) {
    Galaxy galaxy = starburst(0.1);
    galaxy.dust = dust;
    const std::vector<float> lines = model().light(galaxy).lines;
    const auto sum = [&](double rest, double reach) {
      double flux = 0.0;
      for (int64_t i = 0; i < model_pixels; ++i)
        if (std::abs(model_wavelength(i) - rest * 1.1) < reach) flux += lines[static_cast<size_t>(i)];
      return flux;
    };
    return sum(6564.61, 9.0) / sum(4862.68, 20.0);
  };
  EXPECT_NEAR(ratio(0.0), 2.86, 0.12);
  // Calzetti's law (k = 3.33 and 4.60 in Hα and Hβ, 4.05 at 5500 Å), and 1/0.44 of the stars' attenuation.
  EXPECT_NEAR(ratio(0.5) / ratio(0.0), std::pow(10.0, 0.4 * 0.5 / 0.44 * (4.60 - 3.33) / 4.05), 0.01);
}

TEST(SimulatedSpectrum, OldPopulationsBreakAt4000) {
  const auto indices = [](double begun) {
    Galaxy galaxy;
    galaxy.redshift = 0.1;
    galaxy.history = {.formed = 1e11, .start_gyr = begun, .decay = 10.0};
    galaxy.dust = 0.0;
    std::vector<float> flux = total_of(galaxy);
    const std::vector<float> lines = model().light(galaxy).lines;
    for (size_t i = 0; i < flux.size(); ++i) flux[i] -= lines[i];
    return spectral_indices(flux, 0.1);
  };
  // Dn4000 (Balogh et al. 1999): about 1.2 to 1.5 for a population of a Gyr, 1.7 to 2.2 for ten; HδA is above 4 Å for
  // the first, below 0 for the second (Kauffmann et al. 2003, fig. 2 and 3).
  EXPECT_GT(indices(10.0).dn4000, 1.6);
  EXPECT_LT(indices(10.0).dn4000, 2.3);
  EXPECT_LT(indices(1.2).dn4000, 1.5);
  EXPECT_GT(indices(1.2).hdelta, 4.0);
  EXPECT_LT(indices(10.0).hdelta, 0.5);
  EXPECT_GT(indices(10.0).mgb, 2.5);
}

TEST(SimulatedSpectrum, MovingStarsBroadenTheirLines) {
  // A line of one pixel at 7200 Å becomes a Gaussian of σ = 200 km/s, that is of 6.0 pixels.
  std::vector<float> flux(static_cast<size_t>(model_pixels));
  flux[4500] = 1.0F;
  broaden(flux, 200.0);
  double sum = 0.0, variance = 0.0;
  for (int64_t i = 4400; i < 4600; ++i) {
    sum += flux[static_cast<size_t>(i)];
    variance += flux[static_cast<size_t>(i)] * std::pow(static_cast<double>(i - 4500), 2);
  }
  EXPECT_NEAR(sum, 1.0, 0.01);
  EXPECT_NEAR(std::sqrt(variance / sum), 200.0 / 299792.458 * 7200.0 / 0.8, 0.05);
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

TEST(SimulatedBands, FluxesOfFewWavelengthsAreNearThoseOfAll) {
  for (int64_t index = 0; index < 5; ++index) {
    const Galaxy galaxy = seen_galaxy(index);
    const ModelLight light = model().light(galaxy);
    PartFluxes stars{band_fluxes(light.bulge), band_fluxes(light.disc), band_fluxes(light.young)};
    const BandFluxes rough = model().rough_fluxes(galaxy), all = stars.total();
    for (size_t b = 0; b < all.size(); ++b) EXPECT_NEAR(rough[b] / all[b], 1.0, 0.05) << b;
  }
}

TEST(SimulatedBands, AgreeWithAnIntegralOnAnotherGrid) {
  const std::vector<float> flux = total_of(seen_galaxy(11));
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

/// The sum of a stamp within the ellipse of a disc's shape with this semi-major axis in arcsec.
double sum_within(const Profile& disc, double axis, std::span<const float> stamp) {
  constexpr int64_t side = data::image_side, parts = 5;
  double inside = 0.0;
  for (int64_t i = 0; i < side * side * parts * parts; ++i) {
    const double x = (static_cast<double>(i % (side * parts)) + 0.5) / parts - 0.5 * side;
    const double y = (static_cast<double>(i / (side * parts)) + 0.5) / parts - 0.5 * side;
    const double u = x * std::cos(disc.position_angle) + y * std::sin(disc.position_angle);
    const double v = y * std::cos(disc.position_angle) - x * std::sin(disc.position_angle);
    if (std::hypot(u, v / disc.axis_ratio) * data::pixel_scale >= axis) continue;
    inside += stamp[static_cast<size_t>(i / (side * parts) / parts * side + i % (side * parts) / parts)];
  }
  return inside / (parts * parts);
}

TEST(SimulatedImage, TheHalfLightRadiusHoldsHalfOfTheLightOfBulgeAndDisc) {
  Galaxy galaxy;
  galaxy.disc = {.radius = 3.0, .axis_ratio = 0.3, .position_angle = 0.6};
  galaxy.bulge = {.sersic_index = 4.0, .radius = 1.5, .axis_ratio = 0.65, .position_angle = 0.6};
  const std::vector<float> bulge = sersic_stamp(galaxy.bulge, {0.0, 0.0}), disc = sersic_stamp(galaxy.disc, {0.0, 0.0});
  for (const double share : {0.0, 0.3, 0.8}) {
    PartFluxes fluxes;
    fluxes.bulge[2] = share, fluxes.disc[2] = 0.75 * (1.0 - share), fluxes.young[2] = 0.25 * (1.0 - share);
    std::vector<float> light(disc.size());
    for (size_t i = 0; i < light.size(); ++i) light[i] = static_cast<float>(share * bulge[i] + (1.0 - share) * disc[i]);
    EXPECT_NEAR(sum_within(galaxy.disc, half_light_radius(galaxy, fluxes, 2), light), 0.5, 0.005) << share;
  }
}

TEST(SimulatedImage, TheHalfLightRadiusOfAnEllipticalIsThatOfItsProfiles) {
  Galaxy galaxy;
  galaxy.elliptical = true;
  galaxy.disc = {.radius = 2.5, .axis_ratio = 0.7};
  galaxy.bulge = galaxy.disc;
  galaxy.bulge.sersic_index = 4.0;
  PartFluxes fluxes;
  fluxes.bulge[1] = 9.0, fluxes.disc[1] = 1.0;
  EXPECT_NEAR(half_light_radius(galaxy, fluxes, 1), 2.5, 1e-3);
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

/// A disc seen nearly from above, as large as it can be within the stamp.
Galaxy open_disc() {
  Galaxy galaxy;
  galaxy.disc = {.radius = 4.0, .axis_ratio = 0.8, .position_angle = 0.4};
  galaxy.bulge = {.sersic_index = 4.0, .radius = 0.5, .axis_ratio = 0.9, .position_angle = 0.4};
  return galaxy;
}

TEST(SimulatedImage, StructureMovesTheLightOfADiscAndKeepsItsSum) {
  Galaxy galaxy = open_disc();
  const Stamps plain = galaxy_stamps(galaxy, {0.0, 0.0});
  galaxy.structure = {.arms = 2, .pitch = 0.3, .arm_strength = 0.8, .bar_strength = 1.5, .ring_strength = 0.5};
  galaxy.structure.clumps = {{0.5, 0.5, 0.05}, {-0.7, 0.2, 0.04}};
  const Stamps seen = galaxy_stamps(galaxy, {0.0, 0.0});
  const auto sum = [](const std::vector<float>& of) { return std::accumulate(of.begin(), of.end(), 0.0); };
  EXPECT_NEAR(sum(seen.disc), sum(plain.disc), 1e-4);
  EXPECT_NEAR(sum(seen.young), sum(plain.young), 1e-4);
  EXPECT_EQ(seen.bulge, plain.bulge);
  double moved = 0.0;
  for (size_t i = 0; i < seen.young.size(); ++i) moved += std::abs(seen.young[i] - plain.young[i]);
  EXPECT_GT(moved, 0.3);
}

TEST(SimulatedImage, ArmsAreAsManyAndWoundAsTheySay) {
  // On a logarithmic spiral of pitch p, the brightest angle moves by ln(r₂/r₁)/tan p between two radii.
  for (const int arms : {1, 2, 3}) {
    const Structure spiral = {.arms = arms, .pitch = 0.35, .arm_strength = 0.8};
    const auto crest = [&](double radius) {
      double best = 0.0, at = 0.0;
      for (double angle = 0.0; angle < 2.0 * std::numbers::pi / arms; angle += 1e-3) {
        const double value = spiral.at(radius * std::cos(angle), radius * std::sin(angle)).young;
        if (value > best) best = value, at = angle;
      }
      return at;
    };
    const double expected = std::log(1.5) / std::tan(0.35), period = 2.0 * std::numbers::pi / arms;
    EXPECT_NEAR(std::remainder(crest(1.5) - crest(1.0) - expected, period), 0.0, 3e-3) << arms;
    // The pattern repeats itself after a turn divided by the number of arms, not before.
    EXPECT_NEAR(spiral.at(std::cos(0.3 + period), std::sin(0.3 + period)).young,
                spiral.at(std::cos(0.3), std::sin(0.3)).young, 1e-9);
  }
}

TEST(SimulatedImage, AStarHasItsFluxAndItsPlace) {
  Neighbour star;
  star.profile.radius = 0.0;
  star.place = {60.3, 80.8};
  star.fluxes = {1.0, 2.0, 3.0, 4.0};
  std::vector<float> stamp(static_cast<size_t>(data::image_side * data::image_side));
  add_neighbour(star, 3, stamp);
  double sum = 0.0, x = 0.0, y = 0.0;
  for (int64_t i = 0; i < std::ssize(stamp); ++i) {
    sum += stamp[static_cast<size_t>(i)];
    x += stamp[static_cast<size_t>(i)] * static_cast<double>(i % data::image_side);
    y += stamp[static_cast<size_t>(i)] * static_cast<double>(i / data::image_side);
  }
  EXPECT_NEAR(sum, 4.0, 1e-6);
  EXPECT_NEAR(x / sum, 60.3, 1e-4);
  EXPECT_NEAR(y / sum, 80.8, 1e-4);
}

TEST(SimulatedImage, NeighboursAreAsManyAsOnTheSky) {
  double galaxies = 0.0, stars = 0.0;
  constexpr int stamps = 4000;
  for (int i = 0; i < stamps; ++i) {
    Rng rng = stream(1, i, Stream::image);
    for (const Neighbour& neighbour : draw_neighbours(rng)) (neighbour.profile.radius > 0.0 ? galaxies : stars) += 1.0;
  }
  const double degrees = std::pow(152 * 0.262 / 3600.0, 2);
  EXPECT_NEAR(galaxies / stamps, 1e4 * degrees, 0.08);
  EXPECT_NEAR(stars / stamps, 2500.0 * degrees, 0.04);
}

double share_of(const std::vector<std::vector<int64_t>>& votes, size_t question, size_t answer) {
  const auto& counts = votes[question];
  return static_cast<double>(counts[answer]) /
         static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
}

TEST(SimulatedVotes, WhatCannotBeSeenIsNotVotedFor) {
  Galaxy galaxy = open_disc();
  galaxy.structure = {.arms = 2, .pitch = 0.3, .arm_strength = 0.8};
  double seen = 0.0, unseen = 0.0;
  for (int64_t i = 0; i < 50; ++i) {
    seen += share_of(draw_votes(galaxy, 0.95, stream(1, i, Stream::votes)), 0, 1) / 50.0;
    unseen += share_of(draw_votes(galaxy, 0.05, stream(1, i, Stream::votes)), 0, 1) / 50.0;
  }
  EXPECT_GT(seen, 0.8);
  EXPECT_LT(unseen, 0.2);
}

TEST(SimulatedVotes, AQuestionIsPutToThoseWhoseAnswerLeadsToIt) {
  Galaxy galaxy = open_disc();
  galaxy.structure = {.arms = 3, .pitch = 0.3, .arm_strength = 0.8};
  const auto votes = draw_votes(galaxy, 0.9, stream(1, 5, Stream::votes));
  const auto total = [&](size_t question) {
    return std::accumulate(votes[question].begin(), votes[question].end(), int64_t{0});
  };
  ASSERT_EQ(votes.size(), data::galaxy_zoo_decals().size());
  for (size_t q = 0; q < votes.size(); ++q)
    EXPECT_EQ(votes[q].size(), data::galaxy_zoo_decals()[q].answers.size()) << q;
  EXPECT_EQ(total(1), votes[0][1]);                // edge-on: of those who saw features
  EXPECT_EQ(total(2), votes[1][1]);                // arms: of those who did not say edge-on
  EXPECT_EQ(total(5), votes[0][0]);                // how rounded: of those who said smooth
  EXPECT_EQ(total(7), votes[2][0]);                // winding: of those who saw arms
  EXPECT_EQ(total(9), votes[0][0] + votes[0][1]);  // merging: of all but those who saw an artifact
}

TEST(SimulatedVotes, VisibilityGrowsWithSizeAndSignal) {
  Galaxy galaxy = open_disc();
  const Seeing seeing{{2.0, 2.0, 2.0, 2.0}, {0.005, 0.005, 0.005, 0.01}};
  const double large = visibility(galaxy, 100.0, seeing), faint = visibility(galaxy, 1.0, seeing);
  galaxy.disc.radius = 1.0;
  EXPECT_GT(large, 0.7);
  EXPECT_LT(visibility(galaxy, 100.0, seeing), 0.2);
  EXPECT_LT(faint, large);
}

TEST(SimulatedSurvey, IsCutAtTheMagnitudesThatItRecords) {
  double faintest = 0.0;
  for (int64_t index = 0; index < 40; ++index) {
    const Observation seen = observe(model(), {}, index);
    EXPECT_LT(seen.photometry.magnitudes[1], 19.5) << index;
    faintest = std::max(faintest, seen.photometry.magnitudes[1]);
  }
  // Numbers grow by 10^0.5 a magnitude: of forty galaxies one lies within the last tenths.
  EXPECT_GT(faintest, 19.3);
}

TEST(SimulatedSurvey, MagnitudesScatterByTheirErrors) {
  const Galaxy galaxy = open_disc();
  const BandFluxes fluxes = {20.0, 40.0, 50.0, 60.0};
  double squares = 0.0;
  constexpr int64_t draws = 400;
  for (int64_t index = 0; index < draws; ++index) {
    Rng rng = stream(1, index, Stream::photometry);
    const Photometry seen = observe_photometry(galaxy, fluxes, 1.0, rng);
    for (size_t b = 0; b < fluxes.size(); ++b)
      squares += std::pow((seen.magnitudes[b] - magnitude_of(fluxes[b])) / seen.errors[b], 2);
  }
  // The mean of 1600 squares of a normal is 1 ± 0.035.
  EXPECT_NEAR(squares / static_cast<double>(draws * std::ssize(fluxes)), 1.0, 0.14);
}

TEST(SimulatedSurvey, ImagesHaveTheBandsThatAreAsked) {
  Parameters parameters;
  const Observation three = observe(model(), parameters, 3);
  parameters.bands = "griz";
  const Observation four = observe(model(), parameters, 3);
  EXPECT_EQ(four.image.flux.size() * 3, three.image.flux.size() * 4);
  // The galaxy, its spectrum and its first band are the same.
  EXPECT_EQ(four.spectrum.flux, three.spectrum.flux);
  EXPECT_TRUE(std::equal(four.image.flux.begin(), four.image.flux.begin() + 152 * 152, three.image.flux.begin()));
}

TEST(SimulatedSurvey, AFibreTakesLessOfAnExtendedDiscAndOfBadSeeing) {
  const Profile small{.radius = 1.0}, large{.radius = 4.0};
  EXPECT_GT(fibre_fraction(small, 1.1), fibre_fraction(large, 1.1));
  EXPECT_GT(fibre_fraction(small, 0.8), fibre_fraction(small, 1.6));
  // A point: a fibre of 1.5″ holds 1 − 2^−(1.5/FWHM)² of a Gaussian, 0.72 at 1.1″.
  EXPECT_NEAR(fibre_fraction({.radius = 0.0}, 1.1), 0.72, 0.1);
}

TEST(SimulatedSurvey, MaskedPixelsHaveNoInverseVariance) {
  const Observation seen = observe(model(), {}, 2);
  int64_t masked = 0;
  for (size_t i = 0; i < seen.spectrum.ivar.size(); ++i) {
    if (seen.spectrum.ivar[i] > 0.0F) continue;
    ++masked;
    EXPECT_EQ(seen.spectrum.flux[i], 0.0F);
  }
  EXPECT_GT(masked, 2);
  EXPECT_LT(masked, 80);
}

TEST(SimulatedSurvey, APipelineIsRightWhereTheFeaturesAreClear) {
  int64_t right = 0, clear = 0;
  for (int64_t index = 0; index < 60; ++index) {
    const Observation seen = observe(model(), {}, index);
    if (seen.fit.warning > 0.0) continue;
    ++clear;
    right += std::abs(seen.fit.redshift - seen.galaxy.redshift) < 0.003 * (1.0 + seen.galaxy.redshift) ? 1 : 0;
  }
  EXPECT_GT(clear, 45);
  EXPECT_GE(right, clear - 2);
}

TEST(SimulatedSurvey, BulgesAreRedderThanTheirDiscs) {
  int64_t redder = 0, compared = 0;
  for (int64_t index = 0; index < 30; ++index) {
    const Galaxy galaxy = seen_galaxy(index);
    if (galaxy.bulge_share < 0.1 || galaxy.quenched) continue;
    const PartFluxes fluxes = part_fluxes(model().light(galaxy));
    const double disc_g = fluxes.disc[0] + fluxes.young[0], disc_z = fluxes.disc[3] + fluxes.young[3];
    redder += fluxes.bulge[0] * disc_z < disc_g * fluxes.bulge[3] ? 1 : 0, ++compared;
  }
  // Not where a dusty disc forms few stars.
  EXPECT_GT(redder, compared * 2 / 3);
}

TEST(SimulatedSurvey, NoiseIsWhatTheInverseVarianceSays) {
  double chi2 = 0.0;
  int64_t count = 0;
  for (int64_t index = 0; index < 10; ++index) {
    const Observation seen = observe(model(), {}, index);
    const auto &flux = seen.spectrum.flux, &ivar = seen.spectrum.ivar;
    for (size_t i = 3000; i + 1 < 3600; i += 2) {
      if (ivar[i] == 0.0F || ivar[i + 1] == 0.0F) continue;
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
  // Of bright time, at r < 19.5: a few.
  EXPECT_GT(medians[30], 1.5);
  EXPECT_LT(medians[30], 6.5);
}

TEST(SimulatedSurvey, AGalaxyDependsOnSeedAndIndexAlone) {
  const SpectrumModel another;
  const Observation a = observe(model(), {}, 7), b = observe(another, {}, 7), c = observe(model(), {}, 8);
  Parameters other;
  other.seed = 2;
  other.galaxies = 100;
  const Observation d = observe(model(), other, 7);
  EXPECT_EQ(a.image.flux, b.image.flux);
  EXPECT_EQ(a.spectrum.flux, b.spectrum.flux);
  EXPECT_NE(a.image.flux, c.image.flux);
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
  EXPECT_TRUE(std::equal(last.image.flux.begin(), last.image.flux.end(), a.begin() + 2 * 3 * 152 * 152));
  for (const Label& label : survey_labels()) EXPECT_NO_THROW((void)one.column(label.name)) << label.name;
}

}  // namespace
}  // namespace astroclip::simulation
