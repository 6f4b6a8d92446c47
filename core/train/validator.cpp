#include "train/validator.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "autograd/tape.h"
#include "backend/readback.h"
#include "data/fields.h"
#include "ops/ops.h"
#include "train/batches.h"

namespace astroclip::train {

Validator::Validator(const StageSetup& setup, const FrozenViews& frozen, const Dataset& dataset,
                     std::vector<int64_t> rows)
    : setup_(setup), frozen_(frozen), dataset_(dataset), rows_(std::move(rows)) {}

record::Metrics Validator::measure(int64_t step) const {
  const autograd::NoGrad guard;
  record::MetricMeans means;
  std::set<int64_t> rest(rows_.begin(), rows_.end());
  bool needs_rest = false;
  // The device computes a batch while the numbers of the one before are read.
  std::optional<std::pair<LossValue, Readback>> before;
  const auto take = [&] {
    if (before) means.add(before->first, before->second.doubles());
  };
  const auto measure_batch = [&](StepContext& context, const data::Batch& batch) {
    const LossValue value = setup_.forward(context);
    Readback numbers(record::numbers_of(value));
    take();
    before.emplace(record::without_numbers(value), std::move(numbers));
    needs_rest = value.of_single_objects && !value.roots.empty();
    for (const int64_t row : batch.rows) rest.erase(row);
  };
  for_each_batch(setup_, frozen_, dataset_, rows_, step, Mode::validation, measure_batch);
  take();
  const ops::PrecisionScope precision(setup_.stage().experiment.run_precision());
  if (needs_rest && !rest.empty()) add_rest({rest.begin(), rest.end()}, step, means);
  record::Metrics found = means.means();
  for (auto& [name, value] : found) name = "validation." + name;
  return found;
}

data::Batch Validator::batch_of(std::vector<int64_t> rows) const {
  const auto count = static_cast<int64_t>(rows.size());
  data::LoaderOptions options = setup_.stage().loader_options(count);
  options.steps = 1;
  options.shuffle = false;
  return frozen_.loader(setup_, dataset_, std::move(rows), options)->next();
}

std::vector<record::Figure> Validator::figures(int64_t step) const {
  const Stage& stage = setup_.stage();
  const size_t count = std::min(rows_.size(), static_cast<size_t>(stage.spec.validation.figures));
  if (count == 0) return {};
  const autograd::NoGrad guard;
  const ops::PrecisionScope precision(stage.experiment.run_precision());
  const data::Batch batch = batch_of({rows_.begin(), rows_.begin() + static_cast<ptrdiff_t>(count)});
  StepContext context(setup_, frozen_, batch, step, Mode::validation);
  ObjectIds ids = data::read_object_ids(dataset_, Split::train, batch.rows);
  IdNames names;
  names.add(ids);
  std::vector<record::Figure> figures;
  for (LossFigure& drawn : setup_.figures(context)) {
    const ViewRequest& request = setup_.view(drawn.view).request;
    const std::string& name = request.field.empty() ? request.modality : request.field;
    const std::vector<Field> fields = dataset_.fields();
    const auto field = std::ranges::find(fields, name, &Field::name);
    const bool has_unit = field != fields.end() && !field->unit.empty();
    std::string object = names(ids.keys.at(static_cast<size_t>(drawn.object)));
    figures.push_back({fmt::format("stage {} after {} steps: object {}, not trained on", stage.spec.name, step, object),
                       has_unit ? fmt::format("{} [{}]", name, field->unit) : name, std::move(drawn)});
  }
  return figures;
}

void Validator::add_rest(std::vector<int64_t> rows, int64_t step, record::MetricMeans& means) const {
  const data::Batch batch = batch_of(std::move(rows));
  StepContext context(setup_, frozen_, batch, step, Mode::validation);
  means.add_roots(setup_.forward(context));
}

}  // namespace astroclip::train
