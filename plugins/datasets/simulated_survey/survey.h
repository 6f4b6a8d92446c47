#pragma once

#include <span>
#include <string>
#include <vector>

#include "image.h"
#include "spectrum.h"

namespace astroclip::simulation {

/// Factors on the simulated noise.
struct Noise {
  double image = 1.0;     ///< sky noise of images and magnitudes
  double spectrum = 1.0;  ///< noise and calibration errors of spectra
};

struct Parameters {
  int64_t galaxies = 4096;
  int64_t seed = 1;
  Noise simulated_noise;
  bool ivar = false;
  std::string cache;
  std::string file;
};

/// Everything the survey records of one galaxy.
struct Observation {
  Galaxy galaxy;
  std::vector<float> image;  ///< [3, 152, 152], axes (band, y, x), nanomaggies
  FibreSpectrum spectrum;
  BandFluxes magnitudes;        ///< total, with photometric noise
  BandFluxes fibre_magnitudes;  ///< of the noisy spectrum, through the part of the bands that it covers
};

/// Galaxy `index`: the same on every thread and for any number of galaxies.
Observation observe(const SpectrumModel& model, const Parameters& parameters, int64_t index);

/// A label of a survey's file. A new one stands in the table in survey.cpp, and nowhere else.
struct Label {
  std::string name, unit, meaning;
  double (*value)(const Observation& seen);
};
/// Those besides the redshift.
std::span<const Label> survey_labels();

/// What the contents of a survey's file depend on; stands in the file as the attribute "recipe".
std::string recipe(const Parameters& parameters);

/// Makes all galaxies, on the compute threads, and writes them durably in the paired layout.
void write_survey(const Parameters& parameters, const std::string& path);

}  // namespace astroclip::simulation
