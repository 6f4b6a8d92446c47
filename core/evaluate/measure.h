#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "api/task.h"

namespace astroclip::evaluate {

/// One number that the tasks report of the model.
struct Measure {
  std::string name;              ///< "R² image knn", unique in the run
  std::optional<Better> better;  ///< none: runs are not compared by it
  bool is_first = false;         ///< the first metric of its row that runs are compared by
  double value = 0.0;
  double object_error = std::numeric_limits<double>::quiet_NaN();  ///< as of a Metric
};

/// Every number of the rows that are about the model, in order. Names are metric, modality and method; where two are
/// the same, the report's title follows in the second.
std::vector<Measure> measures(const std::vector<Report>& reports);

}  // namespace astroclip::evaluate
