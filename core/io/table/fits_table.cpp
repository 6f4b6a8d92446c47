#include <fitsio.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <type_traits>

#include "base/error.h"
#include "base/text.h"
#include "io/fits.h"
#include "io/table/number_text_internal.h"
#include "io/table/table_source_internal.h"

namespace astroclip::io {

namespace {

constexpr int64_t texts_at_once = 1 << 16;
constexpr int64_t numbers_at_once = 1 << 20;

class FitsTable final : public TableSource {
 public:
  FitsTable(const std::string& path, int hdu) {
    int status = 0;
    fits_open_diskfile(&file_, path.c_str(), READONLY, &status);
    owner_.reset(file_);
    int type = 0;
    fits_movabs_hdu(file_, hdu, &type, &status);
    is_text_ = type == ASCII_TBL;
    format = is_text_ ? "FITS ASCII table" : "FITS table";
    LONGLONG count = 0, row_bytes = 0;
    int fields = 0;
    fits_get_num_rowsll(file_, &count, &status);
    fits_get_num_cols(file_, &fields, &status);
    fits_read_key(file_, TLONGLONG, "NAXIS1", &row_bytes, nullptr, &status);
    check(status, path);
    rows = count;
    row_bytes_ = row_bytes;
    if (rows > 0 && row_bytes_ < 1) throw Error(fmt::format("{}: is damaged: its table has rows without bytes", path));
    for (int number = 1; number <= fields; ++number) {
      const FieldType field = type_of(number);
      const std::string name = key_text(fmt::format("TTYPE{}", number));
      if (field.is_readable) {
        fields_.push_back(field);
        columns.push_back(name);
        units.push_back(key_text(fmt::format("TUNIT{}", number)));
      } else if (field.repeat > 1) {
        vector_fields_.push_back(field);
        vectors.push_back({name, field.repeat});
      }
    }
  }
  Column read(size_t column, const std::string& place) const override {
    const FieldType& field = fields_[column];
    Column values{.name = columns[column]};
    if (rows == 0) return values;
    if (is_text_)
      read_ascii(field, place, values);
    else if (field.type == TSTRING)
      read_text(field, place, values);
    else if (field.type == TLOGICAL)
      read_flags(field, place, values);
    else
      read_numbers(field, 0, place, values);
    return values;
  }
  Column read_element(size_t vector, int64_t element, const std::string& place) const override {
    Column values;
    if (rows > 0) read_numbers(vector_fields_[vector], element, place, values);
    return values;
  }

 private:
  struct FieldType {
    int number = 0;
    int type = 0;  ///< TSTRING, TLOGICAL, TULONGLONG, TLONGLONG or TDOUBLE
    int64_t width = 0;
    int64_t repeat = 1;  ///< of a vector of numbers: how many there are in a row
    bool is_readable = false;
    bool is_float = false;  ///< in the file
  };

  static void check(int status, const std::string& place) {
    if (status == 0) return;
    char text[FLEN_STATUS] = "";
    fits_get_errstatus(status, text);
    fits_clear_errmsg();
    throw Error(fmt::format("{}: {}", place, text));
  }

  std::string key_text(const std::string& name) const {
    char value[FLEN_VALUE] = "";
    int status = 0;
    fits_read_key(file_, TSTRING, name.c_str(), value, nullptr, &status);
    if (status != 0) fits_clear_errmsg();
    return std::string(trimmed(value));
  }

  /// A field with one value a row; of a wider type when its values are scaled.
  FieldType type_of(int number) const {
    FieldType field{.number = number};
    int type = 0, status = 0;
    LONGLONG repeat = 0, width = 0;
    fits_get_coltypell(file_, number, &type, &repeat, &width, &status);
    field.width = width;
    field.is_float = type == TFLOAT || type == TDOUBLE;
    int equivalent = type;
    long ignored_repeat = 0, ignored_width = 0;
    fits_get_eqcoltype(file_, number, &equivalent, &ignored_repeat, &ignored_width, &status);
    if (status != 0) {
      fits_clear_errmsg();
      return field;
    }
    switch (equivalent) {
      case TSTRING:
        field.type = TSTRING;
        field.width = is_text_ ? width : repeat;
        field.is_readable = width == repeat || is_text_;  // otherwise several texts
        return field;
      case TFLOAT:
      case TDOUBLE:
        field.type = TDOUBLE;
        break;
      case TLOGICAL:
      case TULONGLONG:
        field.type = equivalent;
        break;
      case TBYTE:
      case TSBYTE:
      case TSHORT:
      case TUSHORT:
      case TINT:
      case TUINT:
      case TLONG:
      case TULONG:
      case TLONGLONG:
        field.type = TLONGLONG;
        break;
      default:  // bits, complex numbers, lists of any length
        return field;
    }
    field.is_readable = repeat == 1;
    if (field.type != TLOGICAL) field.repeat = repeat;
    return field;
  }

