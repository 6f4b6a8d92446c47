#include "data/sky_levels.h"

#include <cmath>

namespace astroclip::data {

double LogNormal::draw(Rng& rng) const { return loc + scale * std::exp(shape * rng.normal()); }

const std::map<std::string, LogNormal>& psf_fits() {
  static const std::map<std::string, LogNormal> fits = {{"g", {0.2109966, 1.0807153, 1.3153171}},
                                                        {"r", {0.3008485, 1.2394326, 0.9164757}},
                                                        {"i", {0.32, 1.21, 0.87}},
                                                        {"z", {0.3471172, 1.1928363, 0.8233702}}};
  return fits;
}

const std::map<std::string, LogNormal>& noise_fits() {
  static const std::map<std::string, LogNormal> fits = {{"g", {0.2264926, -0.0006735, 0.0037602}},
                                                        {"r", {0.2431146, -0.0023663, 0.0067417}},
                                                        {"i", {0.19, -0.0060, 0.0130}},
                                                        {"z", {0.1334844, -0.0143416, 0.0260779}}};
  return fits;
}

}  // namespace astroclip::data
