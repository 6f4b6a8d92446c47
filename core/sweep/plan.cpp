#include "sweep/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <ranges>
#include <sstream>

#include "base/error.h"
#include "config/toml.h"
#include "experiment/stage_key.h"
#include "sweep/axes.h"

namespace astroclip::sweep {

namespace {

using config::Problems;
using config::Table;
using config::Value;

constexpr size_t most_runs = 10000;
constexpr size_t longest_name = 200;  // file systems take 255 bytes
const std::string seed_key = "experiment.seed", precision_key = "experiment.precision", automatic = "auto";

std::vector<std::string> parts_of(const std::string& key) {
  std::vector<std::string> parts;
  std::istringstream text(key);
  for (std::string part; std::getline(text, part, '.');) parts.push_back(part);
  return parts;
}

/// The last `count` parts of a dotted key.
std::string ending(const std::string& key, size_t count) {
  const std::vector<std::string> parts = parts_of(key);
  const size_t first = parts.size() - std::min(count, parts.size());
  return fmt::format("{}", fmt::join(parts.begin() + static_cast<std::ptrdiff_t>(first), parts.end(), "."));
}

/// "stages.alignment.optimizer.lr" → "lr" where no other swept key ends so.
std::string short_key(const std::string& key, const std::vector<std::string>& keys) {
  for (size_t count = 1;; ++count) {
    const std::string short_name = ending(key, count);
    const auto same =
        std::ranges::count_if(keys, [&](const auto& other) { return ending(other, count) == short_name; });
    if (same == 1 || short_name == key) return short_name;
  }
}

/// Usable as a folder's name and in a shell without quotes.
std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool fits = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      std::string_view("._+=,-").find(c) != std::string_view::npos;
    if (fits) out += c;
    if (!fits && !out.empty() && out.back() != '-') out += '-';
  }
  return out;
}

/// The seed comes last, so that the name without it is the name of the configuration.
std::string run_name(const std::vector<const Setting*>& settings, const std::vector<std::string>& keys) {
  std::vector<std::string> parts;
  std::string seed;
  for (const Setting* setting : settings) {
    const std::string part = short_key(setting->key, keys) + "=" + setting->label;
    if (setting->key == seed_key) {
      seed = part;
    } else {
      parts.push_back(part);
    }
  }
  if (!seed.empty()) parts.push_back(seed);
  return printable(fmt::format("{}", fmt::join(parts, ",")));
}

/// `[experiment] precision` of a file; "" where it is not there.
std::string precision_of(const Table& file) {
  const Value* section = file.find("experiment");
  const auto* general = section == nullptr ? nullptr : section->get_if<Table>();
  const Value* precision = general == nullptr ? nullptr : general->find("precision");
  const auto* name = precision == nullptr ? nullptr : precision->get_if<std::string>();
  return name == nullptr ? "" : *name;
}

void set_precision(Table& file, const std::string& name) {
  config::assign(file, precision_key, {name, {}}, {}, precision_key);
}

/// Every combination, the first axis slowest.
std::vector<std::vector<const Setting*>> combinations(const std::vector<Axis>& axes) {
  std::vector<std::vector<const Setting*>> all(1);
  for (const Axis& axis : axes) {
    std::vector<std::vector<const Setting*>> longer;
    for (const auto& before : all) {
      for (const auto& choice : axis) {
        longer.push_back(before);
        for (const Setting& setting : choice) longer.back().push_back(&setting);
      }
    }
    all = std::move(longer);
  }
  return all;
}

/// Problems of runs, each once, with the first run that has it.
class RunProblems {
 public:
  void add(const std::string& run, const std::string& lines) {
    std::istringstream text(lines);
    for (std::string line; std::getline(text, line);) {
      const auto known = std::ranges::find(found_, line, &Found::line);
      if (known == found_.end()) {
        found_.push_back({line, run, 1});
      } else {
        ++known->runs;
      }
    }
  }

  void throw_if_any(size_t runs) const {
    std::vector<std::string> lines;
    for (const Found& found : found_) {
      lines.push_back(found.runs == runs ? found.line : fmt::format("{} (run {})", found.line, found.first_run));
    }
    if (!lines.empty()) throw config::ProblemList(fmt::format("{}", fmt::join(lines, "\n")));
  }

 private:
  struct Found {
    std::string line, first_run;
    size_t runs;
  };
  std::vector<Found> found_;
};

