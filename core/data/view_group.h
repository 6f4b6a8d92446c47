#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/schema.h"
#include "data/view_steps.h"
#include "tensor/shape.h"

namespace astroclip::data {

/// What every step but crop and stretch has.
struct StepOptions {
  double probability = 1.0;
};
struct CropOptions {
  int64_t shift = -1;
};
struct RotateOptions : StepOptions {
  double angle = 180.0;
};
struct SizeJitterOptions : StepOptions {
  double factor = 1.1;
};
/// Log-normal distributions by band; empty: the fits to the Legacy Surveys, by the bands' names.
struct LevelOptions : StepOptions {
  std::vector<double> shape = {}, loc = {}, scale = {};
};
struct ColouredNoiseOptions : LevelOptions {
  double correlation = 1.5;
};
struct ChannelDropoutOptions : StepOptions {
  double rate = 0.2;
};
struct RelativeNoiseOptions : StepOptions {
  double level = 0.0;
};

/// How augmented views are made: the steps of [dataset.views.NAME], in their order, with the options of each.
struct ViewGroup {
  std::string name = {};  ///< its key under [dataset.views]
  std::string like = {};  ///< the group whose values are this one's defaults; "": by the name
  int64_t size = 0;       ///< side of an image crop in pixels; 0: the encoder's input
  std::vector<std::string> steps = {};
  CropOptions crop = {};
  StepOptions flip_x = {0.5}, flip_y = {0.5}, flip_rotate = {};
  RotateOptions rotate = {};
  SizeJitterOptions size_jitter = {};
  LevelOptions blur = {}, noise = {};
  ColouredNoiseOptions coloured_noise = {};
  ChannelDropoutOptions channel_dropout = {};
  RelativeNoiseOptions relative_noise = {};
};

const config::Schema<ViewGroup>& view_group_schema();

/// The group of that name which is there without being in a file: "global_1", "global_2" and "local" for DINOv2 as
/// AstroCLIP describes it, the same with "_released" as its released weights were made, and the plain ones of a
/// modality, "image", "spectrum" and, without a step, "photometry".
std::optional<ViewGroup> known_view_group(const std::string& name);
std::vector<std::string> known_view_groups();

/// Reads [dataset.views.NAME]; what it does not say is as in the group that it is like, or in the known one of its
/// name, or else in the one of `modality`. Problems are added.
ViewGroup read_view_group(const std::string& name, const config::Value& value, const std::string& modality,
                          const config::Section& where, config::Problems& problems);
/// The options of the steps that the group takes.
config::Table dump_view_group(const ViewGroup& group);

/// What steps are made for.
struct StepPlace {
  Shape field;                          ///< of one object: [planes, height, width], or values [N]
  int64_t size = 0;                     ///< side of the crop
  bool is_flux = true;                  ///< else steps that change fluxes are left out
  std::vector<std::string> bands = {};  ///< names of the planes; empty: unknown
  std::optional<pixels::Stretch> stretch = {};
};
/// The group's steps. A crop of the centre follows the last step that moves pixels where 'steps' has no crop, and the
/// dataset's stretch ends them where they do not say its place. Throws Error naming the group, the step and the option.
std::vector<ViewStep> steps_of(const ViewGroup& group, const StepPlace& place);

}  // namespace astroclip::data
