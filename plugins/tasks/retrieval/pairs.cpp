#include "pairs.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "probe/sample.h"

namespace astroclip::retrieval {

bool are_pair(const Representation& from, const Representation& to) {
  return from.cross_modal && to.cross_modal && from.name == to.name && from.modality != to.modality &&
         from.test.values.columns == to.test.values.columns;
}

Matrix prepared(const Representation& from, const std::vector<int64_t>& objects) {
  const Matrix test = of_some(from.test, objects).values;
  return from.has_units ? probe::Standardiser(from.train.values)(test) : test;
}

std::vector<int64_t> objects_of_both(const Representation& from, const Representation& to) {
  std::vector<int64_t> both;
  std::ranges::set_intersection(from.test.objects, to.test.objects, std::back_inserter(both));
  return both;
}

Measurement line(const Representation& from, const Representation& to, const std::string& method,
                 std::vector<Metric> values, int64_t n_test) {
  const int64_t n_train = from.has_units ? from.train.values.rows : 0;
  return {from.name, from.modality + " → " + to.modality, method, from.role, std::move(values), n_train, n_test};
}

}  // namespace astroclip::retrieval
