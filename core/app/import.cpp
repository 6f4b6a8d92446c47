#include "data/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "app/verbs.h"

namespace astroclip::app {

namespace {

namespace options = boost::program_options;

void print(const data::ImportedFile& file) {
  fmt::print("{:16} {:6} {:8}  {}\n", file.kind.empty() ? "unknown" : file.kind, file.taken, file.refused.size(),
             file.file);
  // Rows refused for one reason stand together.
  std::vector<std::pair<std::string, std::vector<int64_t>>> reasons;
  for (const data::Refusal& refusal : file.refused) {
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

void print(const data::ImportReport& report) {
  fmt::print("{:16} {:>6} {:>8}  {}\n", "kind", "taken", "refused", "file");
  for (const auto& file : report.files) print(file);
  for (const auto& pair : report.pairs) {
    const std::string apart = std::isnan(pair.separation) ? "" : fmt::format(", {:.2f}\" apart", pair.separation);
    fmt::print("paired: object {}: {} with {}, row {}{}\n", pair.object_id, pair.image, pair.spectrum, pair.row, apart);
  }
}

int import(const data::ImportRequest& request) {
  // An import never overwrites another.
  if (std::filesystem::exists(request.output)) {
    throw Error(fmt::format("{}: exists already and is left as it is", request.output));
  }
  const data::ImportReport report = data::import_files(request);
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

int import_command(std::span<const std::string> arguments) {
  using Texts = std::vector<std::string>;
  options::options_description visible("options");
  visible.add_options()("help", "print this");
  visible.add_options()("output", options::value<std::string>()->value_name("OUT.h5"), "the file to write");
  visible.add_options()("pair", options::value<Texts>()->value_name("IMAGE=SPECTRUM")->composing(),
                        "files of one object, whatever their positions; SPECTRUM#ROW names one of several");
  options::options_description all;
  all.add(visible).add_options()("file", options::value<Texts>());
  options::variables_map values;
  const std::vector<std::string> words(arguments.begin(), arguments.end());
  options::store(options::command_line_parser(words)
                     .options(all)
                     .positional(options::positional_options_description().add("file", -1))
                     .run(),
                 values);
  if (values.count("help") > 0) {
    std::cout << "usage: astroclip import FILE... --output OUT.h5 [options]\n\n"
                 "Turns FITS files into the published paired layout: DESI coadds with the redshifts of redrock, SDSS\n"
                 "spectra, stacked spectra and images in g, r, z. Images and spectra within 1\" are of one object.\n\n"
              << visible;
    return 0;
  }
  if (values.count("file") == 0) throw UsageError("import needs FITS files");
  if (values.count("output") == 0) throw UsageError("import needs --output OUT.h5");
  data::ImportRequest request{values["file"].as<Texts>(), values["output"].as<std::string>(), {}};
  if (values.count("pair") > 0) {
    for (const std::string& text : values["pair"].as<Texts>()) request.pairs.push_back(pair_of(text));
  }
  return import(request);
}

}  // namespace astroclip::app
