#include "evaluate/evaluation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "config/toml.h"
#include "data/fields.h"
#include "evaluate/attention.h"
#include "evaluate/extraction.h"
#include "evaluate/galleries.h"
#include "evaluate/joint.h"
#include "evaluate/label_floors.h"
#include "evaluate/left_out.h"
#include "evaluate/object_files.h"
#include "evaluate/report.h"
#include "evaluate/run_task.h"
#include "evaluate/sources.h"
#include "io/output/durable_file.h"

namespace astroclip::evaluate {

namespace {

void read_labels(const Experiment& experiment, const Dataset& dataset, const ChosenObjects& chosen, TaskInput& input) {
  const auto read = [&](Split split, std::map<std::string, std::vector<double>>& labels, std::vector<int64_t>& ids) {
    const std::vector<int64_t>& rows = chosen.of(split).rows;
    ObjectIds own = data::read_object_ids(dataset, split, rows);
    input.id_names.add(own);
    ids = std::move(own.keys);
    for (const auto& [name, column] : data::read_fields(dataset, split, rows, readable_labels(experiment, dataset))) {
      labels[name] = data::as_doubles(column);
    }
  };
  read(Split::train, input.train_labels, input.train_ids);
  read(Split::test, input.test_labels, input.test_ids);
}

/// Representations of everything, or of the floors alone, with what tasks read beside them. Vectors may hold what is
/// not finite.
TaskInput gather(const Experiment& experiment, const Model& model, const Origins& origins, const Dataset& dataset,
                 const ChosenObjects& chosen, TokenCache* cache, const TokenFolder& tokens, record::Console& console,
                 bool floors_alone) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<Source> sources = make_sources(experiment, model, origins, dataset, chosen, floors_alone, console);
  extract(experiment, dataset, chosen, cache, tokens, console, sources);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  console.say(fmt::format("embedded {} objects in {} representations in {:.1f} s",
                          chosen.train.rows.size() + chosen.test.rows.size(), sources.size(), elapsed.count()));
  TaskInput input;
  input.seed = experiment.seed;
  input.resamples = experiment.evaluation.resamples;
  input.probe_seeds = experiment.evaluation.probe_seeds;
  input.keep_probes = experiment.evaluation.keep_probes && !floors_alone;
  for (Source& source : sources) input.representations.push_back(std::move(source.representation));
  read_labels(experiment, dataset, chosen, input);
  std::ranges::move(label_floors(experiment, dataset, chosen, input), std::back_inserter(input.representations));
  add_joint(experiment, input.representations);
  return input;
}

/// Says which tables have no line. Throws Error when none has.
void expect_rows(std::vector<Report>& reports, const std::string& task) {
  const auto is_empty = [](const Report& report) { return report.rows.empty(); };
  const bool measured_nothing = std::ranges::all_of(reports, is_empty);
  for (Report& report : reports) {
    if (!is_empty(report)) continue;
    if (measured_nothing) {
      throw Error(fmt::format("[tasks] '{}' measured nothing: the table \"{}\" has no line ({})", task, report.title,
                              report.note));
    }
    report.note = "No line: too few objects have what it measures. " + report.note;
  }
}

/// What all tasks give.
struct Results {
  std::vector<Report> reports;
  std::map<std::string, std::vector<Prediction>> predictions;  ///< by task
};

/// Leaves out of the input what is not finite.
Results run_tasks(const Experiment& experiment, TaskInput& input, record::Console& console) {
  const std::vector<std::string> left_out = leave_out(input, experiment.evaluation.max_not_finite);
  for (const std::string& sentence : left_out) console.say("left out of the tables: " + sentence);
  Results all;
  for (const plugin::Spec<Task>& spec : experiment.tasks) {
    TaskResult result = run_task(*spec.make(), input);
    expect_rows(result.reports, spec.plugin);
    std::ranges::move(result.reports, std::back_inserter(all.reports));
    if (result.predictions.empty()) continue;
    std::string name = spec.plugin;
    for (int number = 2; all.predictions.contains(name); ++number) name = fmt::format("{} {}", spec.plugin, number);
    all.predictions[name] = std::move(result.predictions);
  }
  for (Report& report : all.reports) {
    if (!left_out.empty()) report.note += fmt::format(" Left out of every line: {}.", fmt::join(left_out, "; "));
  }
  return all;
}

}  // namespace

void check_evaluation(const Experiment& experiment, const Dataset& dataset) {
  check_labels(experiment, dataset);
  check_joint(experiment);
  check_tokens(experiment);
  check_models(experiment, dataset);
}

std::vector<Report> evaluate(const Experiment& experiment, const Model& model, const Origins& origins,
                             const Dataset& dataset, const InBoth& in_both, const Provenance& provenance,
                             const std::vector<std::string>& looks, const record::RunFolder& folder,
                             record::Console& console, TokenCache* cache) {
  const ChosenObjects chosen(experiment, model, dataset, in_both);
  const TokenFolder tokens(experiment, folder.tokens());
  TaskInput input = gather(experiment, model, origins, dataset, chosen, cache, tokens, console, false);
  write_embeddings(folder.embeddings(), input,
                   {{"experiment", config::to_toml(experiment.resolved())}, {"provenance", provenance.text()}});
  auto [reports, predictions] = run_tasks(experiment, input, console);
  if (const std::vector<std::string> notes = dataset.notes(); !notes.empty()) {
    reports.insert(reports.begin(), {"dataset", fmt::format("{}", fmt::join(notes, "\n  ")), {}});
  }
  const std::string overlap = describe_overlap(experiment, in_both);
  if (!overlap.empty()) reports.insert(reports.begin(), {"test objects in the training split", overlap, {}});
  if (!looks.empty()) {
    reports.insert(reports.begin(), {"looks for a collapse", fmt::format("{}", fmt::join(looks, "\n  ")), {}});
  }
  const std::vector<Gallery> galleries = galleries_of(input);
  write_objects(folder.objects(), input, dataset, chosen.test.rows, galleries,
                attention_of(experiment, model, origins, dataset, chosen.test.rows, first_queries(galleries)));
  if (!predictions.empty()) write_predictions(folder.predictions(), predictions, input.id_names);
  if (input.keep_probes) write_probes(folder.probes(), predictions);
  const std::string text = report_text(reports);
  io::write_text(folder.report_text(), text);
  console.say(text);
  reports.push_back({"provenance", provenance.text(), {}});
  return reports;
}

void show_floors(const Experiment& experiment, const Model& model, const Dataset& dataset, const InBoth& in_both,
                 const record::RunFolder& folder, record::Console& console) {
  const ChosenObjects chosen(experiment, model, dataset, in_both);
  const TokenFolder tokens(experiment, folder.tokens());
  TaskInput input = gather(experiment, model, {}, dataset, chosen, nullptr, tokens, console, true);
  console.say("floors, before training:\n" + report_text(run_tasks(experiment, input, console).reports));
}

}  // namespace astroclip::evaluate
