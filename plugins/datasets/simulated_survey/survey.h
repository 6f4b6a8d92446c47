#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/survey.h"
#include "image.h"
#include "spectrograph.h"
#include "votes.h"

namespace astroclip::simulation {

/// Factors on the simulated noise.
struct Noise {
  double image = 1.0;     ///< sky noise of images and magnitudes
  double spectrum = 1.0;  ///< noise and calibration errors of spectra
};

struct Parameters {
  int64_t galaxies = 4096;
  int64_t seed = 1;
  std::string bands{data::published_bands};
  Noise simulated_noise;
  bool ivar = false;
  std::string cache;
  std::string file;
};

/// Everything the survey records of one galaxy.
struct Observation {
  Galaxy galaxy;
  data::StellarProperties stars{};
  Indices indices{};               ///< of the starlight without noise
  double half_light_radius = 0.0;  ///< in r, arcsec
  Image image;
  std::vector<std::vector<int64_t>> votes;  ///< by question of Galaxy Zoo and answer
  FibreSpectrum spectrum;
  PipelineFit fit{};
  Photometry photometry{};        ///< total; r is below the survey's limit
  BandFluxes fibre_magnitudes{};  ///< of the noisy spectrum, through the part of the bands that it covers
};

/// Galaxy `index`: the same on every thread and for any number of galaxies.
Observation observe(const SpectrumModel& model, const Parameters& parameters, int64_t index);

/// A label of a survey's file. A new one stands in the table in survey.cpp, and nowhere else.
struct Label {
  std::string name, unit, meaning;
  std::function<double(const Observation&)> value;
};
/// Those besides the redshift.
std::span<const Label> survey_labels();

/// What the contents of a survey's file depend on; stands in the file as the attribute "recipe".
std::string recipe(const Parameters& parameters);

/// Makes all galaxies, on the compute threads, and writes them durably in the paired layout.
void write_survey(const Parameters& parameters, const std::string& path);

}  // namespace astroclip::simulation
