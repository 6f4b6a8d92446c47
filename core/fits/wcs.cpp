#include "fits/wcs.h"

#include <fmt/format.h>
#include <wcs.h>
#include <wcsfix.h>
#include <wcshdr.h>
#include <wcsmath.h>

#include <cstdio>
#include <string_view>

#include "base/error.h"
#include "fits/header.h"

namespace astroclip::fits {

namespace {

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

constexpr size_t card_size = 80;

/// Distortions by tables lie in HDUs of their own, which wcslib does not know of.
void check_distortions(const Header& header) {
  for (const int axis : {1, 2}) {
    for (const char* key : {"CPDIS", "CQDIS", "D2IMDIS"}) {
      const std::string name = fmt::format("{}{}", key, axis);
      const std::string kind = header.text(name).value_or("");
      if (kind.starts_with("LOOKUP") || kind.starts_with("Lookup")) {
        throw Error(fmt::format("its positions are distorted by a table ({} = '{}'), which is not read", name, kind));
      }
    }
  }
  if (header.number("AXISCORR")) throw Error("its positions are distorted by a table (AXISCORR), which is not read");
}

/// Whether a card is a PVi_m of the polynomials of TPV, and of no tangent projection.
bool is_polynomial(std::string_view card) {
  int axis = 0, term = 0;
  return std::sscanf(std::string(card.substr(0, 8)).c_str(), "PV%d_%d", &axis, &term) == 2 &&
         (term > 4 || (axis == 2 && term > 0));
}

/// Says by CTYPE what the polynomials of a tangent projection mean where the header does not: those of SIP need the
/// suffix, those of PV are TPV's, as SCAMP wrote them before 2012. Where there are both, those of PV stand for the same
/// distortion once more, and go.
void name_polynomials(std::string& cards) {
  const Header header(cards);
  for (const int axis : {1, 2}) {  // the linear term of TPV is 1 where it is not given, for wcslib 0
    const bool is_tpv = header.text(fmt::format("CTYPE{}", axis)).value_or("").ends_with("-TPV");
    const std::string term = fmt::format("PV{}_1", axis);
    if (is_tpv && !header.number(term)) cards.insert(0, fmt::format("{:<80}", fmt::format("{:<8}= 1.0", term)));
  }
  bool has_pv = false;
  for (size_t at = 0; at + card_size <= cards.size(); at += card_size) {
    has_pv = has_pv || is_polynomial(std::string_view(cards).substr(at, card_size));
  }
  const bool has_sip = header.number("A_ORDER") && header.number("B_ORDER");
  if (!has_pv && !has_sip) return;
  for (size_t at = 0; at + card_size <= cards.size(); at += card_size) {
    const std::string_view card = std::string_view(cards).substr(at, card_size);
    const std::string name(card.substr(0, card.find_last_not_of(' ', 7) + 1));
    if (has_sip && card.starts_with("PV") && header.number(name)) {
      cards.replace(at, card_size, card_size, ' ');
    } else if (name == "CTYPE1" || name == "CTYPE2") {
      const std::string type = *header.text(name);
      if (type != "RA---TAN" && type != "DEC--TAN") continue;
      const std::string named = has_sip ? type + "-SIP" : type.substr(0, 5) + "TPV";
      cards.replace(at, card_size, fmt::format("{:<80}", fmt::format("{:<8}= '{}'", name, named)));
    }
  }
}

/// The coordinates of two axes in a header's primary description; those of other axes do not matter.
std::shared_ptr<wcsprm> image_axes(std::string& cards, int first) {
  struct Descriptions {
    int count = 0;
    wcsprm* all = nullptr;
    ~Descriptions() { wcsvfree(&count, &all); }
  } found;
  int rejected = 0;
  check(wcspih(cards.data(), static_cast<int>(cards.size() / 80), WCSHDR_all, 0, &rejected, &found.count, &found.all));
  auto parameters = empty_parameters();
  int axes[] = {first, first + 1}, count = 2;
  if (found.count == 0 || found.all[0].alt[0] != ' ' || found.all[0].naxis <= first) return nullptr;
  check(wcssub(1, found.all, &count, axes, parameters.get()));
  return parameters;
}

/// By the rules of the FITS standard, section 8.3.
SkyFrame frame_of(const wcsprm& wcs) {
  const std::string longitude = wcs.lngtyp, latitude = wcs.lattyp;
  if (longitude == "GLON" && latitude == "GLAT") return SkyFrame::galactic();
  if (longitude != "RA" || latitude != "DEC") {
    throw Error(
        fmt::format("its coordinates are {} and {}; equatorial and galactic ones are read", longitude, latitude));
  }
  const bool has_equinox = !undefined(wcs.equinox);
  std::string system = wcs.radesys;
  if (system.empty()) system = !has_equinox ? "ICRS" : wcs.equinox < 1984.0 ? "FK4" : "FK5";
  if (system == "ICRS") return SkyFrame::icrs();
  if (system == "FK5") return SkyFrame::fk5(has_equinox ? wcs.equinox : 2000.0);
  if (system == "FK4") return SkyFrame::fk4(has_equinox ? wcs.equinox : 1950.0, true);
  if (system == "FK4-NO-E") return SkyFrame::fk4(has_equinox ? wcs.equinox : 1950.0, false);
  throw Error(fmt::format("its coordinates are {} (RADESYS); ICRS, FK5, FK4 and galactic ones are read", system));
}

}  // namespace

Wcs Wcs::from_header(std::string cards, int first) {
  check_distortions(Header(cards));
  name_polynomials(cards);
  const auto axes = image_axes(cards, first);
  if (axes == nullptr) throw Error("it has no world coordinates");
  wcsprm& parameters = *axes;
  unitfix(0, &parameters);  // units and projections as they were spelt of old; what is left is found by the next
  celfix(&parameters);
  check(wcsset(&parameters));
  if (parameters.lng < 0 || parameters.lat < 0) {
    throw Error(fmt::format("its axes are no positions on the sky (CTYPE{} = '{}', CTYPE{} = '{}')", first,
                            parameters.ctype[0], first + 1, parameters.ctype[1]));
  }
  return {axes, frame_of(parameters)};
}

Wcs Wcs::tangent(const SkyPosition& centre, const Pixel& at, double scale) {
  const auto plane = empty_parameters();
  wcsprm& parameters = *plane;
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
  return {plane, SkyFrame::icrs()};
}

SkyPosition Wcs::position_of(const Pixel& pixel) const {
  const double from[] = {pixel.x, pixel.y};
  double plane[2], phi = 0.0, theta = 0.0, world[2];
  int bad = 0;
  if (wcsp2s(parameters_.get(), 1, 2, from, plane, &phi, &theta, world, &bad) != 0) {
    throw Error(fmt::format("its projection gives pixel ({:.1f}, {:.1f}) no place on the sky", pixel.x, pixel.y));
  }
  return frame_.to_icrs({world[parameters_->lng], world[parameters_->lat]});
}

Pixel Wcs::pixel_of(const SkyPosition& position) const {
  const SkyPosition own = frame_.from_icrs(position);
  double world[2], phi = 0.0, theta = 0.0, plane[2], pixel[2];
  world[parameters_->lng] = own.ra;
  world[parameters_->lat] = own.dec;
  int bad = 0;
  if (wcss2p(parameters_.get(), 1, 2, world, &phi, &theta, plane, pixel, &bad) != 0) {
    throw Error(fmt::format("its projection does not reach RA {:.4f}, Dec {:.4f}", position.ra, position.dec));
  }
  return {pixel[0], pixel[1]};
}

}  // namespace astroclip::fits
