#pragma once

#include <span>
#include <vector>

namespace astroclip::pixels {

/// An arcsinh stretch of fluxes x, each band scaled by its s. The constants are those of the Legacy Surveys' viewer, as
/// AstroCLIP uses them for the bands g, r, z.
struct Stretch {
  enum class Kind {
    rgb,    ///< one brightness for all bands, which keeps colours: to_rgb
    bands,  ///< each band by itself: arcsinh
  };
  Kind kind = Kind::rgb;
  std::vector<double> scales = {6.0, 3.4, 2.2};  ///< s, one for each band
  double offset = 0.03;                          ///< m
  double softening = 20.0;                       ///< Q
};

/// Fluxes [bands, pixels] become [bands, pixels] in [0, 1], bands in reverse order: I = mean of max(0, s·x + m) over
/// the bands; a plane is (s·x + m)·asinh(Q·I)/√Q/I, I = 1e-6 where it vanishes, clipped.
void to_rgb(std::span<const float> flux, const Stretch& stretch, std::span<float> rgb);

/// Each band by itself, in its place and not clipped: asinh(Q·(s·x + m))/√Q.
void arcsinh(std::span<const float> flux, const Stretch& stretch, std::span<float> out);

}  // namespace astroclip::pixels
