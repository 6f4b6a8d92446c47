#include "config/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace astroclip::config {

std::string Location::str() const { return line > 0 ? fmt::format("{}:{}:{}", file, line, column) : file; }

Table::Table() = default;
Table::Table(const Table&) = default;
Table::Table(Table&&) noexcept = default;
Table& Table::operator=(const Table&) = default;
Table& Table::operator=(Table&&) noexcept = default;
Table::~Table() = default;

const Table::Entry* Table::entry(std::string_view key) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  return found == entries_.end() ? nullptr : &*found;
}

const Value* Table::find(std::string_view key) const {
  const Entry* found = entry(key);
  return found == nullptr ? nullptr : &found->value;
}

Value* Table::find(std::string_view key) { return const_cast<Value*>(std::as_const(*this).find(key)); }

void Table::set(std::string key, Value value, Location key_location) {
  for (auto& entry : entries_) {
    if (entry.key != key) continue;
    entry.location = std::move(key_location);
    entry.value = std::move(value);
    return;
  }
  entries_.push_back({std::move(key), std::move(key_location), std::move(value)});
}

bool Table::erase(std::string_view key) {
  return std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key; }) > 0;
}

bool Table::empty() const { return entries_.empty(); }

std::string Value::kind() const {
  static constexpr const char* kinds[] = {"a boolean", "an integer", "a number", "a string", "a list", "a table"};
  return kinds[data_.index()];
}

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

namespace {

/// Edit distance with insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, substituted});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  // One slip in three letters is still the same word.
  size_t best = std::max<size_t>(1, (word.size() + 1) / 3) + 1;
  std::string found;
  for (const auto& candidate : candidates) {
    const size_t distance = edit_distance(word, candidate);
    if (distance >= best || distance >= std::max(word.size(), candidate.size())) continue;
    best = distance;
    found = candidate;
  }
  return found;
}

}  // namespace astroclip::config
