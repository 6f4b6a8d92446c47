#include "report/run_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "config/toml.h"
#include "evaluate/report.h"
#include "experiment/provenance.h"
#include "io/output/durable_file.h"
#include "io/weights/weights_file.h"

namespace astroclip::report {

namespace fs = std::filesystem;

namespace {

std::string text_in(const io::Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

/// 0 where a table does not have the number.
int64_t integer_in(const config::Table& table, const char* key) {
  const config::Value* value = table.find(key);
  return value != nullptr && value->get_if<int64_t>() != nullptr ? *value->get_if<int64_t>() : 0;
}

/// Whether [dataset] joins the table of that catalogue.
bool has_votes_of(const config::Table& resolved, const std::string& preset) {
  const config::Value* dataset = resolved.find("dataset");
  const auto* keys = dataset == nullptr ? nullptr : dataset->get_if<config::Table>();
  const config::Value* labels = keys == nullptr ? nullptr : keys->find("labels");
  const auto* tables = labels == nullptr ? nullptr : labels->get_if<config::Array>();
  return tables != nullptr && std::ranges::any_of(*tables, [&](const config::Value& one) {
           const auto* table = one.get_if<config::Table>();
           const config::Value* value = table == nullptr ? nullptr : table->find("preset");
           return value != nullptr && value->get_if<std::string>() != nullptr &&
                  *value->get_if<std::string>() == preset;
         });
}

/// Objects of a step, by stage.
std::map<std::string, int64_t> batches_of(const config::Table& resolved) {
  std::map<std::string, int64_t> batches;
  const config::Value* stages = resolved.find("stages");
  const auto* all = stages == nullptr ? nullptr : stages->get_if<config::Array>();
  if (all == nullptr) return batches;
  for (const config::Value& one : *all) {
    const auto* stage = one.get_if<config::Table>();
    const config::Value* name = stage == nullptr ? nullptr : stage->find("name");
    if (name == nullptr || name->get_if<std::string>() == nullptr) continue;
    batches[*name->get_if<std::string>()] =
        integer_in(*stage, "batch") * std::max<int64_t>(1, integer_in(*stage, "accumulate"));
  }
  return batches;
}

void tell_names_apart(std::vector<RunResults>& runs) {
  std::vector<std::string> names;
  for (const RunResults& run : runs) names.push_back(run.name);
  for (RunResults& run : runs) {
    if (std::ranges::count(names, run.name) == 1) continue;
    const fs::path path = fs::absolute(run.folder.path()).lexically_normal();
    run.name = fmt::format("{}/{}", path.parent_path().filename().string(), run.name);
  }
}

/// Of a run whose tasks gave `reports`.
RunResults results_of(const record::RunFolder& folder, std::vector<Report> reports) {
  RunResults run{folder, fs::absolute(folder.path() + "/").lexically_normal().parent_path().filename().string(),
                 std::move(reports)};
  run.experiment = io::read_text(folder.resolved());
  const config::Table resolved = config::parse_text(run.experiment, folder.resolved());
  const config::Value* general = resolved.find("experiment");
  if (general != nullptr && general->get_if<config::Table>() != nullptr)
    run.seed = integer_in(*general->get_if<config::Table>(), "seed");
  run.batches = batches_of(resolved);
  run.has_published_votes = has_votes_of(resolved, "galaxy_zoo_decals");
  if (fs::exists(folder.provenance())) {
    run.provenance = io::read_text(folder.provenance());
    const Provenance provenance = Provenance::parse(run.provenance, folder.provenance());
    run.objects = integer_in(provenance.dataset, "training objects") + integer_in(provenance.dataset, "test objects");
  }
  if (fs::exists(folder.model())) {
    const io::Metadata metadata = io::list_weights(folder.model()).metadata;
    run.model_hash = text_in(metadata, "model_hash");
    run.machine = text_in(metadata, "machine");
  }
  if (fs::exists(folder.metrics())) {
    record::read_metrics(folder.metrics(), [&](const record::MetricsLine& line) { run.metrics.push_back(line); });
  }
  std::erase_if(run.reports, [](const Report& report) { return report.title == "provenance"; });
  return run;
}

}  // namespace

std::vector<std::string> RunResults::stages() const {
  std::vector<std::string> names;
  for (const record::MetricsLine& line : metrics) {
    if (std::ranges::find(names, line.stage) == names.end()) names.push_back(line.stage);
  }
  return names;
}

std::vector<RunResults> read_results(const std::vector<std::string>& folders) {
  std::vector<RunResults> runs;
  for (const std::string& path : folders) {
    const auto folder = record::RunFolder::open(path);
    if (!fs::exists(folder.report_json()))
      throw Error(fmt::format("{}: the run is not finished; `astroclip run --resume` finishes it", path));
    runs.push_back(results_of(folder, evaluate::read_report(folder.report_json())));
  }
  tell_names_apart(runs);
  return runs;
}

}  // namespace astroclip::report
