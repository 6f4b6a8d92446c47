#pragma once

#include <map>
#include <string>

#include "base/rng.h"

namespace astroclip::data {

/// A distribution over the sky: loc + scale·exp(shape·z), z standard normal.
struct LogNormal {
  double shape = 0.0, loc = 0.0, scale = 0.0;
  double draw(Rng& rng) const;
};

/// Fits to the Legacy Surveys by band, as AstroCLIP publishes them for g, r and z; those of i lie between r and z. The
/// PSF's Gaussian σ in pixels of 0.262″ (of the southern survey), and the deviation of the noise in nanomaggies.
const std::map<std::string, LogNormal>& psf_fits();
const std::map<std::string, LogNormal>& noise_fits();

}  // namespace astroclip::data
