#include "sweep/axes.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/toml.h"
#include "sweep/range.h"

namespace astroclip::sweep {

namespace {

using config::Array;
using config::Location;
using config::Problems;
using config::Table;
using config::Value;

/// A key with all its values.
struct Swept {
  std::string key;
  Location place;
  std::vector<Value> values;
};

std::string text_of(const Table& table, const char* key) {
  const Value* found = table.find(key);
  const auto* text = found == nullptr ? nullptr : found->get_if<std::string>();
  return text == nullptr ? "" : *text;
}

/// The label of a value by itself: of a table its plugin or name, of a list its elements.
std::string plain_label(const Value& value) {
  if (const auto* text = value.get_if<std::string>()) return *text;
  if (const auto* list = value.get_if<Array>()) {
    std::vector<std::string> labels;
    for (const Value& element : *list) labels.push_back(plain_label(element));
    return labels.empty() ? "none" : fmt::format("{}", fmt::join(labels, "+"));
  }
  if (const auto* table = value.get_if<Table>()) {
    for (const char* key : {"plugin", "name"}) {
      if (const std::string text = text_of(*table, key); !text.empty()) return text;
    }
  }
  return config::to_toml(value);
}

/// ",key=value" for each key of a table whose value not all `others` share.
std::string differing_keys(const Table& table, const std::vector<const Table*>& others) {
  std::string text;
  for (const auto& entry : table.entries()) {
    const std::string own = config::to_toml(entry.value);
    const auto same = [&](const Table* other) {
      const Value* found = other->find(entry.key);
      return found != nullptr && config::to_toml(*found) == own;
    };
    if (!std::ranges::all_of(others, same)) text += fmt::format(",{}={}", entry.key, plain_label(entry.value));
  }
  return text;
}

/// Labels of a key's values. Tables of the same plugin have their differing keys appended.
std::vector<std::string> labels_of(const std::vector<Value>& values) {
  std::vector<std::string> labels;
  for (const Value& value : values) {
    std::string label = plain_label(value);
    std::vector<const Table*> alike;
    for (const Value& other : values) {
      if (other.get_if<Table>() != nullptr && plain_label(other) == label) alike.push_back(other.get_if<Table>());
    }
    if (value.get_if<Table>() != nullptr && alike.size() > 1) label += differing_keys(*value.get_if<Table>(), alike);
    labels.push_back(std::move(label));
  }
  return labels;
}

std::vector<Value> read_values(const std::string& key, const Value& value, Problems& problems) {
  std::vector<Value> values;
  if (const auto* list = value.get_if<Array>()) {
    values = *list;
  } else if (const auto* table = value.get_if<Table>()) {
    values = read_range(*table, "sweep." + key, value.location(), problems);
    if (values.empty()) return {};
  } else {
    problems.add(value.location(), fmt::format("[sweep] '{}' must be a list or a range, found {}", key, value.kind()));
    return {};
  }
  if (values.empty()) problems.add(value.location(), fmt::format("[sweep] '{}' has no values", key));
  return values;
}

/// Every swept key in a table. Nested tables other than ranges are parts of the path.
void collect(const Table& table, const std::string& path, std::vector<Swept>& all, Problems& problems) {
  for (const auto& entry : table.entries()) {
    const std::string key = path.empty() ? entry.key : path + "." + entry.key;
    const auto* inner = entry.value.get_if<Table>();
    if (inner != nullptr && !is_range(*inner)) {
      collect(*inner, key, all, problems);
    } else if (auto values = read_values(key, entry.value, problems); !values.empty()) {
      all.push_back({key, entry.location, std::move(values)});
    }
  }
}

std::vector<Swept> swept_keys(const Value& value, const char* name, Problems& problems) {
  std::vector<Swept> all;
  if (const auto* table = value.get_if<Table>()) {
    collect(*table, "", all, problems);
  } else {
    problems.add(value.location(),
                 fmt::format("[sweep] '{}' must be a table of keys and their values, found {}", name, value.kind()));
  }
  return all;
}

Axis axis_of(const std::vector<Swept>& together) {
  Axis axis(together.front().values.size());
  for (const Swept& swept : together) {
    const std::vector<std::string> labels = labels_of(swept.values);
    for (size_t i = 0; i < axis.size(); ++i) {
      axis[i].push_back({swept.key, swept.place, swept.values[i], labels[i]});
    }
  }
  return axis;
}

/// The tables of `zip`: one, or an array of them.
std::vector<Value> zip_groups(const Value& zip) {
  const auto* array = zip.get_if<Array>();
  return array == nullptr ? std::vector<Value>{zip} : *array;
}

void read_zip(const Value& group, std::vector<Axis>& axes, Problems& problems) {
  const std::vector<Swept> together = swept_keys(group, "zip", problems);
  if (together.empty()) return;
  const size_t length = together.front().values.size();
  for (const Swept& swept : together) {
    if (swept.values.size() == length) continue;
    problems.add(swept.place, fmt::format("[sweep] zipped keys need equally many values: '{}' has {}, '{}' has {}",
                                          together.front().key, length, swept.key, swept.values.size()));
    return;
  }
  axes.push_back(axis_of(together));
}

void check_swept_once(const std::vector<Axis>& axes, Problems& problems) {
  std::vector<std::string> seen;
  for (const Axis& axis : axes) {
    for (const Setting& setting : axis.front()) {
      if (std::ranges::find(seen, setting.key) != seen.end()) {
        problems.add(setting.place, fmt::format("[sweep] '{}' is swept twice", setting.key));
      }
      seen.push_back(setting.key);
    }
  }
}

}  // namespace

const config::Schema<SweepSpec>& sweep_schema() {
  static const auto schema =
      config::Schema<SweepSpec>("Many runs of one experiment with different values.")
          .field("seeds", &SweepSpec::seeds, "values of experiment.seed, combined with all other values")
          .field("cross", &SweepSpec::cross,
                 "key = values; every combination is a run. Values are a list, { from, to, step } or "
                 "{ from, to, count, scale = \"linear\" or \"log\" }")
          .field("zip", &SweepSpec::zip,
                 "key = values; the first values of all keys are a run, the second values another …")
          .field("token_cache_mb", &SweepSpec::token_cache_mb,
                 "disk space for cached tokens of frozen backbones, in MiB; 0: no cache", config::at_least(0));
  return schema;
}

std::vector<Axis> read_axes(const SweepSpec& spec, Problems& problems) {
  std::vector<Axis> axes;
  const auto given = [](const Value& value) {
    const auto* table = value.get_if<Table>();
    return table == nullptr || !table->empty();
  };
  if (given(spec.seeds)) {
    auto seeds = read_values("seeds", spec.seeds, problems);
    if (!seeds.empty()) axes.push_back(axis_of({{"experiment.seed", spec.seeds.location(), std::move(seeds)}}));
  }
  if (given(spec.cross)) {
    for (const Swept& swept : swept_keys(spec.cross, "cross", problems)) axes.push_back(axis_of({swept}));
  }
  if (given(spec.zip)) {
    for (const Value& group : zip_groups(spec.zip)) read_zip(group, axes, problems);
  }
  check_swept_once(axes, problems);
  return axes;
}

}  // namespace astroclip::sweep
