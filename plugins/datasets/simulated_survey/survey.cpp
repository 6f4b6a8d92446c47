#include "survey.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/threads.h"
#include "data/layouts/paired_file.h"

namespace astroclip::simulation {

namespace {

/// Grows with every change to what is drawn, so that old caches are not taken for new ones.
constexpr int recipe_version = 2;

const Label labels[] = {
    {"log_mass", "log10 M☉", "stellar mass", [](const Observation& seen) { return seen.galaxy.log_mass; }},
    {"age", "Gyr", "age of the old stars", [](const Observation& seen) { return seen.galaxy.age; }},
    {"dust", "mag", "attenuation of starlight at 5500 Å", [](const Observation& seen) { return seen.galaxy.dust; }},
    {"log_sfr", "log10 M☉/yr", "star-formation rate", [](const Observation& seen) { return seen.galaxy.log_sfr; }},
    {"mag_g", "AB mag", "measured total magnitude in g", [](const Observation& seen) { return seen.magnitudes[0]; }},
    {"mag_r", "AB mag", "measured total magnitude in r", [](const Observation& seen) { return seen.magnitudes[1]; }},
    {"mag_z", "AB mag", "measured total magnitude in z", [](const Observation& seen) { return seen.magnitudes[2]; }},
    {"fibermag_g", "AB mag", "magnitude of the observed spectrum through g",
     [](const Observation& seen) { return seen.fibre_magnitudes[0]; }},
    {"fibermag_r", "AB mag", "magnitude of the observed spectrum through r",
     [](const Observation& seen) { return seen.fibre_magnitudes[1]; }},
    {"fibermag_z", "AB mag", "magnitude of the observed spectrum through z",
     [](const Observation& seen) { return seen.fibre_magnitudes[2]; }},
};

/// Some galaxies, column by column.
class Block {
 public:
  explicit Block(bool with_ivar) : with_ivar_(with_ivar), columns_(std::size(labels)) {}

  void add(int64_t index, const Observation& seen) {
    images_.insert(images_.end(), seen.image.begin(), seen.image.end());
    spectra_.insert(spectra_.end(), seen.spectrum.flux.begin(), seen.spectrum.flux.end());
    if (with_ivar_) ivar_.insert(ivar_.end(), seen.spectrum.ivar.begin(), seen.spectrum.ivar.end());
    redshifts_.push_back(seen.galaxy.redshift);
    ids_.push_back(index);
    for (size_t i = 0; i < columns_.size(); ++i) columns_[i].push_back(labels[i].value(seen));
  }

  data::PairedRows rows() const {
    data::PairedRows rows{static_cast<int64_t>(ids_.size()), images_, spectra_, ivar_, redshifts_, ids_, {}};
    for (size_t i = 0; i < columns_.size(); ++i) rows.labels[labels[i].name] = columns_[i];
    return rows;
  }

 private:
  bool with_ivar_;
  std::vector<float> images_, spectra_, ivar_;
  std::vector<double> redshifts_;
  std::vector<int64_t> ids_;
  std::vector<std::vector<double>> columns_;
};

}  // namespace

std::span<const Label> survey_labels() { return labels; }

std::string recipe(const Parameters& p) {
  return fmt::format("simulated_survey {}: galaxies={} seed={} image_noise={} spectrum_noise={} ivar={}",
                     recipe_version, p.galaxies, p.seed, p.simulated_noise.image, p.simulated_noise.spectrum, p.ivar);
}

Observation observe(const SpectrumModel& model, const Parameters& parameters, int64_t index) {
  const auto seed = static_cast<uint64_t>(parameters.seed);
  Observation seen;
  seen.galaxy = draw_galaxy(seed, index);
  const ComponentSpectra light = model.spectra(seen.galaxy);
  const ComponentFluxes fluxes = {band_fluxes(light.bulge), band_fluxes(light.disc)};
  seen.image = observe_image(seen.galaxy, fluxes, parameters.simulated_noise.image, stream(seed, index, Stream::image));
  seen.spectrum =
      observe_spectrum(seen.galaxy, light, parameters.simulated_noise.spectrum, stream(seed, index, Stream::spectrum));
  seen.magnitudes = observe_photometry(seen.galaxy, fluxes.total(), parameters.simulated_noise.image,
                                       stream(seed, index, Stream::photometry));
  const BandFluxes fibre = band_fluxes(seen.spectrum.flux);
  for (size_t b = 0; b < fibre.size(); ++b) seen.fibre_magnitudes[b] = magnitude_of(fibre[b]);
  return seen;
}

void write_survey(const Parameters& parameters, const std::string& path) {
  constexpr int64_t block_rows = 128;
  const SpectrumModel model;
  std::vector<std::string> names;
  for (const Label& label : labels) names.push_back(label.name);
  data::PairedWriter writer(path, data::paired_groups(parameters.galaxies), names, parameters.ivar);
  writer.write_attribute("recipe", recipe(parameters));
  for (int64_t begin = 0; begin < parameters.galaxies; begin += block_rows) {
    const int64_t count = std::min(block_rows, parameters.galaxies - begin);
    std::vector<Observation> seen(static_cast<size_t>(count));
    parallel_for(count, 1, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) seen[static_cast<size_t>(i)] = observe(model, parameters, begin + i);
    });
    Block block(parameters.ivar);
    for (int64_t i = 0; i < count; ++i) block.add(begin + i, seen[static_cast<size_t>(i)]);
    writer.write(block.rows());
  }
  writer.commit();
}

}  // namespace astroclip::simulation
