#pragma once

#include "api/task.h"

namespace astroclip::evaluate {

/// Runs a task. Throws Error naming it when it fails, and when a prediction lacks a value for one of its objects.
TaskResult run_task(const Task& task, const TaskInput& input);

}  // namespace astroclip::evaluate
