#include "fits/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "app/verbs.h"
#include "data/band_names.h"

namespace astroclip::app {

namespace {

void print(const fits::ImportedFile& file) {
  fmt::print("{:16} {:6} {:8}  {}\n", file.kind.empty() ? "unknown" : file.kind, file.taken, file.refused.size(),
             file.file);
  // Rows refused for one reason stand together.
  std::vector<std::pair<std::string, std::vector<int64_t>>> reasons;
  for (const fits::Refusal& refusal : file.refused) {
    auto found = std::ranges::find(reasons, refusal.reason, [](const auto& one) { return one.first; });
    if (found == reasons.end()) found = reasons.insert(reasons.end(), {refusal.reason, {}});
    if (refusal.row) found->second.push_back(*refusal.row);
  }
  for (const auto& [reason, rows] : reasons) {
    const std::string where =
        rows.empty() ? "" : fmt::format("{} {}: ", rows.size() == 1 ? "row" : "rows", fmt::join(rows, ", "));
    fmt::print("{:16} refused: {}{}\n", "", where, reason);
  }
  for (const std::string& note : file.notes) fmt::print("{:16} note: {}\n", "", note);
  if (file.numbers.size() == 1) fmt::print("{:16} numbered {}\n", "", file.numbers[0]);
  if (file.numbers.size() > 1) {
    fmt::print("{:16} numbered {} to {} in the order of rows\n", "", file.numbers.front(), file.numbers.back());
  }
}

void print(const fits::ImportReport& report) {
  fmt::print("{:16} {:>6} {:>8}  {}\n", "kind", "taken", "refused", "file");
  for (const auto& file : report.files) print(file);
  for (const auto& pair : report.pairs) {
    const std::string apart = std::isnan(pair.separation) ? "" : fmt::format(", {:.2f}\" apart", pair.separation);
    fmt::print("paired: object {}: {} with {}, row {}{}\n", pair.object_id, pair.image, pair.spectrum, pair.row, apart);
  }
}

int import(const fits::ImportRequest& request) {
  if (std::filesystem::exists(request.output)) throw Error(fmt::format("{}: already exists", request.output));
  const fits::ImportReport report = fits::import_files(request);
  print(report);
  for (const std::string& note : report.label_notes) fmt::print("{}\n", note);
  if (report.objects == 0) throw Error(fmt::format("nothing was imported; {} is not written", request.output));
  fmt::print(
      "{}: {} objects, {} with an image, {} with a spectrum, {} with both, {} with a redshift; {} for training, "
      "{} for testing\n",
      request.output, report.objects, report.images, report.spectra, report.pairs.size(), report.redshifts,
      report.training, report.testing);
  return 0;
}

/// As the one of the files that it names in another spelling ("./x" for "x"), or as it is.
std::string spelling_of(const std::string& name, const std::vector<std::string>& files) {
  if (std::ranges::find(files, name) != files.end()) return name;
  const auto same = std::ranges::find_if(files, [&](const std::string& file) {
    std::error_code none;
    return std::filesystem::equivalent(file, name, none);
  });
  return same == files.end() ? name : *same;
}

/// Paths may hold '=' as well: of the places to split, the one at which both sides are files.
std::pair<std::string, std::string> pair_of(const std::string& text, const std::vector<std::string>& files) {
  std::pair<std::string, std::string> found;
  for (size_t mark = text.find('='); mark != std::string::npos; mark = text.find('=', mark + 1)) {
    const std::string image = spelling_of(text.substr(0, mark), files), right = text.substr(mark + 1);
    const size_t row = std::min(right.rfind('#'), right.size());
    const bool has_row = std::ranges::find(files, spelling_of(right, files)) == files.end();
    const std::string spectrum = spelling_of(has_row ? right.substr(0, row) : right, files);
    if (image.empty() || spectrum.empty()) continue;
    const bool are_files =
        std::ranges::find(files, image) != files.end() && std::ranges::find(files, spectrum) != files.end();
    if (found.first.empty() || are_files) found = {image, spectrum + (has_row ? right.substr(row) : "")};
    if (are_files) break;
  }
  if (found.first.empty()) throw UsageError(fmt::format("--pair must be IMAGE=SPECTRUM, found '{}'", text));
  return found;
}

fits::ImageOptions image_options(const Values& values) {
  fits::ImageOptions options;
  options.bands = data::bands_of(values.text("bands"));
  const std::set<std::string> different(options.bands.begin(), options.bands.end());
  if (options.bands.empty() || different.size() != options.bands.size()) {
    throw UsageError(
        fmt::format("--bands must name different bands, as griz or VIS,Y,J,H, found '{}'", values.text("bands")));
  }
  const std::string kept = values.text("image-values");
  if (kept == "flux") options.values = fits::PixelValues::flux;
  if (kept == "brightness") options.values = fits::PixelValues::brightness;
  return options;
}

}  // namespace

Verb import_verb() {
  return {
      .name = "import",
      .usages = {"FILE… --output OUT.h5 [--pair IMAGE=SPECTRUM]… [--at CATALOGUE] [--labels TABLE]… [--bands grz] "
                 "[--image-values KIND]"},
      .meaning = "convert FITS spectra and images to the paired layout",
      .description =
          "Converts FITS files to the published paired layout: spectra of DESI, SDSS, LAMOST and others with their "
          "redshifts, and images: cubes of bands, a HDU or a file for each band, or stamps cut out of larger images "
          "(bricks) at the places of a catalogue. Bands, units, projections, masks and inverse variances are taken "
          "from the headers. Images and spectra with the same identifier, or within 1\" of each other, become one "
          "object, of whose spectra, images and redshifts the best is taken.",
      .positionals = {Argument("file", "FILE", "FITS files; their kind is recognised by their content")
                          .required()
                          .many()
                          .completed_by(Completes::file)},
      .options = {Argument("output", "OUT.h5", "file to write").required().completed_by(Completes::file),
                  Argument("pair", "IMAGE=SPECTRUM",
                           "pair two files whatever their positions; SPECTRUM#ROW selects a row")
                      .repeated(),
                  Argument("at", "CATALOGUE",
                           "cut images out at the positions of a table (CSV, FITS, HDF5, VOTable; FILE[HDU] where it "
                           "holds several), none whole")
                      .completed_by(Completes::file),
                  Argument(
                      "labels", "TABLE",
                      "take the columns of a table (CSV, FITS, HDF5, VOTable; FILE[HDU] where it holds several) as "
                      "labels, joined by identifier or position")
                      .repeated()
                      .completed_by(Completes::file),
                  Argument("bands", "BANDS", "bands of the images, as griz or VIS,Y,J,H").by_default("grz"),
                  Argument("image-values", "",
                           "what a pixel's value is: the flux in it, whose sum is kept, or brightness, which is "
                           "interpolated; 'header': flux if it has a unit of flux, else brightness")
                      .one_of({"header", "flux", "brightness"})
                      .by_default("header")},
      .examples = {{"astroclip import spectra/*.fits images/*.fits --output galaxies.h5",
                    "pairs by position; unpaired images and spectra are kept, too"},
                   {"astroclip import a.fits b.fits --pair a.fits=b.fits --output one.h5",
                    "writes one object from two files"},
                   {"astroclip import bricks/*.fits.fz spectra/*.fits --at catalogue.csv --output pairs.h5",
                    "cuts an image at every place of the catalogue, and pairs them with spectra"}},
      .run = [](const Values& values) {
        fits::ImportRequest request{values.texts("file"),  values.text("output"), {},
                                    image_options(values), values.text("at"),     values.texts("labels")};
        for (const std::string& pair : values.texts("pair")) request.pairs.push_back(pair_of(pair, request.files));
        return import(request);
      }};
}

}  // namespace astroclip::app
