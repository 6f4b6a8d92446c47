#include "report/able_probes.h"

#include <algorithm>
#include <iterator>

namespace astroclip::report {

namespace {

constexpr const char* able_probes[] = {"attentive", "mlp", "logistic", "ridge", "knn"};

}  // namespace

size_t place_of_probe(const std::string& method) {
  return static_cast<size_t>(std::ranges::find(able_probes, method) - std::begin(able_probes));
}

bool is_able_probe(const std::string& method) { return place_of_probe(method) < std::size(able_probes); }

}  // namespace astroclip::report
