#include "fits/survey_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <utility>

#include "base/error.h"
#include "base/survey_ids.h"
#include "fits/header.h"
#include "io/table/table.h"

namespace astroclip::fits {

namespace {

using io::FitsFile;

std::optional<ObjectId> object_id(const std::string& scheme, const std::string& value) {
  if (value.empty() || (scheme != "TARGETID" && value.starts_with("-"))) return {};
  return ObjectId{scheme, value};
}

/// SPECOBJID, or what SDSS names the spectrum by where the reduction is not known.
ObjectId sdss_id(int64_t plate, int64_t mjd, int64_t fiber, const std::string& run2d) {
  if (const auto number = sdss_run2d(run2d)) {
    return {"SPECOBJID", fmt::format("{}", sdss_spectrum_id(plate, mjd, fiber, *number))};
  }
  return {"PLATE-MJD-FIBERID", fmt::format("{:04}-{}-{:04}", plate, mjd, fiber)};
}

std::optional<SkyPosition> position_at(double ra, double dec) {
  if (!(ra >= 0.0 && ra <= 360.0 && std::abs(dec) <= 90.0)) return {};
  return SkyPosition{ra, dec};
}

class TableReader {
 public:
  TableReader(const FitsFile& file, const std::string& hdu) : file_(file), hdu_(hdu) {}

  SurveyTable read() const {
    SurveyTable table;
    const auto rows = static_cast<size_t>(file_.hdu(hdu_).rows);
    table.id = ids(rows);
    table.position.resize(rows);
    for (const auto& [ra, dec] : {std::pair("TARGET_RA", "TARGET_DEC"),
                                  {"PLUG_RA", "PLUG_DEC"},
                                  {"RACAT", "DECCAT"},
                                  {"RA", "DEC"},
                                  {"FIBER_RA", "FIBER_DEC"}}) {
      if (!has(ra) || !has(dec)) continue;
      const auto ras = numbers({ra}, rows), decs = numbers({dec}, rows);
      const double of_ra = degrees_in(ra), of_dec = degrees_in(dec);
      for (size_t i = 0; i < rows; ++i) table.position[i] = position_at(ras[i] * of_ra, decs[i] * of_dec);
      break;
    }
    table.redshift = numbers({"Z", "REDSHIFT"}, rows);
    for (double& z : table.redshift) z = z > -1.0 ? z : unknown;
    table.warning = numbers({"ZWARN", "ZWARNING"}, rows);
    table.delta_chi2 = numbers({"DELTACHI2"}, rows);
    table.primary = numbers({"ZCAT_PRIMARY"}, rows);
    table.fiber_status = numbers({"COADD_FIBERSTATUS", "FIBERSTATUS"}, rows);
    if (has("OBJTYPE")) table.type = file_.text_column(hdu_, "OBJTYPE");
    return table;
  }

 private:
  bool has(const std::string& column) const { return file_.has_column(hdu_, column); }

  double degrees_in(const std::string& column) const {
    const std::string unit = file_.column_unit(hdu_, column);
    if (const auto degrees = io::degrees_of(unit)) return *degrees;
    throw Error(fmt::format("HDU '{}', column '{}': its unit '{}' is none of angles", hdu_, column, unit));
  }

  /// The first of the columns that there is and that has one number a row.
  std::vector<double> numbers(std::initializer_list<const char*> names, size_t rows,
                              std::optional<double> otherwise = {}) const {
    for (const char* name : names) {
      if (has(name) && file_.column_width(hdu_, name) == 1) return file_.column(hdu_, name);
    }
    return std::vector<double>(rows, otherwise.value_or(unknown));
  }

  std::vector<std::optional<ObjectId>> ids(size_t rows) const {
    std::vector<std::optional<ObjectId>> found(rows);
    if (is_named({"TARGETID", "SPECOBJID", "CATALOGID", "OBSID"}, found)) return found;
    for (const char* object : {"BRICK_OBJID", "OBJID"}) {
      if (!has("RELEASE") || !has("BRICKID") || !has(object)) continue;
      const auto release = file_.column(hdu_, "RELEASE"), brick = file_.column(hdu_, "BRICKID"),
                 number = file_.column(hdu_, object);
      for (size_t i = 0; i < rows; ++i) {
        found[i] =
            ObjectId{"TARGETID", fmt::format("{}", desi_target_id(std::llround(release[i]), std::llround(brick[i]),
                                                                  std::llround(number[i])))};
      }
      return found;
    }
    const Header header(file_.header(file_.hdus().front().name));
    const auto plate = numbers({"PLATE"}, rows, header.number("PLATEID")),
               mjd = numbers({"MJD"}, rows, header.number("MJD")), fiber = numbers({"FIBERID"}, rows);
    if (rows > 0 && std::isfinite(plate[0] + mjd[0] + fiber[0])) {
      std::vector<std::string> run2d(rows, header.text("RUN2D").value_or(""));
      if (has("RUN2D")) run2d = file_.id_column(hdu_, "RUN2D");
      for (size_t i = 0; i < rows; ++i) {
        found[i] = sdss_id(std::llround(plate[i]), std::llround(mjd[i]), std::llround(fiber[i]), run2d[i]);
      }
      return found;
    }
    is_named({"OBJECT_ID", "OBJID", "ID"}, found);
    return found;
  }

  bool is_named(std::initializer_list<const char*> schemes, std::vector<std::optional<ObjectId>>& found) const {
    for (const char* scheme : schemes) {
      if (!has(scheme)) continue;
      const auto values = file_.id_column(hdu_, scheme);
      std::ranges::transform(values, found.begin(), [&](const auto& value) { return object_id(scheme, value); });
      return true;
    }
    return false;
  }

  const FitsFile& file_;
  const std::string& hdu_;
};

}  // namespace

SurveyTable SurveyTable::read(const FitsFile& file, const std::string& hdu) { return TableReader(file, hdu).read(); }

SurveyTable SurveyTable::of_header(const FitsFile& file) {
  const Header header(file.header(file.hdus().front().name));
  const bool is_lamost = header.text("TELESCOP").value_or("").starts_with("LAMOST");
  const auto number = [&](const char* key) { return header.number(key).value_or(unknown); };
  SurveyTable table;
  table.id.resize(1);
  const double plate = number("PLATEID"), mjd = number("MJD"), fiber = number("FIBERID");
  if (is_lamost) {
    table.id[0] = object_id("OBSID", header.text("OBSID").value_or(""));
  } else if (std::isfinite(plate + mjd + fiber)) {
    // The reductions before DR8, whose files these are, made their SPECOBJIDs otherwise.
    table.id[0] = sdss_id(std::llround(plate), std::llround(mjd), std::llround(fiber), "");
  }
  // RA and DEC are mostly where the telescope pointed.
  std::vector<std::pair<const char*, const char*>> places = {
      {"RAOBJ", "DECOBJ"}, {"PLUG_RA", "PLUG_DEC"}, {"RA_TARG", "DEC_TARG"}, {"TARG_RA", "TARG_DEC"}};
  if (is_lamost) places = {{"RA", "DEC"}};
  table.position.resize(1);
  for (const auto& [ra, dec] : places) {
    if (!table.position[0]) table.position[0] = position_at(number(ra), number(dec));
  }
  table.redshift = {number("Z") > -1.0 ? number("Z") : unknown};
  table.warning = table.delta_chi2 = table.primary = table.fiber_status = {unknown};
  return table;
}

}  // namespace astroclip::fits
