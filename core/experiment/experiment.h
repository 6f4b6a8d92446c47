#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/dataset.h"
#include "api/encoder.h"
#include "api/loss.h"
#include "api/task.h"
#include "backend/backend.h"
#include "config/schema.h"
#include "experiment/dataset_spec.h"
#include "experiment/precision.h"
#include "plugin/spec.h"

namespace astroclip {

struct EncoderSpec {
  std::string name;  ///< its key under [encoders]
  plugin::Spec<Encoder> plugin;
};

/// What the optimiser does otherwise with some parameters.
struct GroupSpec {
  std::string match;
  double lr_scale = 1.0;
  double decay_scale = 1.0;
  int64_t frozen_steps = 0;
};

struct OptimizerSpec {
  std::string name = "adamw";
  double lr = 1e-4;
  double weight_decay = 0.05;
  double decay_scale_end = 1.0;
  std::vector<double> betas = {0.9, 0.999};
  double epsilon = 1e-8;
  int64_t warmup = 0;
  bool warmup_ends_at_peak = false;
  double min_lr = 0.0;
  double max_grad_norm = 1.0;
  std::vector<std::string> clip_apart;
  bool decay_vectors = true;
  double layer_decay = 1.0;
  std::vector<GroupSpec> groups;
};

/// Where an encoder's weights come from at the start of a stage.
struct InitSpec {
  std::string encoder;
  std::string source;  ///< the name of an earlier stage, or a safetensors or PyTorch file
  bool is_stage = false;
};

/// Which value of a validation's metric is better.
enum class Extremum { min, max, zero };
/// The weights that a stage ends with.
enum class Keep { best, last };

/// What a stage does with the objects set apart by `[experiment] validation`.
struct ValidationSpec {
  int64_t every = 0;  ///< steps; 0: nothing
  std::string metric = "validation.loss";
  Extremum mode = Extremum::min;
  int64_t patience = 0;  ///< 0: no end
  int64_t tasks = 0;     ///< training objects to fit the tasks' probes on; 0: no tasks
  Keep keep = Keep::best;
  int64_t figures = 4;  ///< objects that a loss draws figures of
};

/// Stochastic depth of some of a stage's encoders.
struct StochasticDepthSpec : nn::StochasticDepth {
  std::vector<std::string> encoders;  ///< all of the stage when empty
};

/// How a stage looks for a collapse of its representation.
struct WatchSpec {
  int64_t every = 0;  ///< steps; 0: not at all
  int64_t objects = 512;
  std::string label;  ///< "": none
  double threshold = 0.1;
};

/// What becomes of a step in which something is not finite.
enum class OnNonfinite { error, skip };

struct StageSpec {
  std::string name;
  std::vector<std::string> encoders;
  plugin::Spec<Loss> loss;
  int64_t steps = 1000;
  int64_t batch = 64;
  int64_t accumulate = 1;
  int64_t micro_batch = 0;  ///< 0: the batch as a whole
  double ema = 0.0;         ///< 0: none
  OptimizerSpec optimizer;
  StochasticDepthSpec stochastic_depth;
  std::vector<std::string> recompute;
  std::vector<std::string> freeze;
  std::vector<InitSpec> init;
  ValidationSpec validation;
  WatchSpec watch;
  OnNonfinite on_nonfinite = OnNonfinite::error;
  int64_t checkpoint_every = 500;
  int64_t keep_checkpoints = 2;
};

/// Which objects are embedded: those with every modality, or all.
enum class Objects { paired, all };
/// Which embedding of an encoder: its head's, or the backbone's class or mean token.
enum class Embedding { head, pool };

/// What becomes of test objects that are training objects, too.
enum class TrainTestOverlap { exclude, keep, refuse };

/// Labels that describe objects of a modality by themselves, measured as a floor.
struct LabelFloor {
  std::string name, modality;
  std::vector<std::string> labels;
  bool operator==(const LabelFloor&) const = default;
};

struct EvaluationSpec {
  Objects objects = Objects::paired;
  Embedding embedding = Embedding::head;
  TrainTestOverlap train_test_overlap = TrainTestOverlap::exclude;
  int64_t batch = 32;
  std::vector<std::string> floors = {"untrained", "pca", "magnitudes"};
  bool floors_first = false;
  std::vector<LabelFloor> label_floors = {{"magnitudes", "image", {"mag_g", "mag_r", "mag_z"}},
                                          {"magnitudes", "spectrum", {"fibermag_g", "fibermag_r", "fibermag_z"}}};
  std::vector<std::string> models;  ///< model files: the baselines
  std::vector<std::string> joint;   ///< encoders whose embeddings are measured as one: "image + photometry"
  int64_t pca_components = 64;
  int64_t pca_rows = 4096;
  double max_not_finite = 0.01;  ///< share of a representation's objects
  int64_t resamples = 200;
  int64_t probe_seeds = 3;
  bool keep_probes = false;
  int64_t token_mb = 16384;
};

struct Experiment {
  std::string name = "experiment";
  uint64_t seed = 0;
  std::string device = "auto";
  std::optional<Precision> precision = Precision::f32;  ///< none in a file ("auto"): what fastest_precision chooses
  std::string precision_reason;                         ///< why that was chosen; "" where the file names a precision
  int64_t threads = 0;
  int64_t loader_threads = 1;
  double validation = 0.0;  ///< share of the training objects
  DatasetSpec dataset;
  std::vector<EncoderSpec> encoders;
  std::vector<StageSpec> stages;
  EvaluationSpec evaluation;
  std::vector<plugin::Spec<Task>> tasks;

  Device run_device() const;
  Precision run_precision() const { return precision.value_or(Precision::f32); }
  const EncoderSpec& encoder(const std::string& name) const;
  /// The whole file with every default: runs again as it is.
  config::Table resolved() const;
};

/// Checks a whole experiment file: every key, type, range and plugin parameter, and that names refer to something.
/// Throws a ProblemList with everything that is wrong, each with its place and a suggestion where there is one.
Experiment read_experiment(const config::Table& file);

/// The encoders of any file with [encoders.*]: an experiment, or one that describes a model. What else stands there is
/// passed over. Throws a ProblemList, or Error naming `place` when there are none. In a file that an older version
/// wrote keys may have their old names (Section::takes_old_keys).
std::vector<EncoderSpec> read_architecture(const config::Table& file, const std::string& place,
                                           bool takes_old_keys = false);

/// Every key of an experiment file with its default and range; what plugins read is described by their schemas.
std::vector<config::FieldDescription> describe_experiment();

/// A resolved experiment without the keys that do not affect results.
config::Table affecting_results(const config::Table& resolved);

/// The file with `--set` assignments applied, checked.
Experiment load_experiment(const std::string& path, const std::vector<std::string>& assignments);

/// The same for the resolved experiment of a run's folder. Throws Error in one sentence when another version wrote it.
Experiment load_resolved(const std::string& path);

}  // namespace astroclip
