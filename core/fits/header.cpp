#include "fits/header.h"

#include <charconv>
#include <cmath>
#include <utility>

#include "base/text.h"

namespace astroclip::fits {

namespace {

/// What stands between quotes, two of which are one; or what stands before the comment. With the comment.
std::pair<std::string, std::string> parts_of(std::string_view field) {
  field = trimmed(field);
  std::string text;
  size_t end = 1;
  if (!field.starts_with('\'')) {
    end = 0;
    text = field.substr(0, field.find('/'));
  }
  for (; end > 0 && end < field.size(); ++end) {
    if (field[end] == '\'' && !field.substr(end + 1).starts_with('\'')) break;
    if (field[end] == '\'') ++end;
    text += field[end];
  }
  const size_t slash = field.find('/', end);
  return {std::string(trimmed(text)),
          slash == std::string_view::npos ? "" : std::string(trimmed(field.substr(slash + 1)))};
}

}  // namespace

std::optional<std::string_view> Header::field(std::string_view key) const {
  constexpr size_t card_size = 80;
  for (size_t at = 0; at + card_size <= cards_.size(); at += card_size) {
    const std::string_view card = std::string_view(cards_).substr(at, card_size);
    const size_t equals = card.find('=');
    if (equals == std::string_view::npos) continue;
    std::string_view name = card.substr(0, equals);
    if (name.starts_with("HIERARCH ")) name.remove_prefix(9);
    if (trimmed(name) == key) return card.substr(equals + 1);
  }
  return std::nullopt;
}

std::optional<std::string> Header::text(std::string_view key) const {
  const auto found = field(key);
  return found ? std::optional(parts_of(*found).first) : std::nullopt;
}

std::string Header::comment(std::string_view key) const {
  const auto found = field(key);
  return found ? parts_of(*found).second : "";
}

std::optional<double> Header::number(std::string_view key) const {
  const auto found = text(key);
  if (!found) return std::nullopt;
  std::string digits = found->substr(found->starts_with('+') ? 1 : 0);
  if (const size_t exponent = digits.find_first_of("Dd"); exponent != std::string::npos) digits[exponent] = 'E';
  double value = 0.0;
  const char* end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, value);
  return error == std::errc() && rest == end && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace astroclip::fits
