#include "fits/observations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/gaps.h"
#include "fits/desi_files.h"
#include "fits/spectrum_files.h"
#include "io/file_format.h"
#include "io/fits.h"

namespace astroclip::fits {

namespace {

using io::FitsFile;

/// The table of redshifts by identifiers; null if there is none.
const io::FitsHdu* find_redshifts(const FitsFile& file) {
  for (const char* name : {"REDSHIFTS", "ZBEST", "ZCATALOG"}) {
    if (const io::FitsHdu* hdu = file.find(name); hdu != nullptr && hdu->is_table) return hdu;
  }
  const auto table = std::ranges::find_if(file.hdus(), [&](const io::FitsHdu& hdu) {
    const auto has = [&](const char* column) { return file.has_column(hdu.name, column); };
    return (has("Z") || has("REDSHIFT")) &&
           (has("TARGETID") || has("SPECOBJID") || has("CATALOGID") || has("OBSID") || has("FIBERID"));
  });
  return table == file.hdus().end() ? nullptr : &*table;
}

void read_redshifts(const FitsFile& file, const std::string& hdu, Observations& found) {
  const SurveyTable table = SurveyTable::read(file, hdu);
  if (std::ranges::none_of(table.id, [](const auto& id) { return id.has_value(); })) {
    throw Error(fmt::format("HDU '{}' has no identifiers (TARGETID, SPECOBJID, CATALOGID)", hdu));
  }
  for (int64_t row = 0; row < table.rows(); ++row) {
    const auto at = static_cast<size_t>(row);
    const double status = table.fiber_status[at];
    const char* reason = !table.id[at]                          ? "there is no identifier"
                         : table.id[at]->value.starts_with("-") ? "the fibre has no target"
                         : !(table.redshift[at] > -1.0)         ? "there is no redshift above -1"
                         : status != 0.0 && std::isfinite(status) && status != desi_restricted
                             ? "the fibre is not to be used (COADD_FIBERSTATUS)"
                             : nullptr;
    if (reason != nullptr) {
      found.refused.push_back({row, reason});
      continue;
    }
    found.redshifts.push_back(
        {row, *table.id[at], table.redshift[at], table.warning[at], table.delta_chi2[at], table.primary[at] == 1.0});
  }
}

/// The layout a file has, and how to read it.
void read(const FitsFile& file, Observations& found) {
  if (has_desi_arms(file)) return read_desi_spectra(file, found);
  if (read_spectra(file, found)) return;
  if (const io::FitsHdu* redshifts = find_redshifts(file)) {
    found.kind = "redshifts";
    return read_redshifts(file, redshifts->name, found);
  }
  if (has_image(file)) {
    found.kind = "image";
    found.images = image_planes(file);
    return;
  }
  std::vector<std::string> names;
  for (const io::FitsHdu& hdu : file.hdus()) {
    names.push_back(hdu.name);
    if (const std::string table = hdu.is_table ? io::table_format(file.path(), hdu.name) : ""; !table.empty())
      throw Error(fmt::format("holds neither spectra nor redshifts of objects with identifiers, but '{}', {}", hdu.name,
                              table));
  }
  throw Error(fmt::format("holds neither spectra, redshifts nor images that are known; its HDUs are {}",
                          fmt::join(names, ", ")));
}

}  // namespace

Refusal too_little(const ObservedSpectrum& one) {
  return {one.row, fmt::format("{} of {} pixels were measured, {} are needed", one.spectrum.measured,
                               data::spectrum_pixels, fewest_measured)};
}

void add_spectrum(Observations& found, ObservedSpectrum one, bool is_arm) {
  if (one.spectrum.measured == 0) {
    found.refused.push_back({one.row, "no pixel was measured (inverse variance above 0)"});
  } else if (one.spectrum.measured < fewest_measured) {
    if (is_arm && one.id)
      found.partial.push_back(std::move(one));
    else
      found.refused.push_back(too_little(one));
  } else {
    data::fill_gaps(one.spectrum.flux, one.spectrum.ivar);
    found.spectra.push_back(std::move(one));
  }
}

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
