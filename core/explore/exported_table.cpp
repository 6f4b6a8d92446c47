#include "explore/exported_table.h"

#include <fitsio.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/markup.h"
#include "base/text.h"
#include "report/plain_tables.h"

namespace astroclip::explore {

namespace {

constexpr int64_t missing_integer = std::numeric_limits<int64_t>::min();

int64_t rows_of_table(const ExportedTable& table) {
  return table.columns.empty() ? 0 : table.columns.front().values.rows();
}

/// A value as text, the shortest that reads back; "" where it is missing.
std::string cell(const ExportedColumn& column, int64_t row) {
  if (!column.is_single || column.values.is_missing(row)) return column.values.text(row);
  return fmt::format("{}",
                     static_cast<float>(std::get<std::vector<double>>(column.values.values)[static_cast<size_t>(row)]));
}

std::string csv_cell(const std::string& text) {
  return text.find_first_of(",\"\r\n") == std::string::npos ? text : report::csv_quoted(text);
}

/// What FITS allows in a text: printable ASCII.
std::string ascii(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

/// A FITS file in memory.
class MemoryFits {
 public:
  /// cfitsio takes what lies in the memory for the file's earlier contents, so that it must be empty.
  explicit MemoryFits(size_t about) : size_(about), memory_(std::calloc(about, 1)) {
    check(memory_ == nullptr ? MEMORY_ALLOCATION : 0);
    fits_create_memfile(&file, &memory_, &size_, about / 4, std::realloc, &status);
    check(status);
  }
  ~MemoryFits() {
    int ignored = 0;
    if (file != nullptr) fits_close_file(file, &ignored);
    fits_clear_errmsg();
    std::free(memory_);
  }
  MemoryFits(const MemoryFits&) = delete;
  MemoryFits& operator=(const MemoryFits&) = delete;

  /// The bytes of the file, which ends with its current HDU.
  std::string bytes() {
    LONGLONG header = 0, data = 0, end = 0;
    fits_flush_file(file, &status);
    fits_get_hduaddrll(file, &header, &data, &end, &status);
    check(status);
    return {static_cast<const char*>(memory_), static_cast<size_t>(end)};
  }
  static void check(int problem) {
    if (problem == 0) return;
    char text[FLEN_STATUS] = "";
    fits_get_errstatus(problem, text);
    fits_clear_errmsg();
    throw Error(fmt::format("the FITS table could not be made: {}", text));
  }

  fitsfile* file = nullptr;
  int status = 0;

 private:
  size_t size_;
  void* memory_;
};

/// Bytes of the longest text, at least one.
size_t longest_text(const std::vector<std::string>& texts) {
  size_t longest = 1;
  for (const std::string& text : texts) longest = std::max(longest, text.size());
  return longest;
}

std::string fits_form(const ExportedColumn& column) {
  const io::ColumnValues& values = column.values.values;
  if (std::holds_alternative<std::vector<int64_t>>(values)) return "K";
  if (std::holds_alternative<std::vector<uint64_t>>(values)) return "W";
  if (std::holds_alternative<std::vector<bool>>(values)) return "L";
  if (const auto* texts = std::get_if<std::vector<std::string>>(&values))
    return fmt::format("{}A", longest_text(*texts));
  return column.is_single ? "E" : "D";
}

/// What the header says of a column beside name, form and unit.
void describe_column(MemoryFits& fits, int number, const ExportedColumn& column) {
  if (!column.meaning.empty()) {
    const std::string key = fmt::format("TCOMM{}", number), meaning = ascii(column.meaning);
    fits_write_key_longstr(fits.file, key.c_str(), meaning.c_str(), nullptr, &fits.status);
  }
  if (!std::holds_alternative<std::vector<int64_t>>(column.values.values)) return;
  LONGLONG null = missing_integer;
  fits_write_key(fits.file, TLONGLONG, fmt::format("TNULL{}", number).c_str(), &null, "missing", &fits.status);
}

void write_column(MemoryFits& fits, int number, const ExportedColumn& column) {
  const auto rows = column.values.rows();
  const auto write = [&](int type, const auto& values) {
    fits_write_col(fits.file, type, number, 1, 1, rows, const_cast<void*>(static_cast<const void*>(values.data())),
                   &fits.status);
  };
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&column.values.values)) {
    std::vector<int64_t> values = *integers;
    for (int64_t row = 0; row < rows; ++row) {
      if (column.values.is_missing(row)) values[static_cast<size_t>(row)] = missing_integer;
    }
    write(TLONGLONG, values);
  } else if (const auto* unsigned_integers = std::get_if<std::vector<uint64_t>>(&column.values.values)) {
    write(TULONGLONG, *unsigned_integers);
  } else if (const auto* truths = std::get_if<std::vector<bool>>(&column.values.values)) {
    write(TLOGICAL, std::vector<char>(truths->begin(), truths->end()));
    for (int64_t row = 0; row < rows; ++row) {
      if (column.values.is_missing(row)) fits_write_col_null(fits.file, number, row + 1, 1, 1, &fits.status);
    }
  } else if (const auto* texts = std::get_if<std::vector<std::string>>(&column.values.values)) {
    std::vector<std::string> safe;
    for (const std::string& text : *texts) safe.push_back(ascii(text));
    std::vector<const char*> pointers;
    for (const std::string& text : safe) pointers.push_back(text.c_str());
    write(TSTRING, pointers);
  } else {
    write(TDOUBLE, column.values.numbers());  // NaN where missing
  }
}

/// Names that differ in more than case, as readers of FITS need.
std::vector<std::string> fits_names(const ExportedTable& table) {
  std::set<std::string> used;
  std::vector<std::string> names;
  for (const ExportedColumn& column : table.columns) {
    const std::string own = ascii(column.values.name);
    std::string name = own;
    for (int i = 2; !used.insert(lower(name)).second; ++i) name = fmt::format("{}_{}", own, i);
    names.push_back(name);
  }
  return names;
}

std::string votable_type(const ExportedColumn& column) {
  const io::ColumnValues& values = column.values.values;
  if (std::holds_alternative<std::vector<int64_t>>(values)) return R"(datatype="long")";
  if (std::holds_alternative<std::vector<bool>>(values)) return R"(datatype="boolean")";
  if (std::holds_alternative<std::vector<double>>(values))
    return column.is_single ? R"(datatype="float")" : R"(datatype="double")";
  // VOTable has no unsigned integers of 64 bits: those that do not fit are texts, as identifiers of letters are.
  if (const auto* integers = std::get_if<std::vector<uint64_t>>(&values)) {
    const bool fit = std::ranges::all_of(*integers, [](uint64_t one) { return one <= uint64_t{INT64_MAX}; });
    return fit ? R"(datatype="long")" : R"(datatype="char" arraysize="*")";
  }
  const auto is_ascii = [](const std::string& text) { return std::ranges::all_of(text, [](char c) { return c > 0; }); };
  return fmt::format(
      R"(datatype="{}" arraysize="*")",
      std::ranges::all_of(std::get<std::vector<std::string>>(values), is_ascii) ? "char" : "unicodeChar");
}

/// What a column means, in the IVOA's words (Unified Content Descriptors).
std::string ucd_of(const std::string& name) {
  static constexpr std::array<std::pair<const char*, const char*>, 3> known = {
      {{"object_id", "meta.id;meta.main"}, {"ra", "pos.eq.ra;meta.main"}, {"dec", "pos.eq.dec;meta.main"}}};
  for (const auto& [own, ucd] : known) {
    if (same_letters(name, own)) return fmt::format(R"( ucd="{}")", ucd);
  }
  return "";
}

}  // namespace

