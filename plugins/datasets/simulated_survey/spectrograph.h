#pragma once

#include <span>
#include <vector>

#include "base/rng.h"
#include "spectrum.h"

namespace astroclip::simulation {

/// σ of the spectrograph's line spread, Å: 1.8 Å at half height.
inline constexpr double spectrograph_sigma = 0.764;

/// What the spectrograph's noise is made of: σ of each of the survey's pixels for a source of no flux, in an exposure
/// of bright time, 1e-17 erg/s/cm²/Å.
std::span<const float> spectrograph_noise();

/// The share of a profile's light that a fibre of 1.5″ takes in under a seeing of this FWHM in arcsec.
double fibre_fraction(const Profile& profile, double seeing);

/// What one exposure was like; nothing in it depends on the galaxy.
struct Exposure {
  double seeing = 1.1;        ///< FWHM, arcsec
  double calibration = 1.0;   ///< factor on the flux: pointing, calibration
  double tilt = 0.0;          ///< of the calibration from one end of the spectrum to the other
  double noise = 1.0;         ///< factor on the noise; 0: none, and no residuals or masked pixels
  double sky_residual = 0.0;  ///< share of the sky lines left in
};
/// `noise` multiplies noise and calibration errors.
Exposure draw_exposure(double noise, Rng& rng);

struct FibreSpectrum {
  std::vector<float> flux;  ///< on the survey's 7781 pixels, 1e-17 erg/s/cm²/Å
  std::vector<float> ivar;  ///< 0 where a pixel was masked
  /// χ² that the features of the noiseless spectrum, less a mean over 200 Å, are worth under this noise.
  double feature_chi2 = 0.0;
};
/// Sees a galaxy through a fibre: the light of its parts that falls in, stars in motion, noise of sky and source,
/// residuals of sky lines, pixels masked for cosmic rays.
FibreSpectrum observe_spectrum(const Galaxy& galaxy, const ModelLight& light, const Exposure& exposure, Rng& rng);

/// What a pipeline says of a spectrum: as DESI's Redrock, mostly right.
struct PipelineFit {
  double redshift, error;
  double delta_chi2;  ///< over the second best redshift
  double warning;     ///< 0, or 4: the second best is nearly as good
  double is_quasar;   ///< class: 0 a galaxy, 1 a quasar
};
PipelineFit fit_redshift(const Galaxy& galaxy, const FibreSpectrum& seen, Rng rng);

}  // namespace astroclip::simulation
