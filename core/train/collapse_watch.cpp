#include "train/collapse_watch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "base/error.h"
#include "base/text.h"
#include "config/schema.h"
#include "data/fields.h"
#include "evaluate/embedder.h"
#include "probe/metrics.h"
#include "probe/probes.h"
#include "probe/spread.h"
#include "train/batches.h"

namespace astroclip::train {

namespace {

constexpr int64_t neighbours = 16;
constexpr double safe_of_loss = 0.1;  // distance of a loss's sign from its value in a collapse
constexpr const char* rank_suffix = ".rank";

const config::Schema<CollapseWatch::State>& watch_state_schema() {
  using State = CollapseWatch::State;
  static const auto schema = config::Schema<State>("Looks for a collapse so far.")
                                 .required("names", &State::names, "of the signs")
                                 .required("first", &State::first, "their values at the first look")
                                 .required("last_step", &State::last_step, "finished steps at the last look; -1: none")
                                 .required("since", &State::since, "finished steps when it collapsed; -1: not")
                                 .required("collapse", &State::collapse, "what tells of it")
                                 .required("note", &State::note, "the last look");
  return schema;
}

/// R² of a label that k-NN predicts for every other object from those between, of those that have it. As in tasks,
/// columns are standardised on the objects that it predicts from.
double knn_r_squared(const Matrix& rows, const std::vector<double>& labels) {
  probe::Sample halves[2];
  for (int64_t row = 0; row < rows.rows; ++row) {
    const double label = labels[static_cast<size_t>(row)];
    if (!std::isfinite(label)) continue;
    probe::Sample& half = halves[row % 2];
    half.features.append(select_rows(rows, std::span(&row, 1)));
    half.labels.push_back(label);
  }
  auto& [train, test] = halves;
  if (train.labels.empty() || test.labels.empty()) return std::nan("");
  const probe::Standardiser standardise(train.features);
  train.features = standardise(train.features);
  test.features = standardise(test.features);
  const int64_t k = std::min(neighbours, train.features.rows);
  return probe::r_squared(probe::fit_knn(train, k)->predict(test.features), test.labels);
}

void expect_label(const Stage& stage, const Dataset& dataset) {
  std::vector<std::string> there;
  for (const Field& field : dataset.fields()) {
    if (field.shape.rank() == 0) there.push_back(field.name);
  }
  const std::string& label = stage.spec.watch.label;
  if (label.empty() || std::ranges::find(there, label) != there.end()) return;
  throw Error(fmt::format("[stages.{}.watch] the dataset has no label '{}'; its labels are {}{}", stage.spec.name,
                          label, fmt::join(there, ", "), suggestion(label, there)));
}

}  // namespace

CollapseWatch::CollapseWatch(const StageSetup& setup, const FrozenViews& frozen, const Origins& origins,
                             const Dataset& dataset, const std::vector<int64_t>& rows)
    : setup_(setup), frozen_(frozen), origins_(origins), dataset_(dataset) {
  expect_label(setup.stage(), dataset);
  const WatchSpec& spec = setup.stage().spec.watch;
  const size_t count = std::min(rows.size(), static_cast<size_t>(spec.objects));
  for (size_t i = 0; i < count; ++i) rows_.push_back(rows[i * rows.size() / count]);
  if (!spec.label.empty()) labels_ = data::read_label(dataset, Split::train, rows_, spec.label);
}

bool CollapseWatch::due(int64_t step) const {
  const StageSpec& spec = setup_.stage().spec;
  return state_.last_step != step && (step % spec.watch.every == 0 || step == spec.steps);
}

record::Metrics CollapseWatch::look(const WeightsInUse& weights, int64_t step) {
  const autograd::NoGrad no_grad;
  std::vector<Sign> signs;
  {
    const WeightsInUse::Scope scope(weights);
    add_signs_of_embeddings(signs);
  }
  {
    const WeightsInUse::Scope scope(weights, WeightsInUse::By::loss);
    add_signs_of_loss(signs, step);
  }
  const bool is_first = state_.last_step < 0;
  record::Metrics metrics;
  std::vector<std::string> values, ranks, changes, verdicts;
  for (const Sign& sign : signs) {
    metrics.emplace_back("watch." + sign.name, sign.value);
    if (is_first) {
      state_.names.push_back(sign.name);
      state_.first.push_back(sign.value);
    }
    values.push_back(fmt::format("{} {:.3g}", sign.name, sign.value));
    if (sign.name.ends_with(rank_suffix)) ranks.push_back(values.back());
    changes.push_back(fmt::format("{} ({:.3g})", values.back(), first_of(sign)));
    std::string found = verdict(sign, step);
    if (!found.empty()) verdicts.push_back(std::move(found));
  }
  metrics.emplace_back("watch.collapsed", static_cast<double>(verdicts.size()));
  brief_ = fmt::format("{}", fmt::join(values, ", "));
  state_.last_step = step;
  state_.collapse = fmt::format("{}", fmt::join(verdicts, ", "));
  if (verdicts.empty()) {
    state_.since = -1;
  } else if (state_.since < 0) {
    state_.since = step;
  }
  if (state_.since >= 0) ranks.emplace_back("collapsed");
  glance_ = fmt::format("{}", fmt::join(ranks, ", "));
  state_.note = fmt::format("stage {}, {} objects set apart after {} steps (at first): {}.", setup_.stage().spec.name,
                            rows_.size(), step, fmt::join(changes, ", "));
  if (state_.since >= 0) {
    state_.note +=
        fmt::format(" The representation has collapsed, as found after {} steps: {}.", state_.since, state_.collapse);
  }
  return metrics;
}

void CollapseWatch::add_signs_of_embeddings(std::vector<Sign>& signs) const {
  const Experiment& experiment = setup_.stage().experiment;
  for (const std::string& tower : setup_.towers_of_views()) {
    const evaluate::Embedder embedder = evaluate::embedder_of(tower, experiment, setup_.model(), origins_);
    const Matrix rows = evaluate::embed_rows(embedder, experiment, dataset_, Split::train, rows_);
    signs.push_back({tower + rank_suffix, probe::effective_rank(rows), 1.0});
    signs.push_back({tower + ".deviation", probe::feature_deviation(rows), 0.0});
    if (!labels_.empty()) signs.push_back({tower + ".knn_r2", knn_r_squared(rows, labels_), std::nullopt});
  }
}

void CollapseWatch::add_signs_of_loss(std::vector<Sign>& signs, int64_t step) const {
  const auto batches = static_cast<double>(whole_batches(setup_.stage(), static_cast<int64_t>(rows_.size())));
  const size_t first = signs.size();
  const auto add = [&](StepContext& context, const data::Batch&) {
    const std::vector<CollapseSign> found = setup_.forward(context).signs;
    for (size_t s = 0; s < found.size(); ++s) {
      if (first + s == signs.size()) signs.push_back({found[s].name, 0.0, found[s].collapsed, true});
      signs[first + s].value += found[s].value.item() / batches;
    }
  };
  for_each_batch(setup_, frozen_, dataset_, rows_, step, Mode::watching, add);
}

double CollapseWatch::first_of(const Sign& sign) const {
  const auto at = std::ranges::find(state_.names, sign.name);
  return at == state_.names.end() ? std::nan("") : state_.first[static_cast<size_t>(at - state_.names.begin())];
}

std::string CollapseWatch::verdict(const Sign& sign, int64_t step) const {
  if (!sign.collapsed || state_.last_step < 0) return "";
  const StageSpec& spec = setup_.stage().spec;
  const double first = first_of(sign), distance = std::abs(sign.value - *sign.collapsed);
  const double safe = sign.is_of_loss ? safe_of_loss : std::abs(first - *sign.collapsed);
  const bool is_early = sign.is_of_loss && step <= spec.optimizer.warmup && std::isfinite(distance);
  if (is_early || distance >= spec.watch.threshold * safe) return "";
  return fmt::format("{} is {:.3g} ({:.3g} at first, {:.3g} in a collapse)", sign.name, sign.value, first,
                     *sign.collapsed);
}

config::Table CollapseWatch::state() const { return watch_state_schema().dump(state_); }

void CollapseWatch::restore(const config::Table& state, const std::string& place) {
  config::Problems problems;
  state_ = watch_state_schema().parse(state, {place}, {}, problems);
  problems.throw_if_any();
}

}  // namespace astroclip::train
