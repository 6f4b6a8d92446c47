#include "run/estimate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <numeric>

#include "base/threads.h"
#include "data/subset.h"
#include "experiment/stage_key.h"
#include "train/trainer.h"

namespace astroclip::run {

namespace {

/// The first `count` rows, or all if there are fewer.
std::vector<int64_t> first_rows(int64_t count, int64_t size) {
  std::vector<int64_t> rows(static_cast<size_t>(std::min(count, size)));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

/// A folder that is removed with the object.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_((std::filesystem::temp_directory_path() / fmt::format("astroclip-estimate-{}", getpid())).string()) {}
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

double time_steps(train::Trainer& trainer, int64_t steps) {
  constexpr int64_t first_steps = 2, timed_steps = 5;  // the first ones pack weights and fill loader and cache
  const int64_t ahead = std::min(first_steps, steps - 1), timed = std::min(timed_steps, steps - ahead);
  for (int64_t i = 0; i < ahead; ++i) trainer.step();
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < timed; ++i) trainer.step();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(timed);
}

}  // namespace

double seconds_per_step(const Stage& planned, const Dataset& dataset, bool keeps_tokens) {
  constexpr int64_t token_bytes = int64_t{1} << 32;
  Experiment experiment = planned.experiment;
  experiment.validation = 0.0;  // its objects would not be among a few
  experiment.stages[planned.index].validation.every = 0;
  experiment.stages[planned.index].watch.every = 0;
  const Stage stage(experiment, planned.index);
  const StageSpec& spec = stage.spec;
  if (spec.steps == 0) return 0.0;
  set_compute_threads(static_cast<int>(experiment.threads));
  Model model(experiment.encoders, experiment.run_device(), stage.seed());
  const data::Subset few(dataset, first_rows(2 * spec.batch, dataset.size(Split::train)), {});
  // The first objects may have one modality only.
  std::vector<std::string> modalities;
  for (const std::string& encoder : spec.encoders) modalities.push_back(model.encoder(encoder).modality());
  const bool suffice = static_cast<int64_t>(data::rows_with(few, Split::train, modalities).size()) >= spec.batch;
  if (!keeps_tokens || !suffice) {
    train::Trainer trainer(stage, model, dataset);
    return time_steps(trainer, spec.steps);
  }
  const TemporaryFolder folder;
  evaluate::TokenCache cache(experiment, few, {}, folder.path(), token_bytes, nullptr);
  train::Trainer trainer(stage, model, few, std::nullopt, &cache);
  return time_steps(trainer, spec.steps);
}

std::string cost_key(const Stage& stage) {
  StageSpec own = stage.spec;
  own.name.clear();
  own.steps = 0;
  own.optimizer = {};
  own.init.clear();
  own.validation = {};
  Experiment alone = stage.experiment;
  alone.seed = 0;
  alone.stages = {own};
  return stage_key({alone, 0});
}

}  // namespace astroclip::run
