#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "api/task.h"
#include "report/run_results.h"

namespace astroclip::report {

/// What a run's predictions.h5 holds of one number or of several: a Prediction by task, and where its objects are
/// among the run's test objects.
struct StoredPrediction {
  std::string task;
  Prediction values;  ///< its role as the run's reports have it; `objects` are places among the test objects
};

/// The test objects of a run, as its objects.h5 has them.
struct TestObjects {
  std::vector<std::string> ids;
  std::map<std::string, std::vector<double>> labels;  ///< NaN where it is not known
  std::map<int64_t, int64_t> places = {};             ///< by the keys of identifiers
  std::map<std::string, std::string> units = {};      ///< of labels that have one

  /// The first label that is a redshift; "" for none.
  std::string redshift() const;
  /// A magnitude, of the r band where there is one; "" for none.
  std::string magnitude() const;
  /// "log_mass [log10 M☉]"
  std::string with_unit(const std::string& label) const;
  /// NaN where it is not known.
  double redshift_of(int64_t object) const;
  /// "1003 (z = 0.103)"
  std::string described(int64_t object) const;
};

/// None of a run whose folder lacks the file. Throws Error naming a damaged one.
TestObjects read_test_objects(const record::RunFolder& folder);

/// In order of task, label, modality, representation and method; none of a run without the file. Throws Error naming a
/// damaged one.
std::vector<StoredPrediction> read_predictions(const RunResults& run, const TestObjects& objects);

}  // namespace astroclip::report