/// The axes, or a ProblemList.
std::vector<Axis> checked_axes(const Value& section, SweepSpec& spec) {
  Problems problems;
  const auto* table = section.get_if<Table>();
  if (table == nullptr) {
    problems.add(section.location(), fmt::format("[sweep] must be a table, found {}", section.kind()));
    problems.throw_if_any();
  }
  spec = sweep_schema().parse(*table, {"sweep"}, section.location(), problems);
  std::vector<Axis> axes = read_axes(spec, problems);
  problems.throw_if_any();
  size_t runs = 1;
  for (const Axis& axis : axes) runs = std::min(most_runs + 1, runs * axis.size());
  if (axes.empty()) problems.add(section.location(), "[sweep] has no parameters; expected seeds, cross or zip");
  if (runs > most_runs) problems.add(section.location(), fmt::format("[sweep] has more than {} runs", most_runs));
  problems.throw_if_any();
  return axes;
}

/// Adds the run of one combination, or its problems.
void read_run(const Table& base, const std::vector<const Setting*>& settings, const std::string& name,
              std::vector<PlannedRun>& runs, RunProblems& problems) {
  Table file = base;
  for (const Setting* setting : settings) {
    try {
      config::assign(file, setting->key, setting->value, setting->place,
                     fmt::format("{}: error: [sweep] '{}'", setting->place.str(), setting->key));
    } catch (const Error& error) {
      problems.add(name, error.what());
      return;
    }
  }
  try {
    runs.push_back(make_run(name, read_experiment(file)));
  } catch (const config::ProblemList& list) {
    problems.add(name, list.what());
  }
}

void check_name(const std::string& name, const std::vector<PlannedRun>& runs, const config::Location& place) {
  Problems problems;
  if (name.size() > longest_name) {
    problems.add(place, fmt::format("[sweep] the name of a run is longer than {} characters: {}", longest_name, name));
  }
  if (std::ranges::find(runs, name, &PlannedRun::name) != runs.end()) {
    problems.add(place, fmt::format("[sweep] two runs have the name {}", name));
  }
  problems.throw_if_any();
}

/// "auto" is chosen once: swept values would choose it anew when the sweep is resumed.
void refuse_auto(const std::vector<Axis>& axes) {
  Problems problems;
  for (const Axis& axis : axes) {
    for (const Setting& setting : axis | std::views::join) {
      const auto* name = setting.key == precision_key ? setting.value.get_if<std::string>() : nullptr;
      if (name == nullptr || *name != automatic) continue;
      problems.add(setting.place, fmt::format("[sweep] '{}' takes \"f32\" and \"bf16\"; \"auto\" is for all runs "
                                              "and stands in [experiment]",
                                              setting.key));
    }
  }
  problems.throw_if_any();
}

/// The precision that "auto" is for all runs of it; none where no run has "auto".
std::optional<Precision> chosen_precision(const std::vector<PlannedRun>& runs, const Value& section) {
  std::optional<Precision> chosen;
  for (const auto& [name, experiment, keys] : runs) {
    if (experiment.precision_reason.empty()) continue;
    if (!chosen) chosen = experiment.precision;
    if (chosen == experiment.precision) continue;
    Problems problems;
    problems.add(section.location(), "[sweep] precision \"auto\" differs between the devices of the runs; name one");
    problems.throw_if_any();
  }
  return chosen;
}

}  // namespace

PlannedRun make_run(std::string name, Experiment experiment) {
  PlannedRun run{std::move(name), std::move(experiment), {}};
  for (size_t stage = 0; stage < run.experiment.stages.size(); ++stage) {
    run.stage_keys.push_back(stage_key({run.experiment, stage}));
  }
  return run;
}

bool is_sweep(const Table& file) { return file.find("sweep") != nullptr; }

Plan read_plan(const Table& file) {
  const Value& section = *file.find("sweep");
  SweepSpec spec;
  const std::vector<Axis> axes = checked_axes(section, spec);
  refuse_auto(axes);
  std::vector<std::string> keys;
  for (const Axis& axis : axes) {
    for (const Setting& setting : axis.front()) keys.push_back(setting.key);
  }
  Table base = file;
  base.erase("sweep");
  Plan plan;
  plan.token_cache_mb = spec.token_cache_mb;
  RunProblems problems;
  const auto all = combinations(axes);
  for (const auto& settings : all) {
    const std::string name = run_name(settings, keys);
    check_name(name, plan.runs, section.location());
    read_run(base, settings, name, plan.runs, problems);
  }
  problems.throw_if_any(all.size());
  plan.name = plan.runs.front().experiment.name;
  Table text = file;
  if (const auto precision = chosen_precision(plan.runs, section)) set_precision(text, name_of(*precision));
  plan.text = config::to_toml(text);
  return plan;
}

void keep_precision(Table& file, const std::string& sweep) {
  const Table earlier = config::parse_file(sweep);
  const std::string before = precision_of(earlier);
  if (precision_of(file) == automatic && !before.empty()) set_precision(file, before);
}

config::FieldDescription describe_sweep() {
  return {"sweep", "section", "", "", "many runs of this experiment with different values", sweep_schema().describe()};
}

}  // namespace astroclip::sweep
