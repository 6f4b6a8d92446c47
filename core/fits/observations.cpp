#include "fits/observations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "io/fits.h"

namespace astroclip::fits {

namespace {

using io::FitsFile;

constexpr const char* arms[] = {"B", "R", "Z"};

/// Takes the spectrum, or refuses it when too little of it was measured.
void add_spectrum(Observations& found, ObservedSpectrum one) {
  if (one.spectrum.measured == 0) {
    found.refused.push_back({one.row, "no pixel was measured (inverse variance above 0)"});
  } else if (one.spectrum.measured < fewest_measured) {
    found.refused.push_back({one.row, fmt::format("{} of {} pixels were measured, {} are needed", one.spectrum.measured,
                                                  data::spectrum_pixels, fewest_measured)});
  } else {
    fill_gaps(one.spectrum);
    found.spectra.push_back(std::move(one));
  }
}

std::span<const double> row_of(const std::vector<double>& values, int64_t row, int64_t columns) {
  return std::span(values).subspan(static_cast<size_t>(row * columns), static_cast<size_t>(columns));
}

/// All fibres of one arm.
struct Arm {
  std::vector<double> wavelength, flux, ivar;
  int64_t fibres = 0;

  static Arm read(const FitsFile& file, const std::string& name) {
    Arm arm;
    arm.wavelength = file.image(name + "_WAVELENGTH");
    const auto pixels = static_cast<int64_t>(arm.wavelength.size());
    const Shape& shape = file.hdu(name + "_FLUX").shape;
    arm.fibres = shape.rank() == 2 ? shape[0] : 1;
    const Shape expected = {arm.fibres, pixels};
    arm.flux = file.image(name + "_FLUX", expected);
    arm.ivar = file.image(name + "_IVAR", expected);
    if (file.find(name + "_MASK") == nullptr) return arm;
    const std::vector<double> mask = file.image(name + "_MASK", expected);
    for (size_t i = 0; i < mask.size(); ++i) {
      if (mask[i] != 0.0) arm.ivar[i] = 0.0;
    }
    return arm;
  }
  SpectrumPiece fibre(int64_t row) const {
    const auto pixels = static_cast<int64_t>(wavelength.size());
    return {wavelength, row_of(flux, row, pixels), row_of(ivar, row, pixels)};
  }
};

/// What a coadd's FIBERMAP says of each fibre; empty columns without one.
struct FiberMap {
  std::vector<int64_t> id;
  std::vector<double> ra, dec;
  std::vector<std::string> type;

