#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"
#include "galaxy.h"

namespace astroclip::simulation {

inline constexpr int64_t band_count = 3;  // g, r, z
using BandFluxes = std::array<double, band_count>;

/// Throughput of a DECam-like band at a wavelength in Å, up to a factor, which AB magnitudes do not see.
double band_response(int64_t band, double wavelength);
/// AB fluxes in nanomaggies of a spectrum on the model's grid (or the part of it that the survey observes), in 1e-17
/// erg/s/cm²/Å: photon-weighted, Σ f λ T / Σ (c/λ) T (Bessell & Murphy 2012, eq. A12).
BandFluxes band_fluxes(std::span<const float> spectrum);
/// 22.5 − 2.5 log10(flux); fluxes under a thousandth of a nanomaggy count as that.
double magnitude_of(double nanomaggies);

/// What bulge and disc are seen with.
struct ComponentFluxes {
  BandFluxes bulge{}, disc{};
  BandFluxes total() const { return {bulge[0] + disc[0], bulge[1] + disc[1], bulge[2] + disc[2]}; }
};

/// The share of a profile of unit flux in each pixel, [y, x] of a stamp, centred (x, y) = `offset` pixels from
/// the middle of the stamp, before any blurring.
std::vector<float> sersic_stamp(const Profile& profile, std::array<double, 2> offset);

/// Blurs a stamp by a Gaussian of `sigma` pixels; nothing comes in from outside.
void blur(std::span<float> stamp, double sigma);

/// What the sky was like: per band, Gaussian σ of the seeing in pixels and of the noise in nanomaggies.
struct Seeing {
  BandFluxes psf, noise;
};
/// Log-normal fits to the Legacy Survey, as published for the image encoder's augmentations. `scale` multiplies the
/// noise.
Seeing draw_seeing(double scale, Rng& rng);

/// The image of a galaxy: [3, 152, 152] of (band, y, x), nanomaggies.
std::vector<float> observe_image(const Galaxy& galaxy, const ComponentFluxes& fluxes, double noise, Rng rng);

/// Total magnitudes as a catalogue would have them: noise of the sky under the galaxy, and 1 % of calibration.
BandFluxes observe_photometry(const Galaxy& galaxy, const BandFluxes& fluxes, double noise, Rng rng);

}  // namespace astroclip::simulation
