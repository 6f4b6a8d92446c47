#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <vector>

#include "api/task.h"

namespace astroclip::probe {

/// How vectors are shifted and scaled before a probe sees them.
enum class Standardisation {
  columns,  ///< each column to zero mean and unit deviation; constant ones to zero
  whole,    ///< all by one mean and one deviation (divisor n − 1), as the published flows have it
  none,
};

/// Shifts and scales columns by means and deviations of the rows that it is fitted on.
class Standardiser {
 public:
  /// One of no columns.
  Standardiser() = default;
  /// Throws Error when there is no row.
  explicit Standardiser(const Matrix& rows, Standardisation how = Standardisation::columns);
  /// One that was fitted before.
  Standardiser(std::vector<double> means, std::vector<double> scales);
  /// Throws Error when the number of columns differs.
  Matrix operator()(const Matrix& rows) const;
  const std::vector<double>& means() const { return means_; }
  /// 1 / deviation, 0 for constant columns.
  const std::vector<double>& scales() const { return scales_; }

 private:
  std::vector<double> means_, scales_;
};

/// Means and deviations of the columns of rows that come some at a time.
class ColumnMoments {
 public:
  void add(const Matrix& rows);
  /// By columns, or by none.
  Standardiser standardiser(Standardisation how) const;

 private:
  int64_t count_ = 0;
  std::vector<double> shift_, sums_, squares_;  ///< by column: the first value, and sums of differences from it
};

/// What labels are.
enum class Target {
  numbers,  ///< one or several of each object
  shares,   ///< of the answers to a question: of its votes, or 1 for an object's class and 0 for the others
};

/// Objects with a representation and labels, to fit or to test a probe on.
struct Sample {
  Matrix features;             ///< a row each
  std::vector<double> labels;  ///< [objects, outputs]
  std::vector<int64_t> ids;
  std::vector<int64_t> objects = {};  ///< places in the ids and labels of the split
  int64_t outputs = 1;                ///< labels of an object
  Target target = Target::numbers;
  std::shared_ptr<const TokenReader> tokens = nullptr;  ///< of all objects of the split, if the representation has some

  int64_t size() const { return std::ssize(labels) / outputs; }
};

/// Labels of all objects of a split, a column for each output.
using LabelColumns = std::vector<const std::vector<double>*>;

/// The objects whose labels are all finite. `columns` and `ids` are of all objects of the split.
Sample labelled(const Vectors& vectors, const LabelColumns& columns, const std::vector<int64_t>& ids);

}  // namespace astroclip::probe
