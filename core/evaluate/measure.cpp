#include "evaluate/measure.h"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace astroclip::evaluate {

std::vector<Measure> measures(const std::vector<Report>& reports) {
  std::vector<Measure> all;
  std::set<std::string> names;
  for (const Report& report : reports) {
    for (const Measurement& row : report.rows) {
      if (row.role != Role::model) continue;
      bool is_first = true;
      for (const auto& [metric, value, object_error, seed_error] : row.values) {
        std::string name = fmt::format("{} {} {}", metric, row.modality, row.method);
        if (!names.insert(name).second) name += fmt::format(" ({})", report.title);
        Measure measure{std::move(name), std::nullopt, false, value, object_error};
        if (const auto better = report.better.find(metric); better != report.better.end()) {
          measure.better = better->second;
          measure.is_first = std::exchange(is_first, false);
        }
        all.push_back(std::move(measure));
      }
    }
  }
  return all;
}

}  // namespace astroclip::evaluate
