#include "data/view_group.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "data/sky_levels.h"

namespace astroclip::data {

namespace {

constexpr int image_rank = 3;  // [planes, height, width]
constexpr const char *crop_step = "crop", *stretch_step = "stretch";

[[noreturn]] void fail(const ViewGroup& group, const std::string& message) {
  throw Error(fmt::format("[dataset.views.{}] {}", group.name, message));
}

/// The options' distributions, or the survey's fits by the names of the bands.
std::vector<LogNormal> levels_of(const ViewGroup& group, const char* step, const LevelOptions& options,
                                 const std::map<std::string, LogNormal>& fits, const StepPlace& place) {
  const int64_t bands = place.field[0];
  std::vector<LogNormal> levels;
  if (options.scale.empty() && options.shape.empty() && options.loc.empty()) {
    if (place.bands.empty())
      fail(group,
           fmt::format("{}: the dataset does not name its bands, so 'shape', 'loc' and 'scale' must be given, {} "
                       "numbers each",
                       step, bands));
    for (const std::string& band : place.bands) {
      const auto fit = fits.find(band);
      if (fit == fits.end())
        fail(group,
             fmt::format("{}: there is no fit for the band {}, so 'shape', 'loc' and 'scale' must be given, for {}",
                         step, band, fmt::join(place.bands, ", ")));
      levels.push_back(fit->second);
    }
    return levels;
  }
  for (const auto& [key, values] :
       {std::pair("shape", &options.shape), {"loc", &options.loc}, {"scale", &options.scale}}) {
    if (std::ssize(*values) != bands)
      fail(group,
           fmt::format("{}: '{}' must have {} numbers, one for each band, found {}", step, key, bands, values->size()));
  }
  for (size_t i = 0; i < options.scale.size(); ++i)
    levels.push_back({options.shape[i], options.loc[i], options.scale[i]});
  return levels;
}

enum class Changes { places, fluxes };

/// A step by its name: to add one, write it in view_steps, give ViewGroup its options, and list it here.
struct StepKind {
  const char* name;
  Changes changes;
  /// None: nothing is to be done.
  std::function<ViewStep(const ViewGroup&, const StepPlace&)> make;
  bool of_images_only = true;
};

/// A kind with a probability among its options, which are a member of ViewGroup.
template <class Options, class Make>
StepKind kind(const char* name, Changes changes, Options ViewGroup::*member, const Make& make) {
  return {name, changes, [=](const ViewGroup& group, const StepPlace& place) {
            const Options& options = group.*member;
            return sometimes(options.probability, make(options, group, place));
          }};
}

const std::vector<StepKind>& step_kinds() {
  using Group = const ViewGroup&;
  using Place = const StepPlace&;
  static const std::vector<StepKind> kinds = [] {
    std::vector<StepKind> all = {
        {crop_step, Changes::places,
         [](Group group, Place place) { return random_crop(place.size, group.crop.shift); }},
        kind("flip_x", Changes::places, &ViewGroup::flip_x, [](const auto&, Group, Place) { return flip_x(); }),
        kind("flip_y", Changes::places, &ViewGroup::flip_y, [](const auto&, Group, Place) { return flip_y(); }),
        kind("flip_rotate", Changes::places, &ViewGroup::flip_rotate,
             [](const auto&, Group, Place) { return flip_rotate(); }),
        kind("rotate", Changes::places, &ViewGroup::rotate,
             [](const RotateOptions& o, Group, Place place) { return rotate(o.angle, place.is_flux); }),
        kind("size_jitter", Changes::places, &ViewGroup::size_jitter,
             [](const SizeJitterOptions& o, Group, Place place) { return size_jitter(o.factor, place.is_flux); }),
        kind("blur", Changes::fluxes, &ViewGroup::blur,
             [](const LevelOptions& o, Group group, Place place) {
               return blur(levels_of(group, "blur", o, psf_fits(), place));
             }),
        kind("noise", Changes::fluxes, &ViewGroup::noise,
             [](const LevelOptions& o, Group group, Place place) {
               return add_noise(levels_of(group, "noise", o, noise_fits(), place));
             }),
        kind("coloured_noise", Changes::fluxes, &ViewGroup::coloured_noise,
             [](const ColouredNoiseOptions& o, Group group, Place place) {
               return add_coloured_noise(levels_of(group, "coloured_noise", o, noise_fits(), place), o.correlation);
             }),
        kind("channel_dropout", Changes::fluxes, &ViewGroup::channel_dropout,
             [](const ChannelDropoutOptions& o, Group, Place) { return channel_dropout(o.rate); }),
        kind("relative_noise", Changes::fluxes, &ViewGroup::relative_noise,
             [](const RelativeNoiseOptions& o, Group, Place) {
               return o.level > 0.0 ? add_relative_noise(o.level) : ViewStep();
             }),
        {stretch_step, Changes::fluxes,
         [](Group, Place place) { return place.stretch ? stretched(*place.stretch) : ViewStep(); }},
    };
    std::ranges::find(all, std::string_view("relative_noise"), &StepKind::name)->of_images_only = false;
    return all;
  }();
  return kinds;
}

std::vector<std::string> step_names() {
  std::vector<std::string> names;
  for (const StepKind& kind : step_kinds()) names.emplace_back(kind.name);
  return names;
}

const StepKind& step_kind(const std::string& name) {
  return *std::ranges::find(step_kinds(), std::string_view(name), &StepKind::name);
}

bool has_step(const ViewGroup& group, const char* step) {
  return std::ranges::find(group.steps, step) != group.steps.end();
}

template <class P>
config::Schema<P> step_schema(const char* summary) {
  return config::Schema<P>(summary).field("probability", &P::probability, "share of the views that it is done to",
                                          config::between(0.0, 1.0));
}

template <class P>
config::Schema<P> level_schema(const char* summary) {
  return step_schema<P>(summary)
      .field("shape", &P::shape,
             "shape of the log-normal distribution of levels, loc + scale·exp(shape·z), for each band; empty: the fits "
             "to the Legacy Surveys in g, r, i, z",
             config::each(config::at_least(0.0)))
      .field("loc", &P::loc, "loc of that distribution, for each band; empty: as for 'shape'")
      .field("scale", &P::scale, "scale of that distribution, for each band; empty: as for 'shape'",
             config::each(config::at_least(0.0)));
}

std::string repeated_step(const ViewGroup& group) {
  std::set<std::string> seen;
  for (const std::string& step : group.steps) {
    if (!seen.insert(step).second) return fmt::format("'steps' names '{}' twice", step);
  }
  return "";
}

/// As published: global crops of the input's size and local ones, flips, blur and noise, then the stretch.
ViewGroup astrodino(const char* name, int64_t size, double probability) {
  ViewGroup group{.name = name, .size = size, .steps = {"crop", "flip_x", "flip_y", "blur", "noise", "stretch"}};
  group.blur.probability = group.noise.probability = probability;
  return group;
}

const std::vector<ViewGroup>& all_known_groups() {
  constexpr int64_t local_size = 60;
  static const std::vector<ViewGroup> groups = [] {
    ViewGroup image{.name = "image", .steps = {"crop", "flip_rotate"}};
    image.crop.shift = 4;
    return std::vector<ViewGroup>{image,
                                  {.name = "spectrum", .steps = {"relative_noise"}},
                                  {.name = "photometry"},
                                  astrodino("global_1", 0, 1.0),
                                  astrodino("global_2", 0, 0.1),
                                  astrodino("local", local_size, 0.5),
                                  // The published code applies steps with the probability 1 − p.
                                  astrodino("global_1_released", 0, 0.0),
                                  astrodino("global_2_released", 0, 0.9),
                                  astrodino("local_released", local_size, 0.5)};
  }();
  return groups;
}

}  // namespace

const config::Schema<ViewGroup>& view_group_schema() {
  using config::between;
  static const auto schema = [] {
    const auto plain = [](const char* summary) { return step_schema<StepOptions>(summary); };
    return config::Schema<ViewGroup>("How the augmented views of a group are made.")
        .field("like", &ViewGroup::like,
               "the group whose values hold where this one says nothing; empty: the one of this name, or of the "
               "encoder's modality",
               [] {
                 std::vector<std::string> names = known_view_groups();
                 names.emplace_back();
                 return config::one_of(names);
               }())
        .field("size", &ViewGroup::size, "side of an image crop in pixels; 0: the encoder's input", between(0, 4096))
        .field("steps", &ViewGroup::steps,
               "what is done to a view, in this order: steps of the names below, and \"stretch\", the stretch of the "
               "dataset's images, which comes last where it is not named",
               config::each(config::one_of(step_names())))
        .section("crop", &ViewGroup::crop, "a square of the image, cut and not resized",
                 config::Schema<CropOptions>("A crop.").field(
                     "shift", &CropOptions::shift,
                     "largest distance of its centre from the image's along each axis, in pixels; -1: anywhere",
                     between(-1, 4096)))
        .section("flip_x", &ViewGroup::flip_x, "columns in reverse order", plain("A reflection."))
        .section("flip_y", &ViewGroup::flip_y, "rows in reverse order", plain("A reflection."))
        .section("flip_rotate", &ViewGroup::flip_rotate, "one of the square's eight rotations and reflections",
                 plain("A rotation by 90° and reflection."))
        .section(
            "rotate", &ViewGroup::rotate, "rotation by any angle, interpolated; the image is mirrored at its borders",
            step_schema<RotateOptions>("A rotation.")
                .field("angle", &RotateOptions::angle, "largest angle either way, in degrees", between(0.0, 180.0)))
        .section("size_jitter", &ViewGroup::size_jitter,
                 "magnification, interpolated, that keeps the surface brightness; the image is mirrored at its borders",
                 step_schema<SizeJitterOptions>("A magnification.")
                     .field("factor", &SizeJitterOptions::factor,
                            "largest; factors are uniform in their logarithm from 1/factor on", between(1.0, 4.0)))
        .section(
            "blur", &ViewGroup::blur,
            "blur by the Gaussian that is missing between two widths of the PSF (σ in pixels), drawn for each band",
            level_schema<LevelOptions>("A blur."))
        .section("noise", &ViewGroup::noise,
                 "white noise that is missing between two levels (in the image's unit), drawn for each band",
                 level_schema<LevelOptions>("Noise."))
        .section("coloured_noise", &ViewGroup::coloured_noise, "the same, correlated over neighbouring pixels",
                 level_schema<ColouredNoiseOptions>("Noise.").field("correlation", &ColouredNoiseOptions::correlation,
                                                                    "σ in pixels of the Gaussian that correlates it",
                                                                    between(0.1, 64.0)))
        .section("channel_dropout", &ViewGroup::channel_dropout, "planes become 0, never all of them",
                 step_schema<ChannelDropoutOptions>("Dropout of planes.")
                     .field("rate", &ChannelDropoutOptions::rate, "probability of each plane", between(0.0, 1.0)))
        .section("relative_noise", &ViewGroup::relative_noise,
                 "Gaussian noise in units of the scatter from pixel to pixel, of spectra or images",
                 step_schema<RelativeNoiseOptions>("Noise.").field(
                     "level", &RelativeNoiseOptions::level, "standard deviation in that unit", between(0.0, 10.0)))
        .renamed("shift", "crop.shift")
        .check(repeated_step);
  }();
  return schema;
}

std::optional<ViewGroup> known_view_group(const std::string& name) {
  const auto found = std::ranges::find(all_known_groups(), name, &ViewGroup::name);
  return found == all_known_groups().end() ? std::nullopt : std::optional(*found);
}

std::vector<std::string> known_view_groups() {
  std::vector<std::string> names;
  for (const ViewGroup& group : all_known_groups()) names.push_back(group.name);
  return names;
}

ViewGroup read_view_group(const std::string& name, const config::Value& value, const std::string& modality,
                          const config::Section& where, config::Problems& problems) {
  const auto* table = value.get_if<config::Table>();
  if (table == nullptr) {
    problems.add(value.location(), where.says(fmt::format("'{}' must be a table, found {}", name, value.kind())));
    return {};
  }
  const config::Value* like = table->find("like");
  const auto* model = like == nullptr ? nullptr : like->get_if<std::string>();
  std::optional<ViewGroup> start = known_view_group(model == nullptr || model->empty() ? name : *model);
  if (!start) start = known_view_group(modality);
  ViewGroup group =
      view_group_schema().parse(*table, where.inner(name), value.location(), problems, start.value_or(ViewGroup()));
  group.name = name;
  return group;
}

config::Table dump_view_group(const ViewGroup& group) {
  config::Table all = view_group_schema().dump(group);
  for (const StepKind& kind : step_kinds()) {
    if (!has_step(group, kind.name)) all.erase(kind.name);
  }
  return all;
}

std::vector<ViewStep> steps_of(const ViewGroup& group, const StepPlace& place) {
  const bool is_image = place.field.rank() == image_rank;
  std::vector<std::string> names = group.steps;
  if (is_image && !has_step(group, stretch_step)) names.emplace_back(stretch_step);
  std::vector<ViewStep> steps;
  size_t after_moves = 0;  // where the crop of the centre goes
  for (const std::string& name : names) {
    const StepKind& kind = step_kind(name);
    if (kind.of_images_only && !is_image)
      fail(group, fmt::format("step '{}' is for images, the field is {}", name, place.field.str()));
    if (kind.changes == Changes::fluxes && !place.is_flux) continue;
    if (ViewStep step = kind.make(group, place)) steps.push_back(std::move(step));
    if (kind.changes == Changes::places) after_moves = steps.size();
  }
  if (is_image && !has_step(group, crop_step))
    steps.insert(steps.begin() + static_cast<std::ptrdiff_t>(after_moves), centre_crop(place.size));
  return steps;
}

}  // namespace astroclip::data
