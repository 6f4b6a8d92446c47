#pragma once

#include <string>
#include <vector>

#include "config/schema.h"
#include "config/value.h"

namespace astroclip::sweep {

/// What `[sweep]` says beside the axes themselves.
struct SweepSpec {
  config::Value seeds;
  config::Value cross;
  config::Value zip;
  int64_t token_cache_mb = 8192;
};

const config::Schema<SweepSpec>& sweep_schema();

/// One value for one key of the experiment file.
struct Setting {
  std::string key;         ///< dotted, as in --set
  config::Location place;  ///< of the key in [sweep]
  config::Value value;
  std::string label;  ///< what the value is called in a run's name
};

/// Settings of which exactly one element is taken in a run: the values of a crossed key, or the rows of zipped ones.
using Axis = std::vector<std::vector<Setting>>;

/// The axes in the order that runs go through them, the first slowest: seeds, then crossed keys, then zipped ones. A
/// key of `cross` and `zip` may be written quoted ("stages.alignment.batch") or as nested tables; its values are a list
/// or a range: { from, to, step }, or { from, to, count, scale = "linear" | "log" }. Problems are added.
std::vector<Axis> read_axes(const SweepSpec& spec, config::Problems& problems);

}  // namespace astroclip::sweep
