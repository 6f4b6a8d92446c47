#include "backend/cuda/plan_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <filesystem>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "io/output/durable_file.h"

namespace astroclip::cuda {

namespace {

constexpr std::string_view title = "astroclip products, ", separator = " = ";

/// Eight hexadecimal words with a blank before each but the first; false if the text is anything else.
bool parse(std::string_view text, PlanTable::Algorithm& algorithm) {
  const char *at = text.data(), *end = at + text.size();
  for (size_t i = 0; i < algorithm.size(); ++i) {
    if (i > 0 && (at == end || *at++ != ' ')) return false;
    const auto [next, error] = std::from_chars(at, end, algorithm[i], 16);
    if (error != std::errc()) return false;
    at = next;
  }
  return at == end;
}

}  // namespace

PlanTable::PlanTable(std::string path, std::string made_for)
    : path_(std::move(path)), first_line_(std::string(title) + std::move(made_for)) {
  if (!std::filesystem::exists(path_)) return;
  std::istringstream text(io::read_text(path_));
  std::string line;
  std::getline(text, line);
  if (!line.starts_with(title)) {
    throw Error(fmt::format("[cuda] {}:1: expected a table of products, which begins with '{}'", path_, title));
  }
  if (line != first_line_) return;
  for (int number = 2; std::getline(text, line); ++number) {
    const size_t split = line.find(separator);
    Algorithm algorithm = {};
    if (split == std::string::npos || !parse(std::string_view(line).substr(split + separator.size()), algorithm)) {
      throw Error(fmt::format("[cuda] {}:{}: expected a product, '=' and 8 hexadecimal words, found '{}'", path_,
                              number, line));
    }
    entries_[line.substr(0, split)] = algorithm;
  }
}

const PlanTable::Algorithm* PlanTable::find(const std::string& product) const {
  const auto entry = entries_.find(product);
  return entry == entries_.end() ? nullptr : &entry->second;
}

void PlanTable::add(const std::string& product, const Algorithm& algorithm) {
  entries_[product] = algorithm;
  std::string text = first_line_ + '\n';
  for (const auto& [name, words] : entries_) text += fmt::format("{}{}{:x}\n", name, separator, fmt::join(words, " "));
  io::write_text(path_, text);
}

}  // namespace astroclip::cuda
