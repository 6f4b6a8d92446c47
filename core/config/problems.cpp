#include "config/problems.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

namespace astroclip::config {

void Problems::add(const Location& location, const std::string& message) { problems_.push_back({location, message}); }

void Problems::append(const Problems& other) {
  problems_.insert(problems_.end(), other.problems_.begin(), other.problems_.end());
}

std::vector<std::string> Problems::messages() const {
  std::vector<std::string> files;
  const auto rank = [&](const Problem& problem) {
    const auto file = std::find(files.begin(), files.end(), problem.location.file) - files.begin();
    return std::tuple(file, problem.location.line, problem.location.column);
  };
  for (const auto& problem : problems_)
    if (std::find(files.begin(), files.end(), problem.location.file) == files.end())
      files.push_back(problem.location.file);
  auto sorted = problems_;
  std::stable_sort(sorted.begin(), sorted.end(), [&](const Problem& a, const Problem& b) { return rank(a) < rank(b); });
  std::vector<std::string> messages;
  for (const auto& [location, message] : sorted) {
    const std::string place = location.str();
    messages.push_back(fmt::format("{}{}error: {}", place, place.empty() ? "" : ": ", message));
  }
  return messages;
}

void Problems::throw_if_any() const {
  if (!empty()) throw ProblemList(fmt::format("{}", fmt::join(messages(), "\n")));
}

}  // namespace astroclip::config
