#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "spectrum.h"

namespace astroclip::simulation {

/// The share of a profile of unit flux in each pixel, [y, x] of a stamp, centred (x, y) = `offset` pixels from
/// the middle of the stamp, before any blurring.
std::vector<float> sersic_stamp(const Profile& profile, std::array<double, 2> offset);

/// Blurs a stamp by a Gaussian of `sigma` pixels; nothing comes in from outside.
void blur(std::span<float> stamp, double sigma);

/// What the sky was like: per band, Gaussian σ of the seeing in pixels and of the noise in nanomaggies.
struct Seeing {
  BandFluxes psf, noise;
};
/// Log-normal fits to the Legacy Survey, as published for the image encoder's augmentations; i lies between r and z.
/// `scale` multiplies the noise.
Seeing draw_seeing(double scale, Rng& rng);

/// The share of each part's light in each pixel, [y, x], before the seeing; the sums are 1 but for what falls outside.
struct Stamps {
  std::vector<float> bulge, disc, young;
};
Stamps galaxy_stamps(const Galaxy& galaxy, std::array<double, 2> offset);

/// The half-light radius of a galaxy in a band, arcsec: the semi-major axis of the ellipse of the disc's shape that
/// holds half of the light of its profiles, before the seeing. Companions and what moves the light of a disc are left
/// out.
double half_light_radius(const Galaxy& galaxy, const PartFluxes& fluxes, size_t band);

struct Image {
  std::vector<float> flux;  ///< [bands, 152, 152] of (band, y, x), nanomaggies
  Seeing seeing;
};
/// The image of a galaxy with what lies beside it, in some of the bands g, r, i, z.
Image observe_image(const Galaxy& galaxy, const PartFluxes& fluxes, std::string_view bands, double noise, Rng rng);

/// Total magnitudes in g, r, i, z with their errors, as a catalogue would have them: noise of the sky under the galaxy,
/// and 1 % of calibration.
struct Photometry {
  BandFluxes magnitudes, errors;
};
Photometry observe_photometry(const Galaxy& galaxy, const BandFluxes& fluxes, double noise, Rng& rng);

}  // namespace astroclip::simulation
