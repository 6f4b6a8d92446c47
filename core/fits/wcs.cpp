#include "fits/wcs.h"

#include <fmt/format.h>
#include <wcs.h>
#include <wcsfix.h>
#include <wcshdr.h>
#include <wcsmath.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace astroclip::fits {

namespace {

constexpr double degree = std::numbers::pi / 180.0;

std::shared_ptr<wcsprm> empty_parameters() {
  const auto release = [](wcsprm* parameters) {
    wcsfree(parameters);
    delete parameters;
  };
  std::shared_ptr<wcsprm> parameters(new wcsprm{}, release);
  parameters->flag = -1;  // nothing is allocated yet
  return parameters;
}

void check(int status) {
  if (status != 0) throw Error(fmt::format("its world coordinates cannot be used: {}", wcs_errmsg[status]));
}

/// The coordinates of the first two axes of a header's primary description; those of other axes do not matter.
std::shared_ptr<wcsprm> image_axes(std::string& cards) {
  struct Descriptions {
    int count = 0;
    wcsprm* all = nullptr;
    ~Descriptions() { wcsvfree(&count, &all); }
  } found;
  int rejected = 0;
  check(wcspih(cards.data(), static_cast<int>(cards.size() / 80), WCSHDR_all, 0, &rejected, &found.count, &found.all));
  auto parameters = empty_parameters();
  int axes[] = {1, 2}, count = 2;
  if (found.count == 0 || found.all[0].alt[0] != ' ' || found.all[0].naxis < count) return nullptr;
  check(wcssub(1, found.all, &count, axes, parameters.get()));
  return parameters;
}

/// Turns galactic coordinates into equatorial ones, and refuses others that are not ICRS to a small part of a second.
void make_icrs(wcsprm& wcs) {
  const std::string longitude = wcs.lngtyp, latitude = wcs.lattyp;
  if (longitude == "GLON" && latitude == "GLAT") {
    // J2000 position of the galactic pole, galactic longitude of the J2000 pole (ESA 1997, SP-1200, section 1.5.3).
    check(wcsccs(&wcs, 192.85948, 27.12825, 122.93192, "RA", "DEC", "ICRS", 0.0, nullptr));
    return check(wcsset(&wcs));
  }
  if (longitude != "RA" || latitude != "DEC") {
    throw Error(
        fmt::format("its coordinates are {} and {}; equatorial and galactic ones are read", longitude, latitude));
  }
  const bool has_equinox = !undefined(wcs.equinox);
  std::string system = wcs.radesys;
  if (system.empty()) system = has_equinox && wcs.equinox < 1984.0 ? "FK4" : "FK5";  // FITS standard, section 8.3
  if (system == "ICRS" || (system == "FK5" && (!has_equinox || wcs.equinox == 2000.0))) return;
  throw Error(fmt::format("its coordinates are {}{}; ICRS, FK5 of equinox 2000 and galactic ones are read", system,
                          has_equinox ? fmt::format(" of equinox {}", wcs.equinox) : ""));
}

}  // namespace

double separation(const SkyPosition& a, const SkyPosition& b) {
  const double ra = std::sin(0.5 * degree * (a.ra - b.ra)), dec = std::sin(0.5 * degree * (a.dec - b.dec));
  const double h = dec * dec + std::cos(a.dec * degree) * std::cos(b.dec * degree) * ra * ra;
  return 2.0 * std::asin(std::min(1.0, std::sqrt(h))) / degree;
}

Wcs Wcs::from_header(std::string cards) {
  Wcs wcs;
  wcs.parameters_ = image_axes(cards);
  if (wcs.parameters_ == nullptr) throw Error("it has no world coordinates");
  wcsprm& parameters = *wcs.parameters_;
  unitfix(0, &parameters);  // units and projections as they were spelt of old; what is left is found by the next
  celfix(&parameters);
  check(wcsset(&parameters));
  if (parameters.lng < 0 || parameters.lat < 0) {
    throw Error(fmt::format("its first two axes are no positions on the sky (CTYPE1 = '{}', CTYPE2 = '{}')",
                            parameters.ctype[0], parameters.ctype[1]));
  }
  make_icrs(parameters);
  return wcs;
}

Wcs Wcs::tangent(const SkyPosition& centre, const Pixel& at, double scale) {
  Wcs wcs;
  wcs.parameters_ = empty_parameters();
  wcsprm& parameters = *wcs.parameters_;
  check(wcsini(1, 2, &parameters));
  constexpr const char* types[] = {"RA---TAN", "DEC--TAN"};
  const double values[] = {centre.ra, centre.dec}, pixels[] = {at.x, at.y}, steps[] = {-scale, scale};
  for (size_t axis = 0; axis < 2; ++axis) {
    std::string_view(types[axis]).copy(parameters.ctype[axis], sizeof parameters.ctype[axis]);
    parameters.crval[axis] = values[axis];
    parameters.crpix[axis] = pixels[axis];
    parameters.cdelt[axis] = steps[axis];
  }
  check(wcsset(&parameters));
  return wcs;
}

SkyPosition Wcs::position_of(const Pixel& pixel) const {
  const double from[] = {pixel.x, pixel.y};
  double plane[2], phi = 0.0, theta = 0.0, world[2];
  int bad = 0;
  if (wcsp2s(parameters_.get(), 1, 2, from, plane, &phi, &theta, world, &bad) != 0) {
    throw Error(fmt::format("its projection gives pixel ({:.1f}, {:.1f}) no place on the sky", pixel.x, pixel.y));
  }
  return {std::fmod(world[parameters_->lng] + 360.0, 360.0), world[parameters_->lat]};
}

Pixel Wcs::pixel_of(const SkyPosition& position) const {
  double world[2], phi = 0.0, theta = 0.0, plane[2], pixel[2];
  world[parameters_->lng] = position.ra;
  world[parameters_->lat] = position.dec;
  int bad = 0;
  if (wcss2p(parameters_.get(), 1, 2, world, &phi, &theta, plane, pixel, &bad) != 0) {
    throw Error(fmt::format("its projection does not reach RA {:.4f}, Dec {:.4f}", position.ra, position.dec));
  }
  return {pixel[0], pixel[1]};
}

}  // namespace astroclip::fits