  static FiberMap read(const FitsFile& file, int64_t fibres) {
    FiberMap map;
    const io::FitsHdu* hdu = file.find("FIBERMAP");
    if (hdu == nullptr) return map;
    if (hdu->rows != fibres) {
      throw Error(fmt::format("HDU 'FIBERMAP' has {} rows for {} spectra", hdu->rows, fibres));
    }
    map.id = file.integer_column("FIBERMAP", "TARGETID");
    if (file.has_column("FIBERMAP", "TARGET_RA") && file.has_column("FIBERMAP", "TARGET_DEC")) {
      map.ra = file.column("FIBERMAP", "TARGET_RA");
      map.dec = file.column("FIBERMAP", "TARGET_DEC");
    }
    if (file.has_column("FIBERMAP", "OBJTYPE")) map.type = file.text_column("FIBERMAP", "OBJTYPE");
    return map;
  }
};

void read_coadd(const FitsFile& file, Observations& found) {
  std::vector<Arm> there;
  for (const char* name : arms) {
    if (file.find(std::string(name) + "_FLUX") == nullptr) continue;
    there.push_back(Arm::read(file, name));
    if (there.back().fibres != there.front().fibres) {
      throw Error(fmt::format("HDU '{}_FLUX' has {} spectra, an earlier arm {}", name, there.back().fibres,
                              there.front().fibres));
    }
  }
  const FiberMap map = FiberMap::read(file, there.front().fibres);
  for (int64_t row = 0; row < there.front().fibres; ++row) {
    const auto at = static_cast<size_t>(row);
    if (!map.type.empty() && map.type[at] != "TGT") {
      found.refused.push_back({row, fmt::format("the fibre has no target (OBJTYPE {})", map.type[at])});
      continue;
    }
    std::vector<SpectrumPiece> pieces;
    for (const Arm& arm : there) pieces.push_back(arm.fibre(row));
    ObservedSpectrum one{.row = row, .spectrum = on_grid(pieces), .id = {}, .position = {}};
    if (!map.id.empty()) one.id = map.id[at];
    if (!map.ra.empty()) one.position = SkyPosition{map.ra[at], map.dec[at]};
    add_spectrum(found, std::move(one));
  }
}

void read_sdss(const FitsFile& file, Observations& found) {
  std::vector<double> wavelength = file.column("COADD", "loglam");
  for (double& value : wavelength) value = std::pow(10.0, value);
  const std::vector<double> flux = file.column("COADD", "flux"), ivar = file.column("COADD", "ivar");
  ObservedSpectrum one{.spectrum = resampled({wavelength, flux, ivar}), .id = {}, .position = {}};
  const std::string about = "SPECOBJ";
  if (file.find(about) != nullptr) {
    const auto number = [&](const char* column) {
      return file.has_column(about, column) ? file.column(about, column).at(0) : unknown;
    };
    one.redshift = number("Z");
    one.redshift_warning = number("ZWARNING");
    const double plate = number("PLATE"), mjd = number("MJD"), fibre = number("FIBERID");
    const double whole = plate * 1e9 + mjd * 1e4 + fibre;
    if (std::isfinite(whole)) one.id = static_cast<int64_t>(whole);
    const SkyPosition position{number("PLUG_RA"), number("PLUG_DEC")};
    if (std::isfinite(position.ra) && std::isfinite(position.dec)) one.position = position;
  }
  add_spectrum(found, std::move(one));
}

void read_stack(const FitsFile& file, Observations& found) {
  const std::vector<double> wavelength = file.image("WAVE");
  const auto pixels = static_cast<int64_t>(wavelength.size());
  const Shape& shape = file.hdu("FLUX").shape;
  const Shape expected = {shape.rank() == 2 ? shape[0] : 1, pixels};
  const std::vector<double> flux = file.image("FLUX", expected), ivar = file.image("IVAR", expected);
  std::vector<double> redshift;
  if (file.has_column("STACKINFO", "Z")) redshift = file.column("STACKINFO", "Z");
  for (int64_t row = 0; row < expected[0]; ++row) {
    const SpectrumPiece piece{wavelength, row_of(flux, row, pixels), row_of(ivar, row, pixels)};
    ObservedSpectrum one{.row = row, .spectrum = resampled(piece), .id = {}, .position = {}};
    if (static_cast<size_t>(row) < redshift.size()) one.redshift = redshift[static_cast<size_t>(row)];
    add_spectrum(found, std::move(one));
  }
}

void read_redshifts(const FitsFile& file, Observations& found) {
  const std::vector<int64_t> id = file.integer_column("REDSHIFTS", "TARGETID");
  const std::vector<double> redshift = file.column("REDSHIFTS", "Z");
  std::vector<double> warning(id.size(), unknown);
  if (file.has_column("REDSHIFTS", "ZWARN")) warning = file.column("REDSHIFTS", "ZWARN");
  for (size_t i = 0; i < id.size(); ++i) found.redshifts.push_back({id[i], redshift[i], warning[i]});
}

/// The layout a file has, and how to read it.
void read(const FitsFile& file, Observations& found) {
  const auto is_arm = [&](const char* name) { return file.find(std::string(name) + "_FLUX") != nullptr; };
  if (std::ranges::any_of(arms, is_arm)) {
    found.kind = "DESI coadd";
    read_coadd(file, found);
  } else if (file.find("COADD") != nullptr) {
    found.kind = "SDSS spectrum";
    read_sdss(file, found);
  } else if (file.find("REDSHIFTS") != nullptr) {
    found.kind = "redshifts";
    read_redshifts(file, found);
  } else if (file.find("FLUX") != nullptr && file.find("WAVE") != nullptr) {
    found.kind = "stacked spectra";
    read_stack(file, found);
  } else if (has_image(file)) {
    found.kind = "image";
    found.images.push_back(read_image(file));
  } else {
    std::vector<std::string> names;
    for (const io::FitsHdu& hdu : file.hdus()) names.push_back(hdu.name);
    throw Error(
        fmt::format("is neither a DESI coadd, an SDSS spectrum, stacked spectra, redshifts nor an image cube; "
                    "its HDUs are {}",
                    fmt::join(names, ", ")));
  }
}

}  // namespace

Observations read_observations(const std::string& path) {
  Observations found;
  found.file = path;
  try {
    const FitsFile file = FitsFile::open(path);
    if (!file.warning().empty()) found.notes.push_back(file.warning());
    read(file, found);
  } catch (const Error& error) {
    const std::string reason = error.what(), prefix = path + ": ";
    found.refused.push_back({{}, reason.starts_with(prefix) ? reason.substr(prefix.size()) : reason});
  }
  return found;
}

}  // namespace astroclip::fits
