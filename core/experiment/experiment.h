#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "config/schema.h"
#include "data/augmentation.h"

namespace astroclip {

/// A plugin with its parameters, defaults filled in.
struct PluginSpec {
  std::string plugin;
  config::Table parameters;
};

struct EncoderSpec {
  std::string name;  ///< its key under [encoders]
  PluginSpec plugin;
};

/// What the optimiser does otherwise with some parameters.
struct GroupSpec {
  std::string match;
  double lr_scale = 1.0;
  double decay_scale = 1.0;
};

struct OptimizerSpec {
  std::string name = "adamw";
  double lr = 1e-4;
  double weight_decay = 0.05;
  std::vector<double> betas = {0.9, 0.999};
  double epsilon = 1e-8;
  int64_t warmup = 0;
  double floor = 0.0;
  double clip = 1.0;
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

/// What a stage does with the objects set apart by `[experiment] validation`.
struct ValidationSpec {
  int64_t every = 0;  ///< steps; 0: nothing
  std::string metric = "validation.loss";
  std::string mode = "min";
  int64_t patience = 0;  ///< 0: no end
  int64_t tasks = 0;     ///< training objects to fit the tasks' probes on; 0: no tasks
  std::string keep = "best";
};

struct StageSpec {
  std::string name;
  std::vector<std::string> encoders;
  PluginSpec loss;
  int64_t steps = 1000;
  int64_t batch = 64;
  int64_t accumulate = 1;
  int64_t micro_batch = 0;  ///< 0: the batch as a whole
  double ema = 0.0;         ///< 0: none
  OptimizerSpec optimizer;
  std::vector<std::string> freeze;
  std::vector<InitSpec> init;
  ValidationSpec validation;
  int64_t checkpoint_every = 500;
  int64_t keep_checkpoints = 2;
};

struct EvaluationSpec {
  std::string objects = "paired";
  std::string embedding = "head";
  int64_t batch = 32;
  std::vector<std::string> baselines = {"untrained", "pca", "magnitudes"};
  std::vector<std::string> models;  ///< model files
  int64_t pca_components = 64;
  int64_t pca_rows = 4096;
  std::vector<std::string> image_magnitudes = {"mag_g", "mag_r", "mag_z"};
  std::vector<std::string> spectrum_magnitudes = {"fibermag_g", "fibermag_r", "fibermag_z"};
};

struct Experiment {
  std::string name;
  int64_t seed = 0;
  std::string device = "auto";
  std::string precision = "f32";
  int64_t threads = 0;
  int64_t loader_threads = 1;
  double validation = 0.0;  ///< share of the training objects
  PluginSpec dataset;
  std::vector<std::pair<std::string, data::Augmentation>> augmentation;  ///< by encoder, of those the file names
  std::vector<EncoderSpec> encoders;
  std::vector<StageSpec> stages;
  EvaluationSpec evaluation;
  std::vector<PluginSpec> tasks;
  config::Table resolved;  ///< the whole file with every default: runs again as it is

  Device run_device() const;
  Precision run_precision() const;
  const EncoderSpec& encoder(const std::string& name) const;
  /// How augmented views for an encoder are made.
  data::Augmentation augmentation_of(const std::string& encoder_name) const;
};

/// Checks a whole experiment file: every key, type, range and plugin parameter, and that names refer to something.
/// Throws a ProblemList with everything that is wrong, each with its place and a suggestion where there is one.
Experiment read_experiment(const config::Table& file);

/// The encoders of any file with [encoders.*]: an experiment, or one that describes a model. What else stands there is
/// passed over. Throws a ProblemList, or Error naming `place` when there are none.
std::vector<EncoderSpec> read_architecture(const config::Table& file, const std::string& place);

/// Every key of an experiment file with its default and range; what plugins read is described by their schemas.
std::vector<config::FieldDescription> describe_experiment();

/// The file with `--set` assignments applied, checked.
Experiment load_experiment(const std::string& path, const std::vector<std::string>& assignments);

}  // namespace astroclip