  void read_numbers(const FieldType& field, int64_t element, const std::string& place, Column& column) const {
    if (field.type == TULONGLONG)
      read_numbers<uint64_t, ULONGLONG>(field, TULONGLONG, element, place, column);
    else if (field.type == TDOUBLE)
      read_numbers<double, double>(field, TDOUBLE, element, place, column);
    else
      read_numbers<int64_t, LONGLONG>(field, TLONGLONG, element, place, column);
  }

  template <class T, class Library>
  void read_numbers(const FieldType& field, int type, int64_t element, const std::string& place, Column& column) const {
    const auto count = static_cast<size_t>(rows);
    std::vector<T> own(count);
    std::vector<char> undefined(count);
    const int64_t at_once = std::max<int64_t>(1, numbers_at_once / field.repeat);
    std::vector<Library> values;
    std::vector<char> flags;
    for (int64_t begin = 0; begin < rows; begin += at_once) {
      const int64_t some = std::min(at_once, rows - begin), numbers = some * field.repeat;
      values.resize(static_cast<size_t>(numbers));
      flags.assign(static_cast<size_t>(numbers), 0);
      int status = 0, any = 0;
      if (field.is_float)  // as it stands: cfitsio takes infinite numbers for undefined ones
        fits_read_col(file_, type, field.number, begin + 1, 1, numbers, nullptr, values.data(), &any, &status);
      else
        fits_read_colnull(file_, type, field.number, begin + 1, 1, numbers, values.data(), flags.data(), &any, &status);
      check(status, place);
      for (int64_t i = 0; i < some; ++i) {
        const auto from = static_cast<size_t>(i * field.repeat + element), to = static_cast<size_t>(begin + i);
        own[to] = static_cast<T>(values[from]);
        undefined[to] = flags[from];
      }
    }
    column.values = std::move(own);
    set_missing(undefined, column);
    if constexpr (std::is_same_v<T, double>) {
      auto& numbers = std::get<std::vector<double>>(column.values);
      for (size_t i = 0; i < count; ++i) {
        if (undefined[i] != 0) numbers[i] = std::numeric_limits<double>::quiet_NaN();
      }
    }
  }

  void read_flags(const FieldType& field, const std::string& place, Column& column) const {
    const auto count = static_cast<size_t>(rows);
    std::vector<char> values(count), undefined(count);
    int status = 0, any = 0;
    fits_read_colnull(file_, TLOGICAL, field.number, 1, 1, rows, values.data(), undefined.data(), &any, &status);
    check(status, place);
    for (size_t i = 0; i < count; ++i) {
      if (undefined[i] == 0 && values[i] != 0 && values[i] != 1)
        throw Error(fmt::format("{}, row {}: expected T or F, found the byte {}", place, i + 1,
                                static_cast<unsigned char>(values[i])));
    }
    column.values = std::vector<bool>(values.begin(), values.end());
    set_missing(undefined, column);
  }

  static void set_missing(const std::vector<char>& undefined, Column& column) {
    for (size_t i = 0; i < undefined.size(); ++i) {
      if (undefined[i] != 0) column.set_missing(static_cast<int64_t>(i));
    }
  }

  void read_text(const FieldType& field, const std::string& place, Column& column) const {
    std::vector<std::string> texts;
    const size_t room = static_cast<size_t>(field.width) + 1;
    std::vector<char> buffer;
    std::vector<char*> pointers;
    for (int64_t begin = 0; begin < rows; begin += texts_at_once) {
      const int64_t count = std::min(texts_at_once, rows - begin);
      buffer.assign(room * static_cast<size_t>(count), '\0');
      pointers.clear();
      for (int64_t i = 0; i < count; ++i) pointers.push_back(buffer.data() + room * static_cast<size_t>(i));
      char undefined[] = "";
      int status = 0, any = 0;
      fits_read_col_str(file_, field.number, begin + 1, 1, count, undefined, pointers.data(), &any, &status);
      check(status, place);
      for (const char* text : pointers) texts.emplace_back(trimmed(text));
    }
    column.values = std::move(texts);
    column.set_empty_missing();
  }

