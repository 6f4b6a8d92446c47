#include "fits/spectrum_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <optional>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "fits/header.h"
#include "fits/measured_spectra.h"
#include "fits/spectral_axis.h"

namespace astroclip::fits {

namespace {

using io::FitsFile;
using Uncertainty = MeasuredSpectra::Uncertainty;

/// Names of columns and of images, whatever their case.
constexpr std::initializer_list<const char*> wavelength_names = {
    "LOGLAM", "LOG_LAMBDA", "LOGLAMBDA",  "LOGWAVE",  "WAVE",           "WAVELENGTH", "LAMBDA",
    "LAM",    "WAVE_VAC",   "LAMBDA_VAC", "WAVE_AIR", "WAVELENGTH_AIR", "LAMBDA_AIR"};
constexpr std::initializer_list<const char*> flux_names = {"FLUX",     "FLUX_DENSITY", "FLAM",
                                                           "F_LAMBDA", "SPECTRUM",     "SPEC"};
constexpr std::initializer_list<const char*> ivar_names = {"IVAR", "INVVAR", "INVERSE_VARIANCE", "FLUX_IVAR",
                                                           "IVAR_FLUX"};
constexpr std::initializer_list<const char*> error_names = {
    "ERROR",  "ERR",   "FLUX_ERROR", "FLUX_ERR", "FLUXERR",     "ERR_FLUX", "FLUXERROR",
    "E_FLUX", "SIGMA", "STDDEV",     "NOISE",    "UNCERTAINTY", "ERRS"};
constexpr std::initializer_list<const char*> variance_names = {"VARIANCE", "VAR", "FLUX_VAR"};
constexpr std::initializer_list<const char*> mask_names = {"AND_MASK", "ANDMASK", "MASK", "DQ", "QUAL", "QUALITY"};

bool is_logarithm(const std::string& name) { return name.starts_with("LOG"); }

std::string name_among(std::initializer_list<const char*> names, const auto& is_there) {
  const auto found = std::ranges::find_if(names, is_there);
  return found == names.end() ? "" : *found;
}

std::pair<std::string, Uncertainty> uncertainty_among(const auto& is_there) {
  for (const auto& [names, kind] : {std::pair(ivar_names, Uncertainty::inverse_variance),
                                    {error_names, Uncertainty::error},
                                    {variance_names, Uncertainty::variance}}) {
    const std::string name = name_among(names, is_there);
    if (!name.empty()) return {name, kind};
  }
  return {"", Uncertainty::none};
}

Header spectrum_header(const FitsFile& file, const std::string& hdu) { return Header(file.header(hdu)); }

const std::string& primary_hdu(const FitsFile& file) { return file.hdus().front().name; }

/// What the unit of wavelengths is, whose name may say that they are logarithms.
void set_wavelength_unit(MeasuredSpectra& spectra, const std::string& name, const std::string& unit) {
  spectra.wavelength_unit = wavelength_unit(unit);
  spectra.is_wavelength_unit_given = !unit.empty() || is_logarithm(name);
  if (is_logarithm(name) && spectra.wavelength_unit.logarithm == 0.0) spectra.wavelength_unit.logarithm = 10.0;
}

/// By the first of the HDUs that says so.
void set_air(MeasuredSpectra& spectra, const FitsFile& file, std::initializer_list<std::string> hdus) {
  for (const std::string& hdu : hdus) {
    if (hdu.empty()) continue;
    if (const auto said = is_in_air(spectrum_header(file, hdu))) {
      spectra.is_in_air = *said;
      return;
    }
  }
  spectra.is_medium_given = false;
}

/// The bits of SDSS's SPPIXMASK from 16 on are of pixels, those below of whole fibres; LAMOST has taken them over.
std::vector<double> of_pixels(std::vector<double> mask, const std::string& name) {
  if (name == "AND_MASK" || name == "ANDMASK") {
    for (double& bits : mask) bits = static_cast<double>(static_cast<int64_t>(bits) >> 16);
  }
  return mask;
}

/// The grid's own pixels are taken as they are.
GridSpectrum to_grid(const MeasuredSpectrum& spectrum) {
  const SpectrumPiece piece = spectrum.piece();
  return is_on_grid(spectrum.wavelength) ? on_grid({&piece, 1}) : resampled(piece);
}

std::string out_of_reach(const MeasuredSpectra& spectra, const MeasuredSpectrum& one) {
  const double first = data::first_wavelength, last = data::wavelength_of(data::spectrum_pixels - 1);
  if (one.wavelength.empty()) return "none of its wavelengths is above 0";
  if (one.wavelength.back() >= first && one.wavelength.front() <= last) return "";
  return fmt::format("its wavelengths run from {:.6g} to {:.6g} Å, the grid from {} to {} Å{}", one.wavelength.front(),
                     one.wavelength.back(), first, last,
                     spectra.is_wavelength_unit_given ? "" : "; no unit is given, so Å were assumed");
}

/// Adds each row, with what a table says of it.
void add_rows(const MeasuredSpectra& spectra, const SurveyTable& about, Observations& found) {
  if (spectra.is_in_air) found.notes.push_back("wavelengths in air were turned into vacuum ones (Ciddor 1996)");
  if (!spectra.is_medium_given && found.kind == "spectra") {
    found.notes.push_back("no word says whether wavelengths are in air (AIRORVAC, VACUUM, CTYPE1): taken as in vacuum");
  }
  if (spectra.uncertainty.empty()) {
    found.notes.push_back(
        "neither inverse variances nor errors: every finite flux counts, with an inverse variance of 1");
  }
  for (int64_t row = 0; row < spectra.rows; ++row) {
    const auto at = static_cast<size_t>(row);
    ObservedSpectrum one{.row = row, .spectrum = {}, .id = {}, .position = {}};
    if (row < about.rows()) {
      one.id = about.id[at];
      one.position = about.position[at];
      one.redshift = about.redshift[at];
      one.redshift_warning = about.warning[at];
    }
    if (row < std::ssize(about.type) && about.type[at].starts_with("SKY")) {
      found.refused.push_back({row, fmt::format("the fibre has no target (OBJTYPE {})", about.type[at])});
      continue;
    }
    try {
      const MeasuredSpectrum measured = spectra.row(row);
      const std::string reason = out_of_reach(spectra, measured);
      if (!reason.empty()) throw Error(reason);
      one.spectrum = to_grid(measured);
      add_spectrum(found, std::move(one));
    } catch (const Error& error) {
      if (spectra.rows == 1) throw;
      found.refused.push_back({row, error.what()});
    }
  }
}

/// What the first of these tables says that the file has, else what `otherwise` does.
SurveyTable about_rows(const FitsFile& file, std::initializer_list<const char*> tables, int64_t rows,
                       SurveyTable otherwise) {
  const std::string table = name_among(tables, [&](const char* name) {
    const io::FitsHdu* hdu = file.find(name);
    return hdu != nullptr && hdu->is_table;
  });
  if (table.empty()) return otherwise;
  SurveyTable about = SurveyTable::read(file, table);
  if (about.rows() != rows) throw Error(fmt::format("HDU '{}' has {} rows for {} spectra", table, about.rows(), rows));
  return about;
}

/// The name of an image of numbers that the file has among these.
std::string image_among(const FitsFile& file, std::initializer_list<const char*> names) {
  return name_among(names, [&](const char* name) {
    const io::FitsHdu* hdu = file.find(name);
    return hdu != nullptr && !hdu->is_table && hdu->shape.rank() > 0;
  });
}

std::string unit_word(const FitsFile& file, const std::string& hdu) {
  return spectrum_header(file, hdu).text("BUNIT").value_or("");
}

/// Wavelengths of [pixels], or of [rows, pixels].
std::vector<double> wavelength_image(const FitsFile& file, const std::string& hdu, const MeasuredSpectra& spectra) {
  return file.hdu(hdu).shape.rank() == 2 ? file.image(hdu, {spectra.rows, spectra.pixels})
                                         : file.image(hdu, {spectra.pixels});
}

// --- tables

struct TableColumns {
  std::string hdu, wavelength, flux, uncertainty, mask, wavelength_hdu;
  Uncertainty kind = Uncertainty::none;

