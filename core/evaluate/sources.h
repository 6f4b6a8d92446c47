#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "api/task.h"
#include "evaluate/chosen_objects.h"
#include "evaluate/embedder.h"
#include "experiment/experiment.h"
#include "model/model.h"
#include "model/origins.h"
#include "record/console.h"
#include "search/pca.h"

namespace astroclip::evaluate {

/// What computes the rows of a representation from views.
struct Source {
  Representation representation;           ///< vectors are filled in by extract()
  std::shared_ptr<const Dataset> objects;  ///< none: the experiment's
  data::ViewPlan view;
  std::optional<Embedder> embedder;  ///< none: principal components
  std::optional<search::Pca> pca;
  std::string model;  ///< the text that describes a model file's encoder and its views; "" for the experiment's

  /// Without an embedder: the principal components of views.
  ComingMatrix components(const HostArray& views) const;
};

/// The encoders of the experiment and of the model files unless `floors_alone`, then the floors that are wanted, but
/// for those of labels; principal components are fitted. An encoder whose head no stage has trained gives its
/// backbone's embedding, as `origins` say.
std::vector<Source> make_sources(const Experiment& experiment, const Model& model, const Origins& origins,
                                 const Dataset& dataset, const ChosenObjects& chosen, bool floors_alone,
                                 record::Console& console);

/// Throws Error naming the file unless every model file of the evaluation describes its encoders, has one for a
/// modality of the experiment, and takes the views that the dataset has.
void check_models(const Experiment& experiment, const Dataset& dataset);

}  // namespace astroclip::evaluate
