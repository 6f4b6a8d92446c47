#include "data/where.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <compare>
#include <deque>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/object_ids.h"

namespace astroclip::data {

/// A part of the condition. `what` is an operator, a function, "number", "text" or "label".
struct Where::Node {
  std::string what;
  size_t at;  ///< character of the text
  double number = 0.0;
  std::string text = {};  ///< a text, or a label's name
  std::vector<Node> parts = {};
};

namespace {

using Node = Where::Node;
using Truth = Where::Truth;

constexpr std::array<std::string_view, 6> comparisons = {"==", "!=", "<=", ">=", "<", ">"};
constexpr std::array<std::string_view, 5> operations = {"+", "-", "*", "/", "%"};
constexpr std::array<std::string_view, 6> functions = {"isfinite", "abs", "sqrt", "exp", "ln", "log10"};

bool is_one_of(std::string_view what, std::span<const std::string_view> names) {
  return std::ranges::find(names, what) != names.end();
}

[[noreturn]] void fail(size_t at, const std::string& what) {
  throw Error(fmt::format("at character {}: {}", at + 1, what));
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Node whole() {
    Node node = either();
    skip();
    if (at_ < text_.size()) fail_here("an operator or the end");
    return node;
  }

 private:
  Node either() {
    Node node = both();
    while (take("||")) node = joined("||", std::move(node), both());
    return node;
  }
  Node both() {
    Node node = comparison();
    while (take("&&")) node = joined("&&", std::move(node), comparison());
    return node;
  }
  Node comparison() {
    Node node = sum();
    const std::optional<std::string> first = take_comparison();
    if (!first) return node;
    node = joined(*first, std::move(node), sum());
    const size_t at = at_;
    if (take_comparison()) fail(at, "comparisons do not chain; write a < b && b < c");
    return node;
  }
  Node sum() {
    Node node = product();
    while (const auto operation = take_one_of(std::span(operations).first(2)))
      node = joined(*operation, std::move(node), product());
    return node;
  }
  Node product() {
    Node node = single();
    while (const auto operation = take_one_of(std::span(operations).subspan(2)))
      node = joined(*operation, std::move(node), single());
    return node;
  }

  Node single() {
    constexpr int deepest = 100;
    skip();
    const size_t at = at_;
    if (++depth_ > deepest) fail(at, "the condition is nested too deeply");
    Node node = take("!")   ? Node{"!", at, 0.0, "", {single()}}
                : take("-") ? Node{"-", at, 0.0, "", {single()}}
                            : primary(at);
    --depth_;
    return node;
  }

  Node primary(size_t at) {
    if (take("(")) {
      Node node = either();
      expect(")");
      return node;
    }
    if (at_ >= text_.size()) fail_here("a label or a number");
    const char c = text_[at_];
    if (c == '\'' || c == '"') return {"text", at, 0.0, quoted(c)};
    if (c == '`') return {"label", at, 0.0, quoted(c)};
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.') return number(at);
    const std::string name = word();
    if (name.empty()) fail_here("a label or a number");
    if (name == "true" || name == "false") return {"number", at, name == "true" ? 1.0 : 0.0};
    if (!take("(")) return {"label", at, 0.0, name};
    if (!is_one_of(name, functions))
      fail(at, fmt::format("there is no function '{}' ({})", name, fmt::join(functions, ", ")));
    Node node{name, at, 0.0, "", {either()}};
    expect(")");
    return node;
  }

  Node number(size_t at) {
    Node node{"number", at};
    const auto [end, failure] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), node.number);
    if (failure != std::errc()) fail(at, "expected a number of float64");
    at_ = static_cast<size_t>(end - text_.data());
    if (!word().empty()) fail(at, fmt::format("expected a number, found '{}'", text_.substr(at, at_ - at)));
    const std::string_view digits = text_.substr(at, at_ - at);
    if (node.number >= first_rounded && digits.find_first_not_of("0123456789") == std::string_view::npos)
      fail(at,
           fmt::format("{} is beyond 2^53, where numbers are rounded; compare with '{}', in quotes", digits, digits));
    return node;
  }

  std::string quoted(char quote) {
    const size_t begin = at_ + 1, end = text_.find(quote, begin);
    if (end == std::string_view::npos) fail(at_, fmt::format("the quote {} is not closed", quote));
    at_ = end + 1;
    return std::string(text_.substr(begin, end - begin));
  }