  /// None where the table holds no spectra: flux and wavelength as columns, or rows of fluxes beside an image of
  /// wavelengths.
  static std::optional<TableColumns> of(const FitsFile& file, const io::FitsHdu& hdu) {
    if (!hdu.is_table) return {};
    const auto is_there = [&](const char* name) {
      return file.has_column(hdu.name, name) && file.column_width(hdu.name, name) > 0;
    };
    TableColumns columns;
    columns.hdu = hdu.name;
    columns.flux = name_among(flux_names, is_there);
    if (columns.flux.empty()) return {};
    columns.wavelength = name_among(wavelength_names, is_there);
    columns.wavelength_hdu = image_among(file, wavelength_names);
    const bool has_rows = file.column_width(hdu.name, columns.flux) > 1;
    if (columns.wavelength.empty() && (!has_rows || columns.wavelength_hdu.empty())) return {};
    std::tie(columns.uncertainty, columns.kind) = uncertainty_among(is_there);
    columns.mask = name_among(mask_names, is_there);
    return columns;
  }
};

/// Whether a column's words say that its wavelengths are in air, as ESO's do.
bool is_air_column(const FitsFile& file, const std::string& hdu, const std::string& column) {
  if (column.ends_with("_AIR")) return true;
  const auto& names = file.hdu(hdu).columns;
  const Header header = spectrum_header(file, hdu);
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string meaning = header.text(fmt::format("TUCD{}", i + 1)).value_or("");
    if (meaning.starts_with("em.wl") && meaning.find("obs.atmos") != std::string::npos) return true;
  }
  return false;
}

MeasuredSpectra spectra_of(const FitsFile& file, const TableColumns& columns) {
  MeasuredSpectra spectra;
  spectra.flux = file.vectors(columns.hdu, columns.flux);
  const int64_t width = file.column_width(columns.hdu, columns.flux), rows = file.hdu(columns.hdu).rows;
  spectra.rows = width == 1 ? 1 : rows;
  spectra.pixels = width == 1 ? rows : width;
  const auto values = [&](const std::string& name) {
    if (name.empty()) return std::vector<double>();
    if (file.column_width(columns.hdu, name) != width) {
      throw Error(fmt::format("HDU '{}': column '{}' has {} numbers per row, '{}' has {}", columns.hdu, name,
                              file.column_width(columns.hdu, name), columns.flux, width));
    }
    return file.vectors(columns.hdu, name);
  };
  spectra.uncertainty = values(columns.uncertainty);
  spectra.mask = of_pixels(values(columns.mask), columns.mask);
  spectra.kind = columns.kind;
  spectra.flux_unit = file.column_unit(columns.hdu, columns.flux);
  if (spectra.flux_unit.empty()) spectra.flux_unit = unit_word(file, primary_hdu(file));
  if (!columns.uncertainty.empty()) spectra.uncertainty_unit = file.column_unit(columns.hdu, columns.uncertainty);
  if (columns.wavelength.empty()) {
    spectra.wavelength = wavelength_image(file, columns.wavelength_hdu, spectra);
    set_wavelength_unit(spectra, columns.wavelength_hdu, unit_word(file, columns.wavelength_hdu));
    set_air(spectra, file, {columns.wavelength_hdu, columns.hdu, primary_hdu(file)});
  } else {
    spectra.wavelength = values(columns.wavelength);
    set_wavelength_unit(spectra, columns.wavelength, file.column_unit(columns.hdu, columns.wavelength));
    spectra.is_in_air = is_air_column(file, columns.hdu, columns.wavelength);
    if (!spectra.is_in_air) set_air(spectra, file, {columns.hdu, primary_hdu(file)});
  }
  return spectra;
}

bool read_table_spectra(const FitsFile& file, Observations& found) {
  std::optional<TableColumns> columns;
  std::vector<std::string> others;
  for (const io::FitsHdu& hdu : file.hdus()) {
    if (!columns)
      columns = TableColumns::of(file, hdu);
    else if (TableColumns::of(file, hdu))
      others.push_back(hdu.name);
  }
  if (!columns) return false;
  if (!others.empty() && columns->hdu != "COADD") {  // whose exposures SDSS's files hold as well
    found.notes.push_back(fmt::format("of {} tables of spectra the first, '{}', was taken; left out: {}",
                                      others.size() + 1, columns->hdu, fmt::join(others, ", ")));
  }
  found.kind = columns->hdu == "COADD" && is_logarithm(columns->wavelength) ? "SDSS spectrum" : "spectra";
  const MeasuredSpectra spectra = spectra_of(file, *columns);
  const bool is_row_a_spectrum = spectra.rows > 1 || file.hdu(columns->hdu).rows == 1;
  SurveyTable own = SurveyTable::of_header(file);
  if (is_row_a_spectrum) {
    SurveyTable rows = SurveyTable::read(file, columns->hdu);
    if (spectra.rows > 1 || rows.id[0] || rows.position[0]) own = std::move(rows);
  }
  add_rows(spectra, about_rows(file, {"SPECOBJ", "SPALL"}, spectra.rows, std::move(own)), found);
  return true;
}

// --- images

/// An image of fluxes with an image of wavelengths, or with a spectral axis and an image of uncertainties.
bool read_image_spectra(const FitsFile& file, Observations& found) {
  std::string flux = image_among(file, {"FLUX"});
  if (flux.empty()) flux = primary_hdu(file);
  const Shape& shape = file.hdu(flux).shape;
  if (file.hdu(flux).is_table || shape.rank() == 0) return false;
  const auto is_image = [&](const char* name) { return !image_among(file, {name}).empty(); };
  const std::string wave = image_among(file, wavelength_names), mask = name_among(mask_names, is_image);
  const auto [uncertainty, kind] = uncertainty_among(is_image);
  if (wave.empty() && (flux == primary_hdu(file)) && uncertainty.empty()) return false;
  if (shape.rank() > 2 && (!wave.empty() || flux != primary_hdu(file))) {
    throw Error(
        fmt::format("HDU '{}': expected spectra of shape [rows, pixels], found a cube of {}", flux, shape.str()));
  }
  if (shape.rank() > 2) return false;
  MeasuredSpectra spectra;
  spectra.pixels = shape[shape.rank() - 1];
  spectra.rows = shape.rank() == 2 ? shape[0] : 1;
  const Header header = spectrum_header(file, flux);
  if (wave.empty()) {
    const auto axis = spectral_axis(header, spectra.pixels);
    if (!axis) return false;
    spectra.wavelength = axis->values;
    spectra.wavelength_unit = axis->unit;
    spectra.is_wavelength_unit_given = header.text("CUNIT1").has_value() || axis->unit.logarithm != 0.0;
  } else {
    spectra.wavelength = wavelength_image(file, wave, spectra);
    set_wavelength_unit(spectra, wave, unit_word(file, wave));
    if (is_logarithmic(header) || is_logarithmic(spectrum_header(file, wave))) {
      spectra.wavelength_unit.logarithm = 10.0;
      spectra.is_wavelength_unit_given = true;
    }
  }
  spectra.flux = file.image(flux, shape);
  if (!uncertainty.empty()) spectra.uncertainty = file.image(uncertainty, shape);
  if (!uncertainty.empty()) spectra.uncertainty_unit = unit_word(file, uncertainty);
  if (!mask.empty()) spectra.mask = of_pixels(file.image(mask, shape), mask);
  spectra.kind = kind;
  spectra.flux_unit = unit_word(file, flux);
  spectra.is_in_air = wave.ends_with("_AIR");
  if (!spectra.is_in_air) set_air(spectra, file, {wave, flux, primary_hdu(file)});
  found.kind = file.find("STACKINFO") != nullptr ? "stacked spectra" : "spectra";
  add_rows(spectra, about_rows(file, {"STACKINFO", "FIBERMAP", "PLUGMAP"}, spectra.rows, SurveyTable::of_header(file)),
           found);
  return true;
}

std::vector<double> image_row(const std::vector<double>& image, int64_t row, int64_t pixels) {
  const auto begin = image.begin() + row * pixels;
  return {begin, begin + pixels};
}

/// SDSS until DR7 misprints the unit of its fluxes.
constexpr const char* sdss_misprint = "1.0E-17 erg/cm/s/Ang";

/// A primary image whose rows are one spectrum, its uncertainty and its mask.
bool read_primary_spectrum(const FitsFile& file, Observations& found) {
  const io::FitsHdu& hdu = file.hdus().front();
  if (hdu.is_table || hdu.shape.rank() < 1 || hdu.shape.rank() > 2) return false;
  const int64_t rows = hdu.shape.rank() == 2 ? hdu.shape[0] : 1, pixels = hdu.shape[hdu.shape.rank() - 1];
  if (rows > 6 || pixels < 3) return false;
  const Header header = spectrum_header(file, hdu.name);
  const std::vector<double> image = file.image(hdu.name);
  MeasuredSpectra spectra;
  spectra.rows = 1;
  spectra.pixels = pixels;
  spectra.flux = image_row(image, 0, pixels);
  spectra.flux_unit = header.text("BUNIT").value_or("");
  if (spectra.flux_unit == sdss_misprint) spectra.flux_unit = "1E-17 erg/cm^2/s/Ang";
  set_air(spectra, file, {hdu.name});
  const std::vector<double> third = rows >= 3 ? image_row(image, 2, pixels) : std::vector<double>();
  const bool has_waves = rows >= 4 && third.front() > 1000.0 && std::ranges::is_sorted(third, std::less_equal());
  // Until DR1, LAMOST's third row is the flux over the continuum: "Flux Inverse Subcontinuum Andmask Ormask".
  const bool is_lamost = has_waves || (rows >= 4 && header.text("EXTEN0").value_or("").starts_with("Flux Inverse"));
  const auto axis = has_waves ? std::nullopt : spectral_axis(header, pixels);
  if (!has_waves && !axis) return false;
  if (has_waves) {
    spectra.wavelength = third;
  } else {
    spectra.wavelength = axis->values;
    spectra.wavelength_unit = axis->unit;
    spectra.is_wavelength_unit_given = header.text("CUNIT1").has_value() || axis->unit.logarithm != 0.0;
  }
  if (is_lamost) {
    spectra.uncertainty = image_row(image, 1, pixels);
    spectra.kind = Uncertainty::inverse_variance;
    spectra.mask = of_pixels(image_row(image, 3, pixels), "ANDMASK");
  } else {
    const bool is_sdss = rows >= 4 && header.number("COEFF0");
    if (rows > 1 && !is_sdss) return false;
    if (is_sdss) {
      spectra.uncertainty = third;
      spectra.kind = Uncertainty::error;
      spectra.mask = of_pixels(image_row(image, 3, pixels), "ANDMASK");
    }
  }
  found.kind = is_lamost || rows == 1 ? "spectra" : "SDSS spectrum";
  add_rows(spectra, SurveyTable::of_header(file), found);
  return true;
}

}  // namespace

bool read_spectra(const FitsFile& file, Observations& found) {
  return read_table_spectra(file, found) || read_image_spectra(file, found) || read_primary_spectrum(file, found);
}

}  // namespace astroclip::fits
