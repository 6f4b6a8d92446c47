#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "io/table/number_text_internal.h"
#include "io/table/table_source_internal.h"

namespace astroclip::io {

namespace {

constexpr char blanks = ' ';  // as a separator: any run of blanks and tabs

/// The fields of one row from left to right.
class Fields {
 public:
  Fields(std::string_view text, size_t begin, char separator) : text_(text), at_(begin), separator_(separator) {
    skip_blanks();
  }

  /// The next field without quotes and surrounding blanks; false behind the last one of the row. A field with doubled
  /// quotes is kept in `store`. Throws Error saying what is wrong.
  bool next(std::string_view& field, std::deque<std::string>* store) {
    if (is_done_) return false;
    if (at_ < text_.size() && text_[at_] == '"') {
      field = quoted(store);
    } else {
      const size_t begin = at_;
      while (at_ < text_.size() && !ends_field(text_[at_])) ++at_;
      field = trimmed(text_.substr(begin, at_ - begin));
    }
    if (separator_ == blanks) skip_blanks();
    is_done_ = at_ >= text_.size() || text_[at_] == '\n' || text_[at_] == '\r';
    if (!is_done_ && separator_ != blanks) ++at_, skip_blanks();
    return true;
  }
  /// Behind the row's end.
  size_t end() const {
    size_t end = at_;
    if (end < text_.size() && text_[end] == '\r') ++end;
    if (end < text_.size() && text_[end] == '\n') ++end;
    return end;
  }

 private:
  bool ends_field(char c) const {
    return c == '\n' || c == '\r' || c == separator_ || (separator_ == blanks && c == '\t');
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || (text_[at_] == '\t' && separator_ != '\t'))) ++at_;
  }
  std::string_view quoted(std::deque<std::string>* store) {
    const size_t begin = ++at_;
    bool has_doubled = false;
    for (;; at_ += 2, has_doubled = true) {
      at_ = text_.find('"', at_);
      if (at_ == std::string_view::npos) throw Error("a quote is not closed");
      if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
    }
    std::string_view inner = text_.substr(begin, at_ - begin);
    ++at_;
    if (separator_ != blanks) skip_blanks();
    if (at_ < text_.size() && !ends_field(text_[at_])) throw Error("text follows a closing quote");
    if (has_doubled && store != nullptr) {
      std::string& single = store->emplace_back();
      for (size_t i = 0; i < inner.size(); i += inner[i] == '"' ? 2 : 1) single += inner[i];
      inner = single;
    }
    return trimmed(inner);
  }

  std::string_view text_;
  size_t at_;
  char separator_;
  bool is_done_ = false;
};

std::vector<std::string> fields_of(std::string_view line, char separator) {
  std::vector<std::string> all;
  std::deque<std::string> store;
  Fields fields(line, 0, separator);
  for (std::string_view field; fields.next(field, &store);) all.emplace_back(field);
  return all;
}

/// By what a header's names are separated.
char separator_of(std::string_view header) {
  for (const char separator : {',', '\t', ';', '|'}) {
    if (header.find(separator) != std::string_view::npos) return separator;
  }
  return blanks;
}

bool is_all_numbers(const std::vector<std::string>& fields) {
  return std::ranges::all_of(fields, [](const std::string& field) {
    double value = 0;
    return field.empty() || parse_text(field, value);
  });
}

class Csv final : public TableSource {
 public:
  Csv(const std::string& path, FileText file) : file_(std::move(file)) {
    format = "CSV";
    try {
      read_header();
      find_rows();
    } catch (const Error& error) {
      throw Error(fmt::format("{}: line {}: {}", path, line_, error.what()));
    }
    if (columns.empty()) throw Error(fmt::format("{}: holds no table", path));
    rows = static_cast<int64_t>(begins_.size());
    for (const std::string& name : columns) units.push_back(unit_of_[name]);
  }

  Column read(size_t column, const std::string&) const override {
    std::deque<std::string> store;
    std::vector<std::string_view> texts;
    texts.reserve(begins_.size());
    for (const size_t begin : begins_) {
      Fields fields(file_.text, begin, separator_);
      std::string_view field;
      for (size_t i = 0; i <= column; ++i) fields.next(field, i == column ? &store : nullptr);
      texts.push_back(field);
    }
    return typed_column(columns[column], texts);
  }

 private:
  /// The line at `at_`, whose end becomes `end`.
  std::string_view line(size_t& end) const {
    const size_t found = file_.text.find_first_of("\r\n", at_);
    end = std::min(found, file_.text.size());
    const std::string_view whole = file_.text.substr(at_, end - at_);
    if (file_.text.substr(end).starts_with("\r\n")) ++end;
    if (end < file_.text.size()) ++end;
    return whole;
  }
  static bool is_comment(std::string_view line) { return trimmed(line).starts_with('#'); }

  /// The first line that is no comment, or, where that holds numbers alone, the comment before it.
  void read_header() {
    std::string_view comment;
    size_t end = 0;
    for (; at_ < file_.text.size(); at_ = end, ++line_) {
      const std::string_view text = line(end);
      if (is_comment(text)) {
        comment = text;
        note_unit(text);
      }
      if (is_comment(text) || trimmed(text).empty()) continue;
      separator_ = separator_of(text);
      columns = fields_of(text, separator_);
      if (!is_all_numbers(columns)) {
        at_ = end;
        ++line_;
        return;
      }
      const size_t count = columns.size();
      comment = trimmed(comment);
      if (!comment.empty()) comment.remove_prefix(1);
      columns = fields_of(comment, separator_of(comment));
      if (columns.size() != count || is_all_numbers(columns))
        throw Error("expected the names of the columns, found numbers");
      return;
    }
  }

  /// Of a column that ECSV describes: "# - {name: ra, unit: deg, datatype: float64}".
  void note_unit(std::string_view text) {
    const auto value_of = [&](std::string_view key) -> std::string_view {
      const size_t begin = text.find(key);
      if (begin == std::string_view::npos) return "";
      const std::string_view rest = text.substr(begin + key.size());
      return trimmed(rest.substr(0, rest.find_first_of(",}")));
    };
    if (trimmed(text).starts_with("# - {name: ")) unit_of_.emplace(value_of("{name: "), value_of(", unit: "));
  }

  void find_rows() {
    while (at_ < file_.text.size()) {
      size_t end = 0;
      const std::string_view text = line(end);
      if (!is_comment(text) && !trimmed(text).empty()) {
        end = check_row();
        begins_.push_back(at_);
      }
      line_ += std::count(file_.text.begin() + static_cast<ptrdiff_t>(at_),
                          file_.text.begin() + static_cast<ptrdiff_t>(end), '\n');
      at_ = end;
    }
  }

  /// The end of the row that begins here.
  size_t check_row() const {
    Fields fields(file_.text, at_, separator_);
    size_t count = 0;
    for (std::string_view field; fields.next(field, nullptr);) ++count;
    if (count != columns.size())
      throw Error(fmt::format("expected {} fields, as the header has, found {}", columns.size(), count));
    return fields.end();
  }

  FileText file_;
  char separator_ = ',';
  size_t at_ = 0;     ///< while the file is opened
  int64_t line_ = 1;  ///< the line at `at_`
  std::vector<size_t> begins_;
  std::map<std::string, std::string, std::less<>> unit_of_;
};

}  // namespace

std::shared_ptr<const TableSource> open_csv(const std::string& path, FileText file) {
  return std::make_shared<const Csv>(path, std::move(file));
}

}  // namespace astroclip::io
