#pragma once

#include <string>
#include <vector>

#include "config/schema.h"
#include "config/value.h"

namespace astroclip::sweep {

/// The section [sweep] as written.
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
  std::string label;  ///< of the value in a run's name
};

/// Each element is one choice of settings for a run: a value of a crossed key, or a row of zipped keys.
using Axis = std::vector<std::vector<Setting>>;

/// The axes, the slowest first: seeds, then crossed keys, then zipped ones. A key of `cross` and `zip` may be written
/// quoted ("stages.alignment.batch") or as nested tables; its values are a list or a range: { from, to, step }, or {
/// from, to, count, scale = "linear" | "log" }. Problems are added.
std::vector<Axis> read_axes(const SweepSpec& spec, config::Problems& problems);

}  // namespace astroclip::sweep
