#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace astroclip::fits {

/// The keywords of an HDU's header.
class Header {
 public:
  /// Of cards of 80 characters.
  explicit Header(std::string cards) : cards_(std::move(cards)) {}

  const std::string& cards() const { return cards_; }
  /// A value as text, without quotes and surrounding blanks; of a keyword given twice, the first. Keywords longer than
  /// eight characters are HIERARCH ones.
  std::optional<std::string> text(std::string_view key) const;
  /// What stands after the value, "" if nothing does.
  std::string comment(std::string_view key) const;
  /// None, too, where the value is no finite number.
  std::optional<double> number(std::string_view key) const;

 private:
  /// What stands after the '='; none if the keyword is not there.
  std::optional<std::string_view> field(std::string_view key) const;

  std::string cards_;
};

}  // namespace astroclip::fits
