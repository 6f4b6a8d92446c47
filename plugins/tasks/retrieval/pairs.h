#pragma once

#include "api/task.h"

namespace astroclip::retrieval {

/// How many nearest objects are looked at.
constexpr int64_t depths[] = {1, 5, 10};

/// Whether two representations are of different modalities in one space.
bool are_pair(const Representation& from, const Representation& to);

/// Rows of test objects. Columns with units of their own are standardised; embeddings are taken as they are.
Matrix prepared(const Representation& from, const std::vector<int64_t>& objects);

/// The test objects that both describe.
std::vector<int64_t> objects_of_both(const Representation& from, const Representation& to);

/// A line "from → to".
Measurement line(const Representation& from, const Representation& to, const std::string& method,
                 std::vector<Metric> values, int64_t n_test);

}  // namespace astroclip::retrieval
