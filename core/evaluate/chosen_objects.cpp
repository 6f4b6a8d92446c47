#include "evaluate/chosen_objects.h"

#include <utility>

#include "data/fields.h"

namespace astroclip::evaluate {

ChosenObjects::ChosenObjects(const Experiment& experiment, const Model& model, const Dataset& dataset,
                             const InBoth& in_both) {
  const bool all = experiment.evaluation.objects == Objects::all;
  std::vector<std::string> modalities;
  for (const std::string& name : model.names()) modalities.push_back(model.encoder(name).modality());
  for (const auto& [split, chosen] : {std::pair(Split::train, &train), {Split::test, &test}}) {
    chosen->rows = data::rows_with(dataset, split, all ? std::vector<std::string>() : modalities);
    if (split == Split::test && experiment.evaluation.train_test_overlap != TrainTestOverlap::keep) {
      std::erase_if(chosen->rows, [&](int64_t row) { return in_both.test_rows[static_cast<size_t>(row)]; });
    }
    for (const std::string& modality : modalities) {
      chosen->present[modality] = data::observed(dataset, split, chosen->rows, modality);
    }
  }
}

}  // namespace astroclip::evaluate
