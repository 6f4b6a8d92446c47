#include "compare/comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "config/value.h"

namespace astroclip::compare {

namespace {

using evaluate::Measure;

constexpr double level = 0.95;

/// Runs that differ in their seed alone.
struct Group {
  std::string label, configuration;
  std::map<int64_t, const MeasuredRun*> runs;  ///< by seed
};

std::vector<Group> grouped(const std::vector<MeasuredRun>& runs) {
  std::vector<Group> groups;
  for (const MeasuredRun& run : runs) {
    auto group = std::ranges::find(groups, run.configuration, &Group::configuration);
    if (group == groups.end()) group = groups.insert(groups.end(), {run.label, run.configuration, {}});
    const auto [known, is_new] = group->runs.emplace(run.seed, &run);
    if (!is_new) {
      throw Error(fmt::format("{} and {} have the same configuration and seed", known->second->path, run.path));
    }
  }
  for (Group& group : groups) {
    const auto same = [&](const Group& other) { return other.label == group.label; };
    if (std::ranges::count_if(groups, same) == 1) continue;
    // Folders of one name in different places.
    const std::filesystem::path path = group.runs.begin()->second->path;
    group.label = fmt::format("{}/{}", path.parent_path().filename().string(), group.label);
  }
  return groups;
}

std::vector<std::string> unlike_first(const std::vector<MeasuredRun>& runs) {
  std::vector<std::string> sentences;
  for (const MeasuredRun& run : runs) {
    const std::vector<std::string> names = differences(runs.front().provenance, run.provenance);
    if (names.empty()) continue;
    sentences.push_back(fmt::format("{} and {} differ in {}", runs.front().path, run.path, fmt::join(names, ", ")));
  }
  return sentences;
}

const Measure* find(const MeasuredRun& run, const std::string& measure) {
  const auto found = std::ranges::find(run.measures, measure, &Measure::name);
  return found == run.measures.end() ? nullptr : &*found;
}

std::vector<Measure> common_measures(const std::vector<MeasuredRun>& runs) {
  std::vector<Measure> common;
  for (const Measure& measure : runs.front().measures) {
    const auto has = [&](const MeasuredRun& run) { return find(run, measure.name) != nullptr; };
    if (std::ranges::all_of(runs, has)) common.push_back(measure);
  }
  return common;
}

std::vector<Measure> chosen(const std::vector<Measure>& all, const std::vector<std::string>& patterns) {
  std::vector<Measure> found;
  if (patterns.empty()) std::ranges::copy_if(all, std::back_inserter(found), &Measure::is_first);
  for (const std::string& pattern : patterns) {
    const size_t before = found.size();
    for (const Measure& measure : all) {
      const bool fits = fnmatch(("*" + pattern + "*").c_str(), measure.name.c_str(), FNM_CASEFOLD) == 0;
      if (fits && std::ranges::find(found, measure.name, &Measure::name) == found.end()) found.push_back(measure);
    }
    if (found.size() > before) continue;
    std::vector<std::string> names;
    for (const Measure& measure : all) names.push_back(measure.name);
    throw Error(fmt::format("no metric's name contains '{}'; the metrics are: {}", pattern, fmt::join(names, ", ")));
  }
  if (found.empty()) throw Error("the runs have no metric in common");
  return found;
}

/// The group of that name, or of the only one that ends in it: "clip" for "loss=clip".
size_t baseline_of(const std::vector<Group>& groups, const std::string& name) {
  std::vector<std::string> labels;
  std::vector<size_t> found;
  for (size_t i = 0; i < groups.size(); ++i) {
    labels.push_back(groups[i].label);
    if (groups[i].label == name) return i;
    if (groups[i].label.ends_with("=" + name)) found.push_back(i);
  }
  if (found.size() == 1) return found.front();
  throw Error(fmt::format("there is no configuration '{}'; the configurations are: {}", name, fmt::join(labels, ", ")));
}

/// What a seed's value counts for: what should be near zero, by its distance from it.
double counted(const MeasuredRun& run, const Measure& measure) {
  const double value = find(run, measure.name)->value;
  return measure.better == Better::nearer_zero ? std::abs(value) : value;
}

std::vector<double> differences(const Group& group, const Group& baseline, const Measure& measure) {
  std::vector<double> all;
  for (const auto& [seed, run] : group.runs) {
    const auto paired = baseline.runs.find(seed);
    if (paired != baseline.runs.end()) all.push_back(counted(*run, measure) - counted(*paired->second, measure));
  }
  return all;
}

Cell make_cell(const Group& group, const Group* baseline, const Measure& measure) {
  std::vector<double> values, object_errors;
  for (const auto& [seed, run] : group.runs) {
    values.push_back(counted(*run, measure));
    object_errors.push_back(find(*run, measure.name)->object_error);
  }
  Cell cell{values.size(), mean(values), standard_error(values), mean(object_errors), false, 0, nan, {nan, nan},
            nan,           nan};
  if (baseline == nullptr || baseline == &group) return cell;
  const std::vector<double> paired = differences(group, *baseline, measure);
  cell.pairs = paired.size();
  if (paired.empty()) return cell;
  cell.difference = mean(paired);
  cell.interval = bootstrap_interval(paired, level);
  cell.p = t_test(paired);
  return cell;
}

/// Greater is better.
double merit(double value, Better better) { return better == Better::more ? value : -value; }

void mark_best(std::vector<Cell*>& column, Better better) {
  double best = -std::numeric_limits<double>::infinity();
  for (const Cell* cell : column) {
    if (!std::isnan(cell->mean)) best = std::max(best, merit(cell->mean, better));
  }
  for (Cell* cell : column) cell->is_best = merit(cell->mean, better) == best;
}

void correct(std::vector<Cell*>& column) {
  std::vector<double> p;
  for (const Cell* cell : column) p.push_back(cell->p);
  const std::vector<double> adjusted = holm(p);
  for (size_t i = 0; i < column.size(); ++i) column[i]->p_holm = adjusted[i];
}

}  // namespace

Comparison compare(const std::vector<MeasuredRun>& runs, const Request& request) {
  if (runs.empty()) throw Error("there are no finished runs to compare");
  std::vector<Group> groups = grouped(runs);
  const std::vector<Measure> measures = chosen(common_measures(runs), request.patterns);
  const Group* baseline = nullptr;
  Comparison table;
  table.unlike = unlike_first(runs);
  if (!request.baseline.empty()) {  // it stands first
    const auto at = groups.begin() + static_cast<std::ptrdiff_t>(baseline_of(groups, request.baseline));
    std::rotate(groups.begin(), at, at + 1);
    baseline = &groups.front();
    table.baseline = baseline->label;
  }
  for (const Group& group : groups) {
    table.configurations.push_back(group.label);
    table.cells.emplace_back();
    for (const Measure& measure : measures) table.cells.back().push_back(make_cell(group, baseline, measure));
  }
  for (size_t m = 0; m < measures.size(); ++m) {
    const bool is_distance = measures[m].better == Better::nearer_zero;
    table.measures.push_back(is_distance ? fmt::format("|{}|", measures[m].name) : measures[m].name);
    std::vector<Cell*> column;
    for (auto& row : table.cells) column.push_back(&row[m]);
    mark_best(column, *measures[m].better);
    correct(column);
  }
  return table;
}

}  // namespace astroclip::compare
