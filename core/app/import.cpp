#include "fits/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "app/verbs.h"

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
  if (report.objects == 0) throw Error(fmt::format("nothing was imported; {} is not written", request.output));
  fmt::print(
      "{}: {} objects, {} with an image, {} with a spectrum, {} with both, {} with a redshift; {} for training, "
      "{} for testing\n",
      request.output, report.objects, report.images, report.spectra, report.pairs.size(), report.redshifts,
      report.training, report.testing);
  return 0;
}

std::pair<std::string, std::string> pair_of(const std::string& text) {
  const size_t mark = text.find('=');
  if (mark == std::string::npos || mark == 0 || mark + 1 == text.size()) {
    throw UsageError(fmt::format("--pair must be IMAGE=SPECTRUM, found '{}'", text));
  }
  return {text.substr(0, mark), text.substr(mark + 1)};
}

}  // namespace

Verb import_verb() {
  return {
      .name = "import",
      .usages = {"FILE… --output OUT.h5 [--pair IMAGE=SPECTRUM]…"},
      .meaning = "convert FITS spectra and images to the paired layout",
      .description =
          "Converts FITS files to the published paired layout: DESI coadds with redshifts of Redrock, SDSS spectra, "
          "stacked spectra, and images in g, r and z. An image and a spectrum within 1\" of each other become one "
          "object.",
      .positionals = {Argument("file", "FILE", "FITS files; their kind is recognised by their content")
                          .required()
                          .many()
                          .completed_by(Completes::file)},
      .options = {Argument("output", "OUT.h5", "file to write").required().completed_by(Completes::file),
                  Argument("pair", "IMAGE=SPECTRUM",
                           "pair two files whatever their positions; SPECTRUM#ROW selects a row")
                      .repeated()},
      .examples = {{"astroclip import spectra/*.fits images/*.fits --output galaxies.h5",
                    "pairs by position; unpaired images and spectra are kept, too"},
                   {"astroclip import a.fits b.fits --pair a.fits=b.fits --output one.h5",
                    "writes one object from two files"}},
      .run = [](const Values& values) {
        fits::ImportRequest request{values.texts("file"), values.text("output"), {}};
        for (const std::string& pair : values.texts("pair")) request.pairs.push_back(pair_of(pair));
        return import(request);
      }};
}

}  // namespace astroclip::app
