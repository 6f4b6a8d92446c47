#include "probe/published_selection.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace astroclip::probe {

namespace {

constexpr const char* provabgs_positive[] = {"PROVABGS_LOGMSTAR_BF", "MAG_G", "MAG_R", "MAG_Z"};

/// Takes the labels from objects that are left out; gives how many are not.
std::string leave_out_others(std::map<std::string, std::vector<double>>& labels) {
  int64_t kept = 0;
  const size_t count = labels.begin()->second.size();
  for (size_t i = 0; i < count; ++i) {
    const bool selected = std::ranges::all_of(provabgs_positive, [&](const char* name) {
      const auto found = labels.find(name);
      return found == labels.end() || found->second[i] > 0.0;
    });
    kept += selected ? 1 : 0;
    if (selected) continue;
    for (auto& [name, values] : labels) values[i] = std::nan("");
  }
  return std::to_string(kept) + " of " + std::to_string(count);
}

}  // namespace

std::vector<std::string> labels_of_selection(Protocol protocol) {
  if (protocol == Protocol::own) return {};
  return {std::begin(provabgs_positive), std::end(provabgs_positive)};
}

Selected select_objects(const TaskInput& given, Protocol protocol) {
  Selected selected{{{},
                     given.train_labels,
                     given.test_labels,
                     given.train_ids,
                     given.test_ids,
                     given.seed,
                     given.resamples,
                     given.probe_seeds,
                     given.id_names,
                     given.keep_probes}};
  if (protocol == Protocol::own) return selected;
  std::string there, lacking;
  for (const char* name : provabgs_positive) {
    std::string& list = given.test_labels.contains(name) ? there : lacking;
    list += (list.empty() ? "" : ", ") + std::string(name);
  }
  const std::string train = leave_out_others(selected.input.train_labels);
  const std::string test = leave_out_others(selected.input.test_labels);
  if (!there.empty()) {
    selected.sentence = " Selected by " + there + " > 0: " + train + " training and " + test + " test objects.";
  }
  if (!lacking.empty()) {
    selected.sentence += " The published numbers are of galaxies selected by " + lacking +
                         " > 0; the dataset has no such label, so that these are not of the same sample.";
  }
  return selected;
}

}  // namespace astroclip::probe
