#include "data/view_maker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "data/fields.h"
#include "data/preprocessing.h"

namespace astroclip::data {

namespace {

constexpr int planes_rank = 3;  // [planes, height, width]

const std::string& field_of(const ViewRequest& view) { return view.field.empty() ? view.modality : view.field; }

void check_shape(const ViewPlan& view, const Field& field) {
  const Shape &taken = view.shape, &there = field.shape;
  if (there.rank() != planes_rank) {
    if (taken.numel() == there.numel()) return;
    throw Error(fmt::format("[dataset] view '{}': the encoder takes {}, field '{}' is {}", view.request.name,
                            taken.str(), field.name, there.str()));
  }
  const int64_t side = std::min(there[1], there[2]);
  const bool fits =
      taken.rank() == planes_rank && taken[0] == there[0] && taken[1] == taken[2] && taken[1] >= 1 && taken[1] <= side;
  if (fits) return;
  if (taken.rank() == planes_rank && taken[0] != there[0]) {
    throw Error(
        fmt::format("[dataset] view '{0}': field '{1}' has {2} bands, the encoder takes {3}: 'channels' of the encoder "
                    "must be {2}, or [dataset.image] 'bands' must choose {3}",
                    view.request.name, field.name, there[0], taken[0]));
  }
  throw Error(
      fmt::format("[dataset] view '{}': the encoder takes images of {}, field '{}' gives crops of [{}, n, n] "
                  "with n at most {}",
                  view.request.name, taken.str(), field.name, there[0], side));
}

std::vector<std::vector<ViewStep>> all_steps(const Dataset& dataset, const ViewPlan& view, const Field& field) {
  const ViewRequest& request = view.request;
  const bool is_image = field.shape.rank() == planes_rank;
  StepPlace place{
      .field = field.shape, .size = is_image ? view.shape[2] : 0, .is_flux = field.name == request.modality};
  if (is_image && place.is_flux) {
    place.bands = band_names(dataset.preprocessing(), field);
    place.stretch = stretch_of(dataset.preprocessing(), field);
  }
  if (!request.augment) return {steps_of({.name = request.name}, place)};
  if (view.groups.empty())
    throw Error(fmt::format("[dataset] view '{}' is augmented, and no group says how", request.name));
  std::vector<std::vector<ViewStep>> all;
  for (const ViewGroup& group : view.groups) all.push_back(steps_of(group, place));
  return all;
}

/// What a field that shares the first one's crops becomes.
Shape shape_with(const ViewPlan& first, const Field& first_field, const ViewPlan& view, const Field& field) {
  if (first_field.shape.rank() != planes_rank) return field.shape;
  const Shape &own = first_field.shape, &other = field.shape;
  const bool is_aligned = other.rank() >= 2 && other[-1] == own[-1] && other[-2] == own[-2];
  if (is_aligned) return other.with(-1, first.shape[2]).with(-2, first.shape[2]);
  throw Error(fmt::format("[dataset] view '{}': field '{}' of {} cannot be cropped like '{}' of {}", view.request.name,
                          field.name, other.str(), first_field.name, own.str()));
}

}  // namespace

ViewMaker::ViewMaker(const Dataset& dataset, const std::vector<ViewPlan>& views) : crops_(views[0].request.crops) {
  const ViewPlan& first = views[0];
  const Field field = data::field_of(dataset, field_of(first.request));
  check_shape(first, field);
  steps_ = all_steps(dataset, first, field);
  parts_.push_back({first.request.name, field.name, field.shape, first.shape});
  for (size_t i = 1; i < views.size(); ++i) {
    const Field other = data::field_of(dataset, field_of(views[i].request));
    parts_.push_back({views[i].request.name, other.name, other.shape, shape_with(first, field, views[i], other)});
  }
}

std::vector<std::string> ViewMaker::fields() const {
  std::vector<std::string> names;
  for (const Part& part : parts_) names.push_back(part.field);
  return names;
}

void ViewMaker::make(const HostBatch& raw, int64_t rows, const std::function<Rng(int64_t view)>& stream,
                     std::map<std::string, HostArray>& views, std::pmr::memory_resource* memory) const {
  for (const Part& part : parts_)
    views.insert_or_assign(part.view, HostArray(DType::f32, HostArray::rows_of(part.shape, rows * crops_), memory));
  for (int64_t at = 0; at < rows * crops_; ++at) {
    std::vector<ViewField> fields;
    for (const Part& part : parts_) {
      const auto size = static_cast<size_t>(part.raw.numel());
      const auto values = raw.at(part.field).values<float>().subspan(static_cast<size_t>(at / crops_) * size, size);
      fields.emplace_back(part.raw, values);
    }
    Rng rng = stream(at);
    for (const ViewStep& step : steps_[static_cast<size_t>(at % crops_) % steps_.size()]) step(fields, rng);
    for (size_t i = 0; i < parts_.size(); ++i) {
      const std::span<const float> values = fields[i].values();
      std::ranges::copy(values, views.at(parts_[i].view).values<float>().begin() + std::ssize(values) * at);
    }
  }
}

std::vector<ViewMaker> view_makers(const Dataset& dataset, const std::vector<ViewPlan>& views) {
  std::vector<std::vector<ViewPlan>> groups;
  for (const ViewPlan& view : views) {
    if (view.request.with.empty()) groups.push_back({view});
  }
  for (const ViewPlan& view : views) {
    const std::string& leader = view.request.with;
    if (leader.empty()) continue;
    const auto group = std::ranges::find(groups, leader, [](const auto& one) { return one[0].request.name; });
    if (group == groups.end())
      throw Error(
          fmt::format("[dataset] view '{}' goes with '{}', which is no view of its own", view.request.name, leader));
    group->push_back(view);
  }
  std::vector<ViewMaker> makers;
  for (const auto& group : groups) makers.emplace_back(dataset, group);
  return makers;
}

}  // namespace astroclip::data
