#include "survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "base/threads.h"
#include "cosmology.h"
#include "data/layouts/paired_file.h"

namespace astroclip::simulation {

namespace {

/// Grows with every change to what is drawn, so that old caches are not taken for new ones.
constexpr int recipe_version = 6;

/// Beside those of stars, magnitudes and votes.
const Label properties[] = {
    {"dust", "mag", "attenuation of starlight at 5500 Å", [](const Observation& seen) { return seen.galaxy.dust; }},
    {"quenched", "", "1 for galaxies that form few stars",
     [](const Observation& seen) { return seen.galaxy.quenched ? 1.0 : 0.0; }},
    {"half_light_radius", "arcsec", "semi-major axis of the ellipse that holds half of the light in r, without seeing",
     [](const Observation& seen) { return seen.half_light_radius; }},
    {"velocity_dispersion", "km/s", "velocity dispersion of the stars",
     [](const Observation& seen) { return seen.galaxy.velocity_sigma; }},
    {"gas_metallicity", "", "12 + log10(O/H) of the gas, by the O3N2 calibration of Pettini & Pagel (2004)",
     [](const Observation& seen) { return seen.galaxy.gas.oxygen; }},
    {"dn4000", "", "Dn4000 of the starlight", [](const Observation& seen) { return seen.indices.dn4000; }},
    {"hdelta_a", "Å", "HδA of the starlight", [](const Observation& seen) { return seen.indices.hdelta; }},
    {"mgb", "Å", "Mg b of the starlight", [](const Observation& seen) { return seen.indices.mgb; }},
    {"fibermag_g", "AB mag", "magnitude of the observed spectrum through g",
     [](const Observation& seen) { return seen.fibre_magnitudes[0]; }},
    {"fibermag_r", "AB mag", "magnitude of the observed spectrum through r",
     [](const Observation& seen) { return seen.fibre_magnitudes[1]; }},
    {"fibermag_z", "AB mag", "magnitude of the observed spectrum through z",
     [](const Observation& seen) { return seen.fibre_magnitudes[3]; }},
    {"pipeline_z", "", "redshift that a pipeline would find",
     [](const Observation& seen) { return seen.fit.redshift; }},
    {"pipeline_zerr", "", "its error", [](const Observation& seen) { return seen.fit.error; }},
    {"pipeline_deltachi2", "", "difference in χ² to the second best redshift",
     [](const Observation& seen) { return seen.fit.delta_chi2; }},
    {"pipeline_zwarn", "", "warnings of the pipeline: 0 for none",
     [](const Observation& seen) { return seen.fit.warning; }},
    {"pipeline_quasar", "", "class: 0 for a galaxy, 1 for a quasar",
     [](const Observation& seen) { return seen.fit.is_quasar; }},
};

std::vector<Label> stellar_and_photometric_labels() {
  std::vector<Label> labels;
  for (const data::StellarLabel& stellar : data::stellar_labels()) {
    const auto value = [&stellar](const Observation& seen) { return stellar.value(seen.stars); };
    labels.push_back({stellar.name, stellar.unit, stellar.meaning, value});
  }
  for (size_t b = 0; b < band_letters.size(); ++b) {
    const std::string band(1, band_letters[b]);
    const auto value = [b](const Observation& seen) { return seen.photometry.magnitudes[b]; };
    const auto error = [b](const Observation& seen) { return seen.photometry.errors[b]; };
    labels.push_back({"mag_" + band, "AB mag", "measured total magnitude in " + band, value});
    labels.push_back({"magerr_" + band, "mag", "error of the measured total magnitude in " + band, error});
  }
  return labels;
}

/// Of each question the number of answers, of each answer its share: unknown where nobody was asked.
std::vector<Label> vote_labels() {
  std::vector<Label> labels;
  const auto questions = data::galaxy_zoo_decals();
  for (size_t q = 0; q < questions.size(); ++q) {
    const auto total = [q](const Observation& seen) {
      return static_cast<double>(std::accumulate(seen.votes[q].begin(), seen.votes[q].end(), int64_t{0}));
    };
    labels.push_back({data::total_votes(questions[q]), "", "number of answers to '" + questions[q].name + "'", total});
    for (size_t a = 0; a < questions[q].answers.size(); ++a) {
      labels.push_back({data::vote_share(questions[q], a, "fraction"), "",
                        "share of the votes on '" + questions[q].name + "'", [=](const Observation& seen) {
                          const double asked = total(seen);
                          return asked > 0.0 ? static_cast<double>(seen.votes[q][a]) / asked : std::nan("");
                        }});
    }
  }
  return labels;
}

/// Some galaxies, column by column.
class Block {
 public:
  explicit Block(bool with_ivar) : with_ivar_(with_ivar), columns_(survey_labels().size()) {}

