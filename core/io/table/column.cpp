#include "io/table/column.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/error.h"
#include "base/object_ids.h"
#include "base/text.h"
#include "io/table/number_text_internal.h"

namespace astroclip::io {

namespace {

constexpr double missing_number = std::numeric_limits<double>::quiet_NaN();

bool says_missing(std::string_view text) {
  static constexpr std::array<std::string_view, 7> words = {"", "nan", "null", "none", "na", "n/a", "--"};
  return text.size() <= 4 && std::ranges::any_of(words, [&](auto word) { return same_letters(text, word); });
}

bool has_leading_zero(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  return text.size() > 1 && text.front() == '0' &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

template <class T>
bool parse_whole(std::string_view text, T& value) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  if (text.empty() || text.front() == '+') return false;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size();
}

/// Fills the column by `parse`, which is false for a text of another type; false at the first one.
template <class T, class Parse>
bool fill(Column& column, std::span<const std::string_view> texts, T missing, Parse parse) {
  column.missing.clear();
  column.values = std::vector<T>(texts.size());
  auto& values = std::get<std::vector<T>>(column.values);
  for (size_t i = 0; i < texts.size(); ++i) {
    T value = missing;
    if (says_missing(texts[i])) {
      column.set_missing(static_cast<int64_t>(i));
    } else if (has_leading_zero(texts[i]) || !parse(texts[i], value)) {
      return false;
    }
    values[i] = value;
  }
  return true;
}

template <class T>
bool fill_parsed(Column& column, std::span<const std::string_view> texts, T missing) {
  return fill(column, texts, missing, [](std::string_view text, T& value) { return parse_text(text, value); });
}

void fill_text(Column& column, std::span<const std::string_view> texts) {
  column.missing.clear();
  column.values = std::vector<std::string>(texts.begin(), texts.end());
  column.set_empty_missing();
}

/// Whether all are integers, some of more than 64 bits, which a number would round.
bool has_only_digits(std::span<const std::string_view> texts) {
  return std::ranges::all_of(texts, [](std::string_view text) {
    return says_missing(text) || text.find_first_not_of("+-0123456789") == std::string_view::npos;
  });
}

}  // namespace

bool parse_text(std::string_view text, int64_t& value) { return parse_whole(text, value); }
bool parse_text(std::string_view text, uint64_t& value) { return parse_whole(text, value); }
bool parse_text(std::string_view text, double& value) { return parse_whole(text, value); }

bool parse_truth(std::string_view text, bool& value) {
  value = same_letters(text, "true");
  return value || same_letters(text, "false");
}

int64_t Column::rows() const {
  return std::visit([](const auto& all) { return static_cast<int64_t>(all.size()); }, values);
}

bool Column::is_missing(int64_t row) const {
  const auto at = static_cast<size_t>(row);
  if (!missing.empty() && missing[at]) return true;
  const auto* numbers = std::get_if<std::vector<double>>(&values);
  return numbers != nullptr && std::isnan((*numbers)[at]);
}

void Column::set_missing(int64_t row) {
  if (missing.empty()) missing.resize(static_cast<size_t>(rows()));
  missing[static_cast<size_t>(row)] = true;
}

void Column::set_empty_missing() {
  const auto* texts = std::get_if<std::vector<std::string>>(&values);
  for (size_t i = 0; texts != nullptr && i < texts->size(); ++i) {
    if ((*texts)[i].empty()) set_missing(static_cast<int64_t>(i));
  }
}

std::string Column::holds() const {
  static constexpr std::array<const char*, 5> kinds = {"integers", "integers", "numbers", "true or false", "text"};
  return kinds[values.index()];
}

std::vector<double> Column::numbers() const {
  std::vector<double> all(static_cast<size_t>(rows()), missing_number);
  for (int64_t row = 0; row < rows(); ++row) {
    if (is_missing(row)) continue;
    const auto at = static_cast<size_t>(row);
    std::visit(
        [&](const auto& of) {
          if constexpr (std::is_same_v<std::decay_t<decltype(of)>, std::vector<std::string>>) {
            if (says_missing(of[at]) || parse_text(of[at], all[at])) return;
            throw Error(fmt::format("{}, row {}: expected a number, found '{}'", place, row + 1, of[at]));
          } else {
            all[at] = static_cast<double>(of[at]);
          }
        },
        values);
  }
  return all;
}

std::optional<int64_t> Column::rounded_row() const {
  for (int64_t row = 0; row < rows(); ++row) {
    const auto at = static_cast<size_t>(row);
    const auto* whole = std::get_if<std::vector<int64_t>>(&values);
    const auto* natural = std::get_if<std::vector<uint64_t>>(&values);
    const double size = whole != nullptr     ? std::abs(static_cast<double>((*whole)[at]))
                        : natural != nullptr ? static_cast<double>((*natural)[at])
                                             : 0.0;
    if (size >= first_rounded) return row;
  }
  return {};
}

std::string Column::text(int64_t row) const {
  if (is_missing(row)) return "";
  return std::visit([&](const auto& of) { return fmt::format("{}", of[static_cast<size_t>(row)]); }, values);
}

Column typed_column(std::string name, std::span<const std::string_view> texts) {
  Column column{.name = std::move(name)};
  if (std::ranges::all_of(texts, says_missing)) {
    fill(column, texts, missing_number, [](std::string_view, double&) { return false; });
  } else if (!fill_parsed(column, texts, int64_t{0}) && !fill_parsed(column, texts, uint64_t{0}) &&
             !fill(column, texts, false, parse_truth) &&
             (has_only_digits(texts) || !fill_parsed(column, texts, missing_number))) {
    fill_text(column, texts);
  }
  return column;
}

}  // namespace astroclip::io
