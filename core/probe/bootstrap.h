#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "api/task.h"

namespace astroclip::probe {

/// Metrics of some of the test objects, given by their places; a place may occur twice. Called by several threads.
using Statistic = std::function<std::vector<Metric>(std::span<const int64_t> objects)>;

/// Metrics of `count` test objects, as means over statistics that differ in a probe's random start. `object_error` is
/// the bootstrap's standard error (Efron 1979, "Bootstrap methods: another look at the jackknife"): the standard
/// deviation over `input.resamples` resamples of the objects, which are the same for equal counts and seeds.
/// `seed_error` is the standard error of the mean over the statistics.
std::vector<Metric> with_errors(const std::vector<Statistic>& statistics, int64_t count, const TaskInput& input);

}  // namespace astroclip::probe
