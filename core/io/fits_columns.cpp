#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "base/object_ids.h"
#include "base/text.h"
#include "io/fits_file_internal.h"

namespace astroclip::io {

FitsFile::State::Column FitsFile::State::column(const std::string& name, const std::string& wanted) const {
  Column column;
  column.hdu = go_to(name);
  const auto& names = hdus[column.hdu].columns;
  const auto found = std::ranges::find_if(names, [&](const std::string& one) { return same_letters(one, wanted); });
  if (found == names.end()) {
    throw Error(
        fmt::format("{}: {} has no column '{}'; it has {}", path, label(column.hdu), wanted, fmt::join(names, ", ")));
  }
  column.number = static_cast<int>(found - names.begin()) + 1;
  column.rows = hdus[column.hdu].rows;
  column.label = fmt::format("{}, column '{}'", label(column.hdu), wanted);
  int status = 0;
  LONGLONG repeat = 0, bytes = 0;
  fits_get_eqcoltypell(file, column.number, &column.type, &repeat, &bytes, &status);
  check(status, column.label);
  column.is_variable = column.type < 0;
  column.type = std::abs(column.type);
  column.width = column.is_text() ? 0 : repeat;
  column.text_bytes = std::max(repeat, bytes);
  const int64_t heap_bits = 8 * key("PCOUNT", 0);
  for (int64_t row = 1; column.is_variable && row <= column.rows; ++row) {
    const int64_t count = elements(column, row);
    if (count < 0 || count > heap_bits) {
      throw Error(fmt::format("{}: {}: is damaged: row {} has {} elements in a heap of {} bytes", path, column.label,
                              row, count, heap_bits / 8));
    }
    column.width = std::max(column.width, count);
    column.text_bytes = std::max(column.text_bytes, count);
    column.elements += count;
  }
  return column;
}

FitsFile::State::Column FitsFile::State::column(const std::string& name, const std::string& wanted, bool text) const {
  Column found = column(name, wanted);
  if (found.is_text() != text || (!text && (found.width != 1 || found.is_variable))) {
    throw Error(fmt::format("{}: {}: expected {} per row, found {}", path, found.label, text ? "text" : "one number",
                            found.is_text() ? "text" : fmt::format("{} numbers", found.width)));
  }
  return found;
}

int64_t FitsFile::State::elements(const Column& column, int64_t row) const {
  LONGLONG count = 0, offset = 0;
  int status = 0;
  fits_read_descriptll(file, column.number, row, &count, &offset, &status);
  check(status, column.label);
  return count;
}

template <class T>
void FitsFile::State::read(const Column& column, int64_t row, int64_t count, int type, T undefined, T* values) const {
  int status = 0, any_undefined = 0;
  fits_read_col(file, type, column.number, row, 1, count, &undefined, values, &any_undefined, &status);
  check(status, column.label);
}

void FitsFile::State::read_numbers(const Column& column, int64_t row, int64_t count, double* values) const {
  if (column.type != TLOGICAL) return read(column, row, count, TDOUBLE, undefined_number, values);
  constexpr char undefined = 2;
  std::vector<char> flags(static_cast<size_t>(count));
  read(column, row, count, TLOGICAL, undefined, flags.data());
  std::ranges::transform(flags, values, [](char flag) { return flag == undefined ? undefined_number : flag; });
}

bool FitsFile::State::is_ascii_table() const {
  int type = 0, status = 0;
  fits_get_hdu_type(file, &type, &status);
  return type == ASCII_TBL;
}

std::vector<std::string> FitsFile::State::fields(const Column& column) const {
  char form[FLEN_VALUE] = "";
  long first = 0;
  int status = 0;
  fits_get_acolparms(file, column.number, nullptr, &first, nullptr, form, nullptr, nullptr, nullptr, nullptr, &status);
  int type = 0, decimals = 0;
  long width = 0;
  fits_ascii_tform(form, &type, &width, &decimals, &status);
  std::vector<std::string> texts;
  std::string text(static_cast<size_t>(width), ' ');
  for (int64_t row = 1; row <= column.rows && status == 0; ++row) {
    fits_read_tblbytes(file, row, first, width, reinterpret_cast<unsigned char*>(text.data()), &status);
    texts.emplace_back(trimmed(text));
  }
  check(status, column.label);
  return texts;
}

std::vector<std::string> FitsFile::State::texts(const Column& column) const {
  int status = 0, any_undefined = 0;
  std::vector<std::string> values;
  std::vector<char> buffer(static_cast<size_t>(column.text_bytes) + 1);
  for (int64_t row = 1; row <= column.rows && status == 0; ++row) {
    if (column.is_variable && elements(column, row) == 0) {  // which cfitsio refuses to read
      values.emplace_back();
      continue;
    }
    char* text = buffer.data();
    char blank[] = "";
    fits_read_col_str(file, column.number, row, 1, 1, blank, &text, &any_undefined, &status);
    values.emplace_back(trimmed(buffer.data()));
  }
  check(status, column.label);
  return values;
}

template <class T>
std::vector<std::string> FitsFile::State::integers(const Column& column, int type) const {
  std::vector<T> values(static_cast<size_t>(column.rows));
  std::vector<char> undefined(values.size());
  int status = 0, any_undefined = 0;
  fits_read_colnull(file, type, column.number, 1, 1, column.rows, values.data(), undefined.data(), &any_undefined,
                    &status);
  check(status, column.label);
  std::vector<std::string> texts;
  for (size_t i = 0; i < values.size(); ++i) {
    texts.push_back(undefined[i] != 0 ? "" : fmt::format("{}", static_cast<T>(values[i])));
  }
  return texts;
}

std::vector<double> FitsFile::column(const std::string& hdu, const std::string& name) const {
  const auto column = state_->column(hdu, name, false);
  std::vector<double> values(static_cast<size_t>(column.rows));
  state_->read_numbers(column, 1, column.rows, values.data());
  return values;
}

int64_t FitsFile::column_width(const std::string& hdu, const std::string& name) const {
  return state_->column(hdu, name).width;
}

std::vector<double> FitsFile::vectors(const std::string& hdu, const std::string& name) const {
  const auto column = state_->column(hdu, name);
  if (column.is_text()) throw Error(fmt::format("{}: {}: expected numbers, found text", path(), column.label));
  constexpr int64_t always = int64_t{1} << 24, most_padding = 64;
  if (column.is_variable && column.rows * column.width > std::max(always, most_padding * column.elements)) {
    throw Error(fmt::format("{}: {}: has {} rows of up to {} elements, which are {} in all", path(), column.label,
                            column.rows, column.width, column.elements));
  }
  std::vector<double> values(static_cast<size_t>(column.rows * column.width), undefined_number);
  if (!column.is_variable) {
    state_->read_numbers(column, 1, column.rows * column.width, values.data());
    return values;
  }
  for (int64_t row = 0; row < column.rows; ++row) {
    state_->read_numbers(column, row + 1, state_->elements(column, row + 1), values.data() + row * column.width);
  }
  return values;
}

std::string FitsFile::column_unit(const std::string& hdu, const std::string& name) const {
  const auto column = state_->column(hdu, name);
  char unit[FLEN_VALUE] = "";
  int status = 0;
  fits_read_key(state_->file, TSTRING, fmt::format("TUNIT{}", column.number).c_str(), unit, nullptr, &status);
  if (status != 0) fits_clear_errmsg();
  return std::string(trimmed(unit));
}

std::vector<std::string> FitsFile::text_column(const std::string& name, const std::string& wanted) const {
  return state_->texts(state_->column(name, wanted, true));
}

std::vector<std::string> FitsFile::id_column(const std::string& hdu, const std::string& name) const {
  const auto column = state_->column(hdu, name);
  if (column.is_text()) return state_->texts(column);
  const bool is_floating = column.type == TFLOAT || column.type == TDOUBLE;
  if (state_->is_ascii_table() && !is_floating) return state_->fields(column);
  if (column.width != 1 || column.is_variable) {
    throw Error(fmt::format("{}: {}: expected one number or text per row, found {} numbers", path(), column.label,
                            column.width));
  }
  if (column.type == TULONGLONG) return state_->integers<ULONGLONG>(column, TULONGLONG);
  if (!is_floating) return state_->integers<LONGLONG>(column, TLONGLONG);
  std::vector<double> values(static_cast<size_t>(column.rows));
  state_->read_numbers(column, 1, column.rows, values.data());
  std::vector<std::string> texts;
  for (const double value : values) {
    const bool is_given = !std::isnan(value);
    if (is_given && !is_exact_id(value)) throw inexact_id(fmt::format("{}: {}", path(), column.label), value);
    texts.push_back(is_given ? fmt::format("{}", static_cast<int64_t>(value)) : "");
  }
  return texts;
}

}  // namespace astroclip::io