  /// A field of an ASCII table by its text: cfitsio reads integers as float64. A blank field is missing.
  void read_ascii(const FieldType& field, const std::string& place, Column& column) const {
    const std::string code = key_text(fmt::format("TFORM{}", field.number));
    if (code.starts_with('A')) return read_text({.number = field.number, .width = field.width}, place, column);
    const auto scaled_by = [&](const char* key, std::string_view neutral) {
      const std::string value = key_text(fmt::format("{}{}", key, field.number));
      double number = 0, expected = 0;
      return !value.empty() && !(parse_text(value, number) && parse_text(neutral, expected) && number == expected);
    };
    if (scaled_by("TSCAL", "1") || scaled_by("TZERO", "0"))
      return read_numbers<double, double>(field, TDOUBLE, 0, place, column);
    const std::vector<std::string> texts = ascii_texts(field, place);
    const std::string kind = code.substr(0, 1);
    if (kind == "I" &&
        (parse_all<int64_t>(texts, column) == texts.size() || parse_all<uint64_t>(texts, column) == texts.size()))
      return;
    const size_t point = code.find('.');
    const int64_t decimals = point == std::string::npos ? 0 : std::atoll(code.c_str() + point + 1);
    const size_t good = parse_all<double>(with_points(texts, decimals), column);
    if (good < texts.size() || kind == "I") {
      throw Error(fmt::format("{}, row {}: expected {}, found '{}'", place, std::min(good + 1, texts.size()),
                              kind == "I" ? "an integer of 64 bits" : "a number",
                              texts[std::min(good, texts.size() - 1)]));
    }
  }

  std::vector<std::string> ascii_texts(const FieldType& field, const std::string& place) const {
    int status = 0;
    long begin = 0;
    fits_read_key(file_, TLONG, fmt::format("TBCOL{}", field.number).c_str(), &begin, nullptr, &status);
    check(status, place);
    if (begin < 1 || field.width < 1 || begin - 1 + field.width > row_bytes_)
      throw Error(fmt::format("{}: lies outside the rows of {} bytes", place, row_bytes_));
    const std::string undefined = key_text(fmt::format("TNULL{}", field.number));
    std::vector<char> bytes(static_cast<size_t>(field.width));
    std::vector<std::string> texts;
    for (int64_t row = 1; row <= rows; ++row) {
      fits_read_tblbytes(file_, row, begin, field.width, reinterpret_cast<unsigned char*>(bytes.data()), &status);
      check(status, place);
      const std::string_view text = trimmed({bytes.data(), bytes.size()});
      texts.emplace_back(text == undefined ? "" : text);
    }
    return texts;
  }

  /// Fortran's numbers: exponents by D, and a decimal point that the format implies.
  static std::vector<std::string> with_points(std::vector<std::string> texts, int64_t decimals) {
    for (std::string& text : texts) {
      std::ranges::replace(text, 'D', 'E');
      const bool is_whole = text.find_first_not_of("+-0123456789") == std::string::npos;
      if (decimals > 0 && is_whole && !text.empty()) text += fmt::format("E-{}", decimals);
    }
    return texts;
  }

  /// How many texts from the first on are numbers of the type; blank ones are missing.
  template <class T>
  static size_t parse_all(const std::vector<std::string>& texts, Column& column) {
    column.missing.clear();
    column.values = std::vector<T>(texts.size());
    auto& values = std::get<std::vector<T>>(column.values);
    for (size_t i = 0; i < texts.size(); ++i) {
      if (texts[i].empty()) {
        column.set_missing(static_cast<int64_t>(i));
        if constexpr (std::is_same_v<T, double>) values[i] = std::numeric_limits<double>::quiet_NaN();
      } else if (!parse_text(texts[i], values[i])) {
        return i;
      }
    }
    return texts.size();
  }

  struct Close {
    void operator()(fitsfile* file) const {
      int status = 0;
      fits_close_file(file, &status);
    }
  };

  fitsfile* file_ = nullptr;
  std::unique_ptr<fitsfile, Close> owner_;  ///< closes it, also when the constructor throws
  bool is_text_ = false;
  int64_t row_bytes_ = 0;
  std::vector<FieldType> fields_, vector_fields_;
};

}  // namespace

std::shared_ptr<const TableSource> open_fits_table(const std::string& path, const std::string& table) {
  const FitsFile file = FitsFile::open(path);
  std::vector<std::string> names;
  std::vector<int> numbers;
  for (size_t i = 0; i < file.hdus().size(); ++i) {
    const FitsHdu& hdu = file.hdus()[i];
    if (!hdu.is_table) continue;
    const auto has_name = [&](const FitsHdu& other) { return other.is_table && same_letters(other.name, hdu.name); };
    const bool is_unique = !hdu.name.empty() && std::ranges::count_if(file.hdus(), has_name) == 1;
    names.push_back(is_unique ? hdu.name : fmt::format("HDU {}", i + 1));
    numbers.push_back(static_cast<int>(i) + 1);
  }
  if (names.empty())
    throw Error(fmt::format("{}: holds images and no table; `astroclip import` takes it as one of its FILEs", path));
  return std::make_shared<const FitsTable>(path, numbers[choose_table(path, names, table)]);
}

}  // namespace astroclip::io
