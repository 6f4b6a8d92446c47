#include "experiment/dataset_spec.h"

#include <algorithm>
#include <utility>

#include "data/labels.h"

namespace astroclip {

DatasetSpec DatasetSpec::read(const config::Value& value, const config::Section& where, config::Problems& problems) {
  config::Table common, own;
  const std::vector<config::FieldDescription> keys = common_keys();
  for (const auto& entry : value.get_if<config::Table>()->entries()) {
    const bool is_common = std::ranges::find(keys, entry.key, &config::FieldDescription::name) != keys.end();
    (is_common ? common : own).set(entry.key, entry.value, entry.location);
  }
  DatasetSpec spec{plugin::Spec<Dataset>::read({own, value.location()}, where, problems)};
  const auto selection = data::selection_schema().parse(common, where, value.location(), problems);
  data::check_selection(selection, common, where, problems);
  if (!selection.empty()) {
    const config::Table resolved = data::selection_schema().dump(selection);
    for (const auto& entry : resolved.entries()) spec.parameters.set(entry.key, entry.value, entry.location);
  }
  if (spec.make) {
    spec.make = [make = std::move(spec.make), selection] { return data::labelled(make(), selection); };
  }
  return spec;
}

std::vector<config::FieldDescription> DatasetSpec::common_keys() { return data::selection_schema().describe(); }

}  // namespace astroclip
