#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "explore/catalogue.h"
#include "explore/embeddings.h"

namespace astroclip::explore {

/// What a probe predicts of some objects from their embeddings: a number for each.
struct Predicted {
  std::string property;                 ///< "redshift"; of shares of answers "QUESTION_ANSWER"
  std::string from;                     ///< the encoder
  std::string method;                   ///< "mlp"
  bool is_median = false;               ///< of a posterior, whose quantiles 16 % and 84 % give the errors
  std::vector<int64_t> rows;            ///< of the embeddings, rising
  std::vector<float> predicted, truth;  ///< along rows; truth is NaN where it is not known
  std::vector<float> errors = {};       ///< along rows: half the interval from 16 % to 84 %; empty without one
  double scatter = 0;                   ///< 1.4826 · median |predicted − true|; NaN where no truth is known
  int64_t known = 0;                    ///< objects whose truth is known
};

/// What the tasks of a finished run predict from its model's embeddings, of objects that are among these embeddings: of
/// each property and encoder by the most able probe, and as a posterior's median. Throws Error when the folder is not
/// that of a finished run or is damaged.
std::vector<Predicted> predictions_of_run(const std::string& folder, const Embeddings& embeddings);

/// What `astroclip embed --probe` has written beside embeddings, of one number each. The truth is the data's column of
/// that name, where there is one.
std::vector<Predicted> predictions_of_probes(const Embeddings& embeddings, const Catalogue& catalogue);

}  // namespace astroclip::explore