  void add(int64_t index, const Observation& seen) {
    images_.insert(images_.end(), seen.image.flux.begin(), seen.image.flux.end());
    spectra_.insert(spectra_.end(), seen.spectrum.flux.begin(), seen.spectrum.flux.end());
    if (with_ivar_) ivar_.insert(ivar_.end(), seen.spectrum.ivar.begin(), seen.spectrum.ivar.end());
    redshifts_.push_back(seen.galaxy.redshift);
    ids_.push_back(index);
    for (size_t i = 0; i < columns_.size(); ++i) columns_[i].push_back(survey_labels()[i].value(seen));
  }

  data::PairedRows rows() const {
    data::PairedRows rows{static_cast<int64_t>(ids_.size()), images_, spectra_, ivar_, redshifts_, ids_, {}};
    for (size_t i = 0; i < columns_.size(); ++i) rows.labels[survey_labels()[i].name] = columns_[i];
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

std::span<const Label> survey_labels() {
  static const std::vector<Label> labels = [] {
    std::vector<Label> all = stellar_and_photometric_labels();
    std::ranges::copy(properties, std::back_inserter(all));
    std::ranges::move(vote_labels(), std::back_inserter(all));
    return all;
  }();
  return labels;
}

std::string recipe(const Parameters& p) {
  return fmt::format("simulated_survey {}: galaxies={} seed={} bands={} image_noise={} spectrum_noise={} ivar={}",
                     recipe_version, p.galaxies, p.seed, p.bands, p.simulated_noise.image, p.simulated_noise.spectrum,
                     p.ivar);
}

Observation observe(const SpectrumModel& model, const Parameters& parameters, int64_t index) {
  const auto seed = static_cast<uint64_t>(parameters.seed);
  const double image_noise = parameters.simulated_noise.image;
  Rng draws = stream(seed, index, Stream::galaxy), photometry = stream(seed, index, Stream::photometry);
  // Stars alone, from few wavelengths, are within this of the magnitude with its noise.
  constexpr double margin = 0.5;
  constexpr size_t r = 1;
  Observation seen;
  ModelLight light;
  PartFluxes fluxes;
  for (;;) {
    seen.galaxy = draw_galaxy(draws);
    if (magnitude_of(model.rough_fluxes(seen.galaxy)[r]) > magnitude_limit + margin) continue;
    light = model.light(seen.galaxy);
    fluxes = part_fluxes(light);
    seen.photometry = observe_photometry(seen.galaxy, fluxes.total(), image_noise, photometry);
    if (seen.photometry.magnitudes[r] < magnitude_limit) break;
  }

  const double metallicity = solar_metallicity * std::pow(10.0, seen.galaxy.log_metallicity);
  const data::HistoryLabels history =
      data::provabgs_labels(binned(seen.galaxy.history, metallicity, cosmic_age_gyr(seen.galaxy.redshift)));
  seen.stars = {log_stellar_mass(seen.galaxy), history.age, history.metallicity,
                seen.galaxy.history.formed * history.specific_rate};
  std::vector<float> stars = light.disc;
  for (size_t i = 0; i < stars.size(); ++i) stars[i] += light.bulge[i] + light.young[i];
  seen.indices = spectral_indices(stars, seen.galaxy.redshift);
  seen.half_light_radius = half_light_radius(seen.galaxy, fluxes, r);
  seen.image = observe_image(seen.galaxy, fluxes, parameters.bands, image_noise, stream(seed, index, Stream::image));
  seen.votes = draw_votes(seen.galaxy, visibility(seen.galaxy, fluxes.total()[r], seen.image.seeing),
                          stream(seed, index, Stream::votes));
  Rng spectrograph = stream(seed, index, Stream::spectrum);
  const Exposure exposure = draw_exposure(parameters.simulated_noise.spectrum, spectrograph);
  seen.spectrum = observe_spectrum(seen.galaxy, light, exposure, spectrograph);
  seen.fit = fit_redshift(seen.galaxy, seen.spectrum, stream(seed, index, Stream::pipeline));
  const BandFluxes fibre = band_fluxes(seen.spectrum.flux);
  for (size_t b = 0; b < fibre.size(); ++b) seen.fibre_magnitudes[b] = magnitude_of(fibre[b]);
  return seen;
}

void write_survey(const Parameters& parameters, const std::string& path) {
  constexpr int64_t block_rows = 128;
  const SpectrumModel model;
  std::vector<std::string> names;
  for (const Label& label : survey_labels()) names.push_back(label.name);
  data::PairedWriter writer(path, data::paired_groups(parameters.galaxies), names, parameters.ivar,
                            std::ssize(parameters.bands));
  writer.write_attribute("recipe", recipe(parameters));
  writer.write_attribute("bands", parameters.bands);
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
