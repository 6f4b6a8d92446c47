#include "fits/desi_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "fits/header.h"
#include "fits/measured_spectra.h"

namespace astroclip::fits {

namespace {

using io::FitsFile;

/// Coadded arms stand for their parts.
constexpr const char* desi_arms[] = {"BRZ", "BR", "BZ", "RZ", "B", "R", "Z"};

/// Of FIBERSTATUS, as desispec.fiberbitmasking has them: BROKENFIBER, MISSINGPOSITION, BADPOSITION, BADFIBER, BADTRACE,
/// BADFLAT, BADARC, MANYBADCOL, MANYREJECTED.
constexpr int64_t fatal_bits = 1 << 2 | 1 << 8 | 1 << 9 | 1 << 16 | 1 << 17 | 1 << 18 | 1 << 19 | 1 << 20 | 1 << 21;
/// BADAMPB, BADAMPR and BADAMPZ.
const std::map<std::string, int64_t> amplifier_bits = {{"B", 1 << 22}, {"R", 1 << 23}, {"Z", 1 << 24}};

struct Arm {
  std::string name;
  MeasuredSpectra spectra;

  static Arm read(const FitsFile& file, const std::string& name) {
    const std::string flux = name + "_FLUX", ivar = name + "_IVAR", wave = name + "_WAVELENGTH", mask = name + "_MASK";
    Arm arm{name, {}};
    MeasuredSpectra& spectra = arm.spectra;
    spectra.wavelength = file.image(wave);
    spectra.pixels = std::ssize(spectra.wavelength);
    const Shape& shape = file.hdu(flux).shape;
    spectra.rows = shape.rank() == 2 ? shape[0] : 1;
    const Shape expected = shape.rank() == 1 ? Shape{spectra.pixels} : Shape{spectra.rows, spectra.pixels};
    spectra.flux = file.image(flux, expected);
    spectra.uncertainty = file.image(ivar, expected);
    spectra.kind = MeasuredSpectra::Uncertainty::inverse_variance;
    if (file.find(mask) != nullptr) spectra.mask = file.image(mask, expected);
    const auto unit = [&](const std::string& hdu) { return Header(file.header(hdu)).text("BUNIT").value_or(""); };
    spectra.flux_unit = unit(flux);
    spectra.uncertainty_unit = unit(ivar);
    spectra.wavelength_unit = wavelength_unit(unit(wave));
    return arm;
  }
};

std::vector<Arm> read_arms(const FitsFile& file) {
  std::vector<Arm> arms;
  std::string covered;
  for (const char* name : desi_arms) {
    if (file.find(std::string(name) + "_FLUX") == nullptr || covered.find(name) != std::string::npos) continue;
    covered += name;
    arms.push_back(Arm::read(file, name));
    if (arms.back().spectra.rows != arms.front().spectra.rows) {
      throw Error(fmt::format("HDU '{}_FLUX' has {} spectra, an earlier arm {}", name, arms.back().spectra.rows,
                              arms.front().spectra.rows));
    }
  }
  return arms;
}

/// Why a fibre cannot be taken; "" where it can.
std::string fault(const SurveyTable& fibers, size_t row, bool is_coadd) {
  if (!fibers.type.empty() && fibers.type[row] != "TGT") {
    return fmt::format("the fibre has no target (OBJTYPE {})", fibers.type[row]);
  }
  if (fibers.id[row] && fibers.id[row]->value.starts_with("-")) {
    return fmt::format("the fibre has no target ({})", fibers.id[row]->str());
  }
  if (std::isnan(fibers.fiber_status[row])) return "";
  const auto status = static_cast<int64_t>(fibers.fiber_status[row]);
  if (is_coadd && status != 0 && status != desi_restricted) {
    return fmt::format("the fibre is not to be used: its COADD_FIBERSTATUS is {}, and neither 0 nor {}", status,
                       desi_restricted);
  }
  if (!is_coadd && (status & fatal_bits) != 0) {
    return fmt::format("the fibre is not to be used: its FIBERSTATUS is {}", status);
  }
  return "";
}

/// An arm of an exposure, without the pixels of a bad amplifier.
MeasuredSpectrum exposure(const Arm& arm, const SurveyTable& fibers, size_t row) {
  MeasuredSpectrum spectrum = arm.spectra.row(static_cast<int64_t>(row));
  const auto bit = amplifier_bits.find(arm.name);
  const double status = fibers.fiber_status.empty() ? unknown : fibers.fiber_status[row];
  if (bit != amplifier_bits.end() && !std::isnan(status) && (static_cast<int64_t>(status) & bit->second) != 0) {
    std::ranges::fill(spectrum.ivar, 0.0);
  }
  return spectrum;
}

}  // namespace

bool has_desi_arms(const FitsFile& file) {
  return std::ranges::any_of(desi_arms,
                             [&](const char* name) { return file.find(std::string(name) + "_FLUX") != nullptr; });
}

void read_desi_spectra(const FitsFile& file, Observations& found) {
  const bool has_map = file.find("FIBERMAP") != nullptr;
  const bool is_coadd =
      !has_map || file.has_column("FIBERMAP", "COADD_FIBERSTATUS") || !file.has_column("FIBERMAP", "FIBERSTATUS");
  found.kind = is_coadd ? "DESI coadd" : "DESI exposures";
  const std::vector<Arm> arms = read_arms(file);
  const int64_t rows = arms.front().spectra.rows;
  SurveyTable fibers;
  if (has_map) fibers = SurveyTable::read(file, "FIBERMAP");
  if (has_map && fibers.rows() != rows) {
    throw Error(fmt::format("HDU 'FIBERMAP' has {} rows for {} spectra", fibers.rows(), rows));
  }
  // Rows by target, in the order of their first ones.
  std::vector<std::vector<size_t>> targets;
  std::map<ObjectId, size_t> target_of;
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
    if (has_map) {
      const std::string reason = fault(fibers, row, is_coadd);
      if (!reason.empty()) {
        found.refused.push_back({static_cast<int64_t>(row), reason});
        continue;
      }
      if (fibers.id[row]) {
        const auto [at, is_new] = target_of.emplace(*fibers.id[row], targets.size());
        if (!is_new) {
          targets[at->second].push_back(row);
          continue;
        }
      }
    }
    targets.push_back({row});
  }
  size_t coadded = 0, exposures = 0;
  for (const auto& target : targets) {
    std::vector<MeasuredSpectrum> spectra;
    for (const size_t row : target) {
      for (const Arm& arm : arms) spectra.push_back(exposure(arm, fibers, row));
    }
    std::vector<SpectrumPiece> pieces;
    for (const MeasuredSpectrum& spectrum : spectra) pieces.push_back(spectrum.piece());
    ObservedSpectrum one{.row = static_cast<int64_t>(target[0]), .spectrum = on_grid(pieces), .id = {}, .position = {}};
    if (has_map) {
      one.id = fibers.id[target[0]];
      one.position = fibers.position[target[0]];
    }
    add_spectrum(found, std::move(one), true);
    coadded += target.size() > 1 ? 1 : 0;
    exposures += target.size() > 1 ? target.size() : 0;
  }
  if (coadded > 0) {
    found.notes.push_back(
        fmt::format("exposures coadded by inverse variance: {}, spectra made of them: {}", exposures, coadded));
  }
}

}  // namespace astroclip::fits
