#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/table/column.h"

namespace astroclip::data {

/// A condition on labels: "ZWARN == 0 && (z > 0.01 || !isfinite(mag_r)) && SPECTYPE == 'GALAXY'", or a formula of them:
/// "22.5 - 2.5 * log10(flux)". It compares (== != < <= > >=) numbers and quoted texts, computes (+ - * / % abs sqrt exp
/// ln log10), combines (&& || ! and parentheses), and asks whether a value is there (isfinite). A label alone stands
/// for "is not 0"; true and false are 1 and 0. Integers are compared exactly with quoted ones ("object_id ==
/// '39633300968441868'"), and those of 2^53 and beyond with quoted ones alone. Names with other characters than
/// letters, digits, '_' and '.' stand in backquotes.
class Where {
 public:
  /// Throws Error naming the character of the text when it is no condition.
  explicit Where(std::string text);

  const std::string& text() const { return text_; }
  /// The labels that it names, sorted.
  std::vector<std::string> names() const;

  /// `unknown`: a missing value leaves the condition open. A comparison with a missing value is neither true nor false,
  /// and so is its negation.
  enum class Truth : uint8_t { no, yes, unknown };
  /// For each row of the labels, which have all names(). Throws Error naming the character and the label when a text is
  /// compared with a number, or computed with.
  std::vector<Truth> of(const std::map<std::string, io::Column>& labels, int64_t rows) const;
  /// The values of a formula likewise, NaN where they are missing or not finite. Throws Error for a condition or text.
  std::vector<double> numbers(const std::map<std::string, io::Column>& labels, int64_t rows) const;

  struct Node;

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;
};

}  // namespace astroclip::data
