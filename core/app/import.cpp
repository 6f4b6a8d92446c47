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
  // An import never overwrites another.
  if (std::filesystem::exists(request.output)) {
    throw Error(fmt::format("{}: exists already and is left as it is", request.output));
  }
  const fits::ImportReport report = fits::import_files(request);
  print(report);
  if (report.objects == 0) throw Error(fmt::format("nothing could be taken; {} is not written", request.output));
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
    throw UsageError(fmt::format("--pair needs IMAGE=SPECTRUM, found '{}'", text));
  }
  return {text.substr(0, mark), text.substr(mark + 1)};
}

}  // namespace

Verb import_verb() {
  Verb verb{
      "import",
      {"FILE… --output OUT.h5 [--pair IMAGE=SPECTRUM]…"},
      "turn FITS spectra and images into the paired layout",
      "Turns FITS files into the published paired layout: DESI coadds with the redshifts of redrock, SDSS spectra, "
      "stacked spectra and images in g, r, z. Images and spectra within 1\" are of one object."};
  verb.positionals = {{"file", "FILE", "FITS files; what they are is read from them, not from their names", true}};
  verb.options.add_options()("output", text("OUT.h5"), "the file to write")(
      "pair", texts("IMAGE=SPECTRUM"),
      "files of one object, whatever their positions; SPECTRUM#ROW names one of several; may be repeated");
  verb.examples = {{"astroclip import spectra/*.fits images/*.fits --output galaxies.h5",
                    "pairs by position, and what has no partner"},
                   {"astroclip import a.fits b.fits --pair a.fits=b.fits --output one.h5", "one object, named"}};
  verb.run = [](const options::variables_map& values) {
    if (!values.contains("file")) throw UsageError("import needs FITS files");
    if (!values.contains("output")) throw UsageError("import needs --output OUT.h5");
    fits::ImportRequest request{texts_of(values, "file"), values["output"].as<std::string>(), {}};
    for (const std::string& pair : texts_of(values, "pair")) request.pairs.push_back(pair_of(pair));
    return import(request);
  };
  return verb;
}

}  // namespace astroclip::app
