#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "app/contact_sheet.h"
#include "app/verbs.h"
#include "base/text.h"
#include "data/fields.h"
#include "data/holdout.h"
#include "data/loader.h"
#include "data/preprocessing.h"
#include "evaluate/embedder.h"
#include "experiment/experiment.h"
#include "io/output/png.h"
#include "train/view_plans.h"

namespace astroclip::app {

namespace {

Stage stage_of(const Experiment& experiment, const std::string& name) {
  if (experiment.stages.empty()) throw Error("the experiment has no stages, so nothing asks for views");
  std::vector<std::string> names;
  for (size_t i = 0; i < experiment.stages.size(); ++i) {
    names.push_back(experiment.stages[i].name);
    if (name.empty() || names.back() == name) return {experiment, i};
  }
  throw Error(fmt::format("there is no stage '{}' ({}){}", name, fmt::join(names, ", "), suggestion(name, names)));
}

/// The first objects of a stage's first step, with the views that its loss sees and, before them, the plain ones.
struct FirstBatch {
  std::vector<data::ViewPlan> views;
  data::Batch batch;
};

FirstBatch first_batch(const Stage& stage, const Dataset& dataset, int64_t objects) {
  FirstBatch first;
  std::vector<std::string> modalities;
  for (const data::ViewPlan& view : train::planned_views(stage)) {
    const auto plain = evaluate::plain_view(view.request.modality,
                                            stage.experiment.encoder(view.request.tower).plugin.make()->input_shape());
    const auto is_there = [&](const data::ViewPlan& other) { return other.request.name == plain.request.name; };
    if (std::ranges::none_of(first.views, is_there) && view.request.with.empty()) first.views.push_back(plain);
    modalities.push_back(view.request.modality);
    first.views.push_back(view);
  }
  std::vector<int64_t> rows = data::split_validation(dataset, data::rows_with(dataset, Split::train, modalities),
                                                     stage.experiment.validation, stage.seed())
                                  .training;
  objects = std::min({objects, stage.spec.batch, std::ssize(rows)});
  if (objects == 0) throw Error("[dataset] has no training object with all that the loss looks at");
  data::LoaderOptions options = stage.loader_options(objects);
  options.steps = 1;
  first.batch = data::Loader(dataset, std::move(rows), first.views, {}, options).next();
  return first;
}

/// Whether a view is shown beside those of the loss, which has a tower for each of its own.
bool is_reference(const data::ViewPlan& view) { return view.request.tower.empty(); }

/// "global_1", or "local 3" where a group makes several crops.
std::string title_of(const data::ViewPlan& view, int64_t crop) {
  if (is_reference(view)) return "plain " + view.request.modality;
  if (!view.request.augment) return view.request.name;
  const auto groups = std::ssize(view.groups);
  const std::string& group = view.groups[static_cast<size_t>(crop % groups)].name;
  return view.request.crops > groups ? fmt::format("{} {}", group, crop / groups + 1) : group;
}

SheetCell cell_of(const HostArray& views, int64_t at) {
  const auto all = views.values<float>();
  const Shape shape(views.shape.extents().subspan(1));
  const auto size = static_cast<size_t>(shape.numel());
  const auto values = all.subspan(static_cast<size_t>(at) * size, size);
  return {shape, {values.begin(), values.end()}};
}

std::vector<SheetColumn> columns_of(const FirstBatch& first, const Dataset& dataset) {
  std::vector<SheetColumn> columns;
  const auto objects = std::ssize(first.batch.rows);
  std::vector<SheetScale> scales;
  for (const data::ViewPlan& view : first.views) {
    const HostArray& made = first.batch.views.at(view.request.name);
    const bool is_plain = is_reference(view);
    if (is_plain || !view.request.with.empty() || !view.request.field.empty()) {
      const auto stretch = made.shape.rank() == 4 ? data::stretch_of(dataset.preprocessing(),
                                                                     data::field_of(dataset, view.request.modality))
                                                  : std::nullopt;
      const bool is_rgb = is_plain && stretch && stretch->kind == pixels::Stretch::Kind::rgb;
      scales.clear();
      for (int64_t object = 0; object < objects; ++object) {
        scales.push_back(is_rgb ? SheetScale{.is_rgb = true} : scale_of(cell_of(made, object * view.request.crops)));
      }
    }
    for (int64_t crop = 0; crop < view.request.crops; ++crop) {
      SheetColumn column{title_of(view, crop), {}, scales};
      for (int64_t object = 0; object < objects; ++object)
        column.cells.push_back(cell_of(made, object * view.request.crops + crop));
      columns.push_back(std::move(column));
    }
  }
  return columns;
}

int augment(const Values& values) {
  const std::string path = values.text("file"), output = values.text("output");
  const Experiment experiment = load_experiment(path, values.texts("set"));
  const Stage stage = stage_of(experiment, values.text("stage"));
  const std::shared_ptr<const Dataset> dataset = experiment.dataset.make();
  const FirstBatch first = first_batch(stage, *dataset, values.integer("objects"));
  IdNames names;
  const ObjectIds ids = data::read_object_ids(*dataset, Split::train, first.batch.rows);
  names.add(ids);
  std::vector<std::string> rows;
  for (const int64_t key : ids.keys) rows.push_back(names(key));
  const std::vector<SheetColumn> columns = columns_of(first, *dataset);
  const ContactSheet sheet(rows, columns);
  io::write_png(output, sheet.width(), sheet.height(), sheet.pixels());
  std::vector<std::string> titles;
  for (const SheetColumn& column : columns) titles.push_back(column.title);
  fmt::print("{}: {} objects of the first step of stage '{}', loss '{}'; columns: {}\n", output, rows.size(),
             stage.spec.name, stage.spec.loss.plugin, fmt::join(titles, ", "));
  return 0;
}

}  // namespace

Verb augment_verb() {
  return {
      .name = "augment",
      .usages = {"FILE --output SHEET.png [--stage NAME] [--objects N] [--set key=value]…"},
      .meaning = "draw the views that a stage's loss sees",
      .description =
          "Writes a picture with a row for each object and a column for each view: first the plain view, which "
          "evaluation sees, then the augmented ones as [dataset.views] makes them. The objects are the first ones of "
          "the stage's first step, and the views those that training makes of them. Images without an RGB stretch are "
          "shown in three of their planes, scaled for each object.",
      .positionals = {Argument("file", "FILE", "experiment file").required().completed_by(Completes::experiment)},
      .options = {Argument("output", "SHEET.png", "file to write").required().completed_by(Completes::file),
                  Argument("stage", "NAME", "stage whose loss asks for the views (default: the first)"),
                  Argument("objects", "N", "rows, at most a batch").between(1, 256).by_default("8"),
                  Argument("set", "key=value", "override a key of the file, such as experiment.seed=2").repeated()},
      .examples = {{"astroclip augment experiments/quickstart.toml --stage alignment --output sheet.png",
                    "draws the views of the alignment"}},
      .run = augment};
}

}  // namespace astroclip::app
