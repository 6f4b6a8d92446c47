#pragma once

#include <cstdint>
#include <vector>

#include "api/task.h"

namespace astroclip::probe {

/// Shifts and scales columns so that those of the rows it is fitted on have zero mean and unit deviation; columns that
/// are constant there become zero.
class Standardiser {
 public:
  /// Throws Error when there is no row.
  explicit Standardiser(const Matrix& rows);
  /// Throws Error when the number of columns differs.
  Matrix operator()(const Matrix& rows) const;
  const std::vector<double>& means() const { return means_; }
  /// 1 / deviation, 0 for constant columns.
  const std::vector<double>& scales() const { return scales_; }

 private:
  std::vector<double> means_, scales_;
};

/// Objects with a representation and a label, to fit or to test a probe on.
struct Sample {
  Matrix features;  ///< a row each
  std::vector<double> labels;
  std::vector<int64_t> ids;
  std::vector<int64_t> objects = {};  ///< places in the ids and labels of the split
};

/// The objects whose label is finite. `labels` and `ids` are of all objects of the split.
Sample labelled(const Vectors& vectors, const std::vector<double>& labels, const std::vector<int64_t>& ids);

}  // namespace astroclip::probe