std::string csv_text(const ExportedTable& table) {
  std::string text;
  const auto add_line = [&](const auto& cell_of) {
    for (size_t i = 0; i < table.columns.size(); ++i) {
      if (i > 0) text += ',';
      text += csv_cell(cell_of(table.columns[i]));
    }
    text += "\r\n";
  };
  add_line([](const ExportedColumn& column) { return column.values.name; });
  for (int64_t row = 0; row < rows_of_table(table); ++row)
    add_line([&](const ExportedColumn& column) { return cell(column, row); });
  return text;
}

std::string fits_bytes(const ExportedTable& table) {
  constexpr size_t of_headers = size_t{1} << 16, of_a_number = 8;
  std::vector<std::string> names = fits_names(table), forms, units;
  size_t of_a_row = 0;
  for (const ExportedColumn& column : table.columns) {
    forms.push_back(fits_form(column));
    units.push_back(ascii(column.unit));
    const auto* texts = std::get_if<std::vector<std::string>>(&column.values.values);
    of_a_row += texts == nullptr ? of_a_number : longest_text(*texts);
  }
  const auto pointers = [](std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    return all;
  };
  MemoryFits fits(of_headers + of_a_row * static_cast<size_t>(rows_of_table(table)));
  fits_create_tbl(fits.file, BINARY_TBL, rows_of_table(table), static_cast<int>(table.columns.size()),
                  pointers(names).data(), pointers(forms).data(), pointers(units).data(), "SELECTION", &fits.status);
  for (size_t i = 0; i < table.columns.size(); ++i) describe_column(fits, static_cast<int>(i) + 1, table.columns[i]);
  for (const auto& [name, value] : table.facts)
    fits_write_comment(fits.file, ascii(fmt::format("{}: {}", name, value)).c_str(), &fits.status);
  fits_set_hdustruc(fits.file, &fits.status);
  for (size_t i = 0; i < table.columns.size() && rows_of_table(table) > 0; ++i)
    write_column(fits, static_cast<int>(i) + 1, table.columns[i]);
  MemoryFits::check(fits.status);
  return fits.bytes();
}

std::string votable_text(const ExportedTable& table) {
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<VOTABLE version=\"1.4\" xmlns=\"http://www.ivoa.net/xml/VOTable/v1.3\">\n<RESOURCE>\n";
  text += fmt::format("<TABLE name=\"selection\" nrows=\"{}\">\n", rows_of_table(table));
  for (const auto& [name, value] : table.facts) {
    text += fmt::format("<PARAM name=\"{}\" datatype=\"char\" arraysize=\"*\" value=\"{}\"/>\n", markup_text(name),
                        markup_text(value));
  }
  for (const ExportedColumn& column : table.columns) {
    text += fmt::format("<FIELD name=\"{}\" {}{}", markup_text(column.values.name), votable_type(column),
                        ucd_of(column.values.name));
    if (!column.unit.empty()) text += fmt::format(" unit=\"{}\"", markup_text(column.unit));
    text += fmt::format("><DESCRIPTION>{}</DESCRIPTION></FIELD>\n", markup_text(column.meaning));
  }
  text += "<DATA><TABLEDATA>\n";
  for (int64_t row = 0; row < rows_of_table(table); ++row) {
    text += "<TR>";
    for (const ExportedColumn& column : table.columns) text += "<TD>" + markup_text(cell(column, row)) + "</TD>";
    text += "</TR>\n";
  }
  return text + "</TABLEDATA></DATA>\n</TABLE>\n</RESOURCE>\n</VOTABLE>\n";
}

}  // namespace astroclip::explore
