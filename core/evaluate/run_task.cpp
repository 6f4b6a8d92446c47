#include "evaluate/run_task.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "plugin/guarded.h"

namespace astroclip::evaluate {

namespace {

void check_prediction(const std::string& task, const Prediction& one) {
  const size_t values = one.ids.size() * std::max<size_t>(1, one.outputs.size());
  if (one.truth.size() == values && one.predicted.size() == values) return;
  throw Error(fmt::format("{}: the prediction of '{}' from '{}' ({}) has {} ids, {} true and {} predicted values", task,
                          one.label, one.representation, one.modality, one.ids.size(), one.truth.size(),
                          one.predicted.size()));
}

}  // namespace

TaskResult run_task(const Task& task, const TaskInput& input) {
  const std::string title = fmt::format("task '{}'", task.plugin_name());
  TaskResult result = plugin::traced(title, [&] { return task.run(input); });
  for (const Prediction& one : result.predictions) check_prediction(title, one);
  return result;
}

}  // namespace astroclip::evaluate
