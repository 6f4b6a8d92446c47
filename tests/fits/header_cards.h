#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <variant>

namespace astroclip::fits {

using Keywords = std::map<std::string, std::variant<double, std::string>>;

/// As cards of 80 characters.
inline std::string cards_of(const Keywords& header) {
  std::string cards;
  for (const auto& [key, value] : header) {
    const auto* number = std::get_if<double>(&value);
    const std::string text = number == nullptr          ? fmt::format("'{:<8}'", std::get<std::string>(value))
                             : key.starts_with("NAXIS") ? fmt::format("{:>20}", static_cast<int>(*number))
                                                        : fmt::format("{:>20.14G}", *number);
    cards += fmt::format("{:<80}", fmt::format("{:<8}= {}", key, text));
  }
  return cards + fmt::format("{:<80}", "END");
}

}  // namespace astroclip::fits
