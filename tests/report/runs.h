#pragma once

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "evaluate/report.h"
#include "io/output/durable_file.h"
#include "support/scratch.h"

namespace astroclip::testing_support {

/// What a task could report: two representations, of names as odd as a test wants them.
inline std::vector<Report> reports_of(const std::string& representation = "aligned") {
  Report redshift{"redshift: z", "k = 16", {}, {{"R²", Better::more}, {"σ_NMAD", Better::less}}};
  redshift.rows = {
      {representation, "image", "knn", Role::model, {{"R²", 0.5123, 0.0031, 0.001}, {"σ_NMAD", NAN}}, 80, 20},
      {"pca-8", "image", "knn", Role::floor, {{"R²", 0.25, 0.03}}, 80, 20}};
  return {redshift};
}

/// The folder of a finished run with two stages.
inline std::string finished_run(const std::string& name, const std::vector<Report>& reports) {
  const std::string folder = scratch(name);
  std::filesystem::remove_all(folder);
  io::make_folder(folder);
  io::write_text(folder + "/resolved.toml", "[experiment]\nname = \"x\"\nseed = 3\n");
  io::write_text(folder + "/report.json", evaluate::report_json(reports));
  std::string metrics;
  for (int step = 1; step <= 400; ++step) {
    metrics += "{\"stage\":\"spectra\",\"step\":" + std::to_string(step) +
               ",\"time\":1.5,\"loss\":" + std::to_string(2.0 / step);
    if (step % 100 == 0) metrics += ",\"validation.loss\":" + std::to_string(3.0 / step);
    metrics += "}\n";
  }
  io::write_text(folder + "/metrics.jsonl", metrics + "{\"stage\":\"alignment\",\"step\":1,\"loss\":0.75}\n");
  return folder;
}

}  // namespace astroclip::testing_support
