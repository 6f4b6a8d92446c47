#pragma once

#include <span>
#include <string>
#include <vector>

#include "image.h"
#include "spectrum.h"

namespace astroclip::simulation {

struct Parameters {
  int64_t galaxies = 4096;
  int64_t seed = 1;
  double image_noise = 1.0;
  double spectrum_noise = 1.0;
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

/// The labels of a survey's file besides the redshift.
std::span<const std::string> survey_labels();

/// What the contents of a survey's file depend on; stands in the file as the attribute "recipe".
std::string recipe(const Parameters& parameters);

/// Makes all galaxies, on the compute threads, and writes them durably in the paired layout.
void write_survey(const Parameters& parameters, const std::string& path);

}  // namespace astroclip::simulation