  std::string word() {
    const size_t begin = at_;
    const auto belongs = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.' || c >= 0x80; };
    while (at_ < text_.size() && belongs(static_cast<unsigned char>(text_[at_]))) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  static Node joined(std::string what, Node left, Node right) {
    Node node{std::move(what), left.at};
    node.parts.push_back(std::move(left));
    node.parts.push_back(std::move(right));
    return node;
  }
  void skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  bool take(std::string_view what) {
    skip();
    // "!" is not the beginning of "!=".
    if (!text_.substr(at_).starts_with(what) || (what == "!" && text_.substr(at_).starts_with("!="))) return false;
    at_ += what.size();
    return true;
  }
  std::optional<std::string> take_one_of(std::span<const std::string_view> all) {
    for (const std::string_view what : all) {
      if (take(what)) return std::string(what);
    }
    return std::nullopt;
  }
  std::optional<std::string> take_comparison() {
    if (auto what = take_one_of(comparisons)) return what;
    if (text_.substr(at_).starts_with('=')) fail(at_, "'=' compares nothing; write '=='");
    return std::nullopt;
  }
  void expect(std::string_view what) {
    if (!take(what)) fail_here(fmt::format("'{}'", what));
  }
  [[noreturn]] void fail_here(const std::string& expected) {
    skip();
    const size_t begin = at_;
    std::string found = word();
    if (found.empty()) found = text_.substr(begin, 1);
    fail(begin, fmt::format("expected {}, found {}", expected, found.empty() ? "the end" : fmt::format("'{}'", found)));
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

/// The values of a part for every row, of one of three types.
struct Values {
  enum class Type { number, text, truth };
  Type type = Type::number;
  std::vector<double> numbers = {};          ///< NaN: missing
  std::vector<std::string_view> texts = {};  ///< without data: missing
  std::vector<Truth> truths = {};
};
using Type = Values::Type;

class Evaluation {
 public:
  Evaluation(const std::map<std::string, io::Column>& labels, int64_t rows)
      : labels_(labels), rows_(static_cast<size_t>(rows)) {}

  /// A condition; a number stands for "is not 0".
  std::vector<Truth> truths(const Node& node) const {
    Values values = of(node);
    if (values.type == Type::text) fail(node.at, "expected a condition, found a text");
    for (const double value : values.numbers)
      values.truths.push_back(std::isnan(value) ? Truth::unknown : value != 0.0 ? Truth::yes : Truth::no);
    return std::move(values.truths);
  }

  std::vector<double> numbers(const Node& node) const {
    Values values = of(node);
    if (values.type != Type::number) fail(node.at, fmt::format("expected a number, found a {}", noun(values.type)));
    for (double& value : values.numbers) {
      if (!std::isfinite(value)) value = std::numeric_limits<double>::quiet_NaN();
    }
    return std::move(values.numbers);
  }

 private:
  Values of(const Node& node) const {
    if (node.what == "number") return {.numbers = std::vector(rows_, node.number)};
    if (node.what == "text") return {.type = Type::text, .texts = std::vector<std::string_view>(rows_, node.text)};
    if (node.what == "label") return label(node);
    if (node.what == "!") return negated(node);
    if (node.what == "&&" || node.what == "||") return combined(node);
    if (node.what == "isfinite") return finite(node);
    if (is_one_of(node.what, comparisons)) return compared(node);
    return computed(node);
  }

  Values label(const Node& node) const {
    const io::Column& column = labels_.at(node.text);
    const auto* texts = std::get_if<std::vector<std::string>>(&column.values);
    if (const auto row = column.rounded_row()) {
      fail(node.at,
           fmt::format("'{}' has integers of 2^53 and beyond, where numbers are rounded; compare it with one in "
                       "quotes: {} == '{}'",
                       node.text, node.text, column.text(*row)));
    }
    if (texts == nullptr) return {.numbers = column.numbers()};
    Values values{.type = Type::text, .texts = std::vector<std::string_view>(rows_)};
    for (size_t row = 0; row < rows_; ++row) {
      if (!column.is_missing(static_cast<int64_t>(row))) values.texts[row] = (*texts)[row];
    }
    return values;
  }

  bool is_integer_label(const Node& node) const {
    if (node.what != "label") return false;
    const io::ColumnValues& values = labels_.at(node.text).values;
    return std::holds_alternative<std::vector<int64_t>>(values) ||
           std::holds_alternative<std::vector<uint64_t>>(values);
  }

  /// A label of integers as their digits.
  Values digits(const Node& node) const {
    const io::Column& column = labels_.at(node.text);
    Values values{.type = Type::text, .texts = std::vector<std::string_view>(rows_)};
    for (size_t row = 0; row < rows_; ++row) {
      if (!column.is_missing(static_cast<int64_t>(row)))
        values.texts[row] = made_.emplace_back(column.text(static_cast<int64_t>(row)));
    }
    return values;
  }

  /// A side of a comparison, whose other side is `other`.
  Values side(const Node& comparison, const Node& node, const Node& other) const {
    const bool is_of_equality = comparison.what == "==" || comparison.what == "!=";
    return is_of_equality && other.what == "text" && is_integer_label(node) ? digits(node) : of(node);
  }

  Values negated(const Node& node) const {
    Values values{.type = Type::truth, .truths = truths(node.parts[0])};
    for (Truth& one : values.truths) {
      if (one != Truth::unknown) one = one == Truth::yes ? Truth::no : Truth::yes;
    }
    return values;
  }

  /// Three values, as in SQL: one that is unknown decides nothing.
  Values combined(const Node& node) const {
    const Truth decisive = node.what == "||" ? Truth::yes : Truth::no;
    const std::vector<Truth> left = truths(node.parts[0]);
    Values values{.type = Type::truth, .truths = truths(node.parts[1])};
    for (size_t row = 0; row < rows_; ++row) {
      Truth& right = values.truths[row];
      if (left[row] == decisive || (left[row] == Truth::unknown && right != decisive)) right = left[row];
    }
    return values;
  }

  Values finite(const Node& node) const {
    const Values values = is_integer_label(node.parts[0]) ? digits(node.parts[0]) : of(node.parts[0]);
    if (values.type == Type::truth) fail(node.parts[0].at, "isfinite expects a value, found a condition");
    Values there{.type = Type::truth};
    for (size_t row = 0; row < rows_; ++row) {
      const bool is_there =
          values.type == Type::text ? values.texts[row].data() != nullptr : std::isfinite(values.numbers[row]);
      there.truths.push_back(is_there ? Truth::yes : Truth::no);
    }
    return there;
  }

  Values compared(const Node& node) const {
    const Values left = side(node, node.parts[0], node.parts[1]), right = side(node, node.parts[1], node.parts[0]);
    if (left.type != right.type || left.type == Type::truth) {
      fail(node.at, fmt::format("'{}' compares {} with {}", node.what, described(node.parts[0], left.type),
                                described(node.parts[1], right.type)));
    }
    Values values{.type = Type::truth};
    for (size_t row = 0; row < rows_; ++row) {
      const bool is_unknown = left.type == Type::text
                                  ? left.texts[row].data() == nullptr || right.texts[row].data() == nullptr
                                  : std::isnan(left.numbers[row]) || std::isnan(right.numbers[row]);
      const std::partial_ordering order = left.type == Type::text
                                              ? std::partial_ordering(left.texts[row] <=> right.texts[row])
                                              : left.numbers[row] <=> right.numbers[row];
      values.truths.push_back(is_unknown ? Truth::unknown : holds(node.what, order) ? Truth::yes : Truth::no);
    }
    return values;
  }

  static bool holds(const std::string& comparison, std::partial_ordering order) {
    if (comparison == "==") return order == 0;
    if (comparison == "!=") return order != 0;
    if (comparison == "<") return order < 0;
    if (comparison == "<=") return order <= 0;
    return comparison == ">" ? order > 0 : order >= 0;
  }

  Values computed(const Node& node) const {
    std::vector<std::vector<double>> parts;
    for (const Node& part : node.parts) {
      Values values = of(part);
      if (values.type != Type::number)
        fail(part.at, fmt::format("'{}' expects a number, found a {}", node.what, noun(values.type)));
      parts.push_back(std::move(values.numbers));
    }
    Values values{.numbers = std::move(parts.front())};
    for (size_t row = 0; row < rows_; ++row) {
      double& value = values.numbers[row];
      if (is_one_of(node.what, functions))
        value = applied(node.what, value);
      else if (parts.size() == 1)
        value = -value;
      else if (node.what == "+")
        value += parts[1][row];
      else if (node.what == "-")
        value -= parts[1][row];
      else if (node.what == "*")
        value *= parts[1][row];
      else if (node.what == "/")
        value /= parts[1][row];
      else
        value = std::fmod(value, parts[1][row]);
    }
    return values;
  }

  /// "the text 'SPECTYPE'", or "a number" of what is no label.
  static std::string described(const Node& node, Type type) {
    return node.what == "label" ? fmt::format("the {} '{}'", noun(type), node.text) : fmt::format("a {}", noun(type));
  }

  static double applied(const std::string& function, double value) {
    if (function == "abs") return std::abs(value);
    if (function == "sqrt") return std::sqrt(value);
    if (function == "exp") return std::exp(value);
    return function == "ln" ? std::log(value) : std::log10(value);
  }

  static const char* noun(Type type) {
    return type == Type::number ? "number" : type == Type::text ? "text" : "condition";
  }

  const std::map<std::string, io::Column>& labels_;
  size_t rows_;
  mutable std::deque<std::string> made_;  ///< texts that are no label's own
};

void add_names(const Node& node, std::set<std::string>& names) {
  if (node.what == "label") names.insert(node.text);
  for (const Node& part : node.parts) add_names(part, names);
}

}  // namespace

Where::Where(std::string text) : text_(std::move(text)) {
  constexpr size_t longest = 10000;
  if (text_.size() > longest) throw Error(fmt::format("is longer than {} characters", longest));
  root_ = std::make_shared<const Node>(Parser(text_).whole());
}

std::vector<std::string> Where::names() const {
  std::set<std::string> names;
  add_names(*root_, names);
  return {names.begin(), names.end()};
}

std::vector<Truth> Where::of(const std::map<std::string, io::Column>& labels, int64_t rows) const {
  return Evaluation(labels, rows).truths(*root_);
}

std::vector<double> Where::numbers(const std::map<std::string, io::Column>& labels, int64_t rows) const {
  return Evaluation(labels, rows).numbers(*root_);
}

}  // namespace astroclip::data
