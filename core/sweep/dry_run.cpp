#include "sweep/dry_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "base/table.h"
#include "config/toml.h"
#include "plugin/host.h"
#include "record/checkpoint.h"
#include "record/console.h"
#include "run/estimate.h"
#include "sweep/folder.h"

namespace astroclip::sweep {

namespace {

/// Counts the stages to train and times them.
class DryRun {
 public:
  DryRun(const Plan& plan, const std::string& folder) : plan_(plan), folder_(folder) {}

  std::string text() {
    for (const PlannedRun& run : plan_.runs) add(run);
    std::string all = format_table(lines_);
    const size_t begun = counts_[State::begun], finished = counts_[State::finished];
    all += fmt::format("\n{} runs: {} finished, {} started, {} new; {} stages to train, {} shared with other runs\n",
                       plan_.runs.size(), finished, begun, plan_.runs.size() - begun - finished, trained_, shared_);
    if (trained_ == 0) return all;
    return all + fmt::format(
                     "training: about {}, estimated from a few steps of each of {} kinds of stages; excludes "
                     "the first pass of frozen backbones and the evaluation of each run\n",
                     record::duration(seconds_), timings_.size());
  }

 private:
  void add(const PlannedRun& run) {
    const State state = folder_.path().empty() ? State::fresh : folder_.state(run);
    ++counts_[state];
    if (state == State::finished) {
      lines_.push_back({run.name, "finished"});
      return;
    }
    const record::Position position = position_of(run, state);
    std::vector<std::string> parts;
    if (state == State::begun) parts.push_back(fmt::format("started, after step {}", position.step));
    const auto first = first_with_stages(plan_, run);
    const auto ended =
        folder_.path().empty() ? std::vector<std::string>(first.size()) : folder_.ended_stages(plan_, run);
    std::vector<std::string> taken;
    for (auto stage = static_cast<size_t>(position.stage); stage < first.size(); ++stage) {
      const StageSpec& spec = run.experiment.stages[stage];
      const bool here = position.stage == static_cast<int64_t>(stage) && position.step > 0;
      if (!here && (first[stage] != &run || !ended[stage].empty())) {
        taken.push_back(spec.name);
        ++shared_;
      } else {
        const int64_t steps = spec.steps - (here ? position.step : 0);
        parts.push_back(fmt::format("{} steps of {}", steps, spec.name));
        seconds_ += static_cast<double>(steps) * seconds_per_step({run.experiment, stage});
        ++trained_;
      }
    }
    if (!taken.empty()) parts.push_back(fmt::format("{} from another run", fmt::join(taken, ", ")));
    lines_.push_back({run.name, fmt::format("{}", fmt::join(parts, ", "))});
  }

  record::Position position_of(const PlannedRun& run, State state) const {
    if (state == State::fresh) return {};
    const auto latest = record::latest_checkpoint(record::RunFolder::open(folder_.run(run)).checkpoints());
    return latest ? latest->position : record::Position{};
  }

  double seconds_per_step(const Stage& stage) {
    const auto [known, is_new] = timings_.emplace(run::cost_key(stage), 0.0);
    if (is_new) known->second = run::seconds_per_step(stage, dataset(stage.experiment), plan_.token_cache_mb > 0);
    return known->second;
  }

  const Dataset& dataset(const Experiment& experiment) {
    auto& made = datasets_[config::to_toml(experiment.dataset.parameters)];
    if (!made) made = experiment.dataset.make();
    return *made;
  }

  const Plan& plan_;
  SweepFolder folder_;
  std::vector<TableRow> lines_;
  std::map<State, size_t> counts_;
  std::map<std::string, double> timings_;  ///< seconds a step, by cost_key
  std::map<std::string, std::shared_ptr<Dataset>> datasets_;
  size_t trained_ = 0, shared_ = 0;
  double seconds_ = 0.0;
};

}  // namespace

Plan read_single(const config::Table& file) {
  Experiment experiment = read_experiment(file);
  Plan plan{experiment.name, config::to_toml(file), 0, {}};
  plan.runs.push_back(make_run(plan.name, std::move(experiment)));
  return plan;
}

std::string dry_run(const Plan& plan, const std::string& folder) { return DryRun(plan, folder).text(); }

}  // namespace astroclip::sweep
