#include "io/fits.h"

#include <fitsio.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>

#include "base/error.h"

namespace astroclip::io {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

bool same_name(const std::string& a, const std::string& b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

std::string reason(int status) {
  char text[FLEN_STATUS] = "";
  fits_get_errstatus(status, text);
  fits_clear_errmsg();
  return text;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

}  // namespace

struct FitsFile::State {
  std::string path;
  fitsfile* file = nullptr;
  std::vector<FitsHdu> hdus;

  explicit State(std::string of) : path(std::move(of)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    int status = 0;
    if (file != nullptr) fits_close_file(file, &status);
  }

  void check(int status, const std::string& what) const {
    if (status != 0) throw Error(fmt::format("{}: {}: {}", path, what, reason(status)));
  }

  std::string label(size_t index) const {
    const std::string& name = hdus[index].name;
    return name.empty() ? fmt::format("HDU {}", index + 1) : fmt::format("HDU '{}'", name);
  }

  size_t index_of(const std::string& name) const {
    for (size_t i = 0; i < hdus.size(); ++i) {
      if (same_name(hdus[i].name, name)) return i;
    }
    return hdus.size();
  }

  /// Moves to the HDU of that name.
  size_t go_to(const std::string& name) const {
    const size_t index = index_of(name);
    if (index == hdus.size()) {
      std::vector<std::string> names;
      for (const FitsHdu& hdu : hdus) names.push_back(hdu.name.empty() ? "(unnamed)" : hdu.name);
      throw Error(fmt::format("{}: has no HDU '{}'; it has {}", path, name, fmt::join(names, ", ")));
    }
    int status = 0;
    fits_movabs_hdu(file, static_cast<int>(index) + 1, nullptr, &status);
    check(status, label(index));
    return index;
  }

  int64_t key(const char* name, int64_t fallback) const {
    LONGLONG value = 0;
    int status = 0;
    fits_read_key(file, TLONGLONG, name, &value, nullptr, &status);
    if (status != 0) fits_clear_errmsg();
    return status == 0 ? static_cast<int64_t>(value) : fallback;
  }

  /// Size in bytes of the current HDU's data according to its header, without padding.
  int64_t data_bytes() const {
    const int64_t axes = key("NAXIS", 0);
    if (axes == 0) return 0;
    int64_t elements = 1;
    for (int64_t axis = 1; axis <= axes; ++axis) {
      const int64_t extent = key(fmt::format("NAXIS{}", axis).c_str(), 0);
      constexpr int64_t most = int64_t{1} << 50;
      if (extent < 0 || (extent > 0 && elements > most / extent)) {
        throw Error(fmt::format("{}: is damaged: HDU {} has NAXIS{} = {}", path, hdus.size() + 1, axis, extent));
      }
      elements *= extent;
    }
    return std::abs(key("BITPIX", 8)) / 8 * key("GCOUNT", 1) * (key("PCOUNT", 0) + elements);
  }

  /// Offset of the data of the current HDU.
  int64_t data_begin() const {
    LONGLONG header = 0, data = 0, end = 0;
    int status = 0;
    fits_get_hduaddrll(file, &header, &data, &end, &status);
    return static_cast<int64_t>(data);
  }

  void add_current() {
    char name[FLEN_VALUE] = "";
    int status = 0, type = 0;
    fits_read_key(file, TSTRING, "EXTNAME", name, nullptr, &status);
    if (status != 0) fits_clear_errmsg();
    FitsHdu hdu{.name = trimmed(name), .shape = {}, .columns = {}};
    if (hdu.name.empty() && hdus.empty()) hdu.name = "PRIMARY";
    hdus.push_back(hdu);
    status = 0;
    fits_get_hdu_type(file, &type, &status);
    hdus.back().is_table = type != IMAGE_HDU;
    if (hdus.back().is_table)
      describe_table(hdus.back(), status);
    else
      describe_image(hdus.back(), status);
    check(status, label(hdus.size() - 1));
  }

  void describe_table(FitsHdu& hdu, int& status) const {
    LONGLONG rows = 0;
    int columns = 0;
    fits_get_num_rowsll(file, &rows, &status);
    fits_get_num_cols(file, &columns, &status);
    hdu.rows = rows;
    for (int column = 1; column <= columns; ++column) {
      char name[FLEN_VALUE] = "";
      fits_read_key(file, TSTRING, fmt::format("TTYPE{}", column).c_str(), name, nullptr, &status);
      if (status == KEY_NO_EXIST) status = 0;
      hdu.columns.push_back(trimmed(name));
    }
  }

  void describe_image(FitsHdu& hdu, int& status) const {
    int axes = 0;
    fits_get_img_dim(file, &axes, &status);
    if (status != 0 || axes == 0) return;
    if (axes > Shape::max_rank) {
      throw Error(fmt::format("{}: {} has {} axes; at most {} are supported", path, label(hdus.size() - 1), axes,
                              Shape::max_rank));
    }
    std::vector<LONGLONG> extents(static_cast<size_t>(axes));
    fits_get_img_sizell(file, axes, extents.data(), &status);
    std::vector<int64_t> slowest_first(extents.rbegin(), extents.rend());
    hdu.shape = Shape(std::span<const int64_t>(slowest_first));
  }

  /// Index of a column, and its number of values per row.
  int column_number(size_t hdu, const std::string& name, bool text) const {
    const auto& names = hdus[hdu].columns;
    const auto found = std::ranges::find_if(names, [&](const std::string& one) { return same_name(one, name); });
    if (found == names.end()) {
      throw Error(fmt::format("{}: {} has no column '{}'; it has {}", path, label(hdu), name, fmt::join(names, ", ")));
    }
    const int number = static_cast<int>(found - names.begin()) + 1;
    int type = 0, status = 0;
    LONGLONG repeat = 0, width = 0;
    fits_get_coltypell(file, number, &type, &repeat, &width, &status);
    check(status, fmt::format("{}, column '{}'", label(hdu), name));
    if ((type == TSTRING) != text || (!text && repeat != 1)) {
      throw Error(fmt::format("{}: {}, column '{}': expected {} per row, found {}", path, label(hdu), name,
                              text ? "text" : "one number",
                              type == TSTRING ? "text" : fmt::format("{} numbers", repeat)));
    }
    return number;
  }

  template <class T>
  std::vector<T> column(const std::string& name, const std::string& wanted, int type, T undefined) const {
    const size_t hdu = go_to(name);
    const int number = column_number(hdu, wanted, false);
    std::vector<T> values(static_cast<size_t>(hdus[hdu].rows));
    int status = 0, any_undefined = 0;
    fits_read_col(file, type, number, 1, 1, hdus[hdu].rows, &undefined, values.data(), &any_undefined, &status);
    check(status, fmt::format("{}, column '{}'", label(hdu), wanted));
    return values;
  }
};

FitsFile FitsFile::open(const std::string& path) {
  if (!std::ifstream(path)) throw Error(fmt::format("{}: cannot open: {}", path, std::strerror(errno)));
  FitsFile opened;
  opened.state_ = std::make_shared<State>(path);
  State& state = *opened.state_;
  int status = 0;
  fits_open_diskfile(&state.file, path.c_str(), READONLY, &status);
  if (status != 0) {
    fits_clear_errmsg();
    throw Error(fmt::format("{}: is not a FITS file", path));
  }
  const int64_t size = state.file->Fptr->filesize;
  int64_t end = 0;
  for (int hdu = 1; end < size; ++hdu) {
    fits_movabs_hdu(state.file, hdu, nullptr, &status);
    if (status != 0) {
      throw Error(
          fmt::format("{}: is damaged: the {} bytes after HDU {} are not an HDU", path, size - end, state.hdus.size()));
    }
    const int64_t begin = state.data_begin(), bytes = state.data_bytes();
    state.add_current();
    if (begin + bytes > size) {
      throw Error(fmt::format("{}: is truncated: the data of {} end at byte {}, but the file ends at byte {}", path,
                              state.label(state.hdus.size() - 1), begin + bytes, size));
    }
    constexpr int64_t block = 2880;
    end = begin + (bytes + block - 1) / block * block;
  }
  return opened;
}

const std::string& FitsFile::path() const { return state_->path; }
const std::vector<FitsHdu>& FitsFile::hdus() const { return state_->hdus; }

const FitsHdu* FitsFile::find(const std::string& hdu) const {
  const size_t index = state_->index_of(hdu);
  return index == state_->hdus.size() ? nullptr : &state_->hdus[index];
}

const FitsHdu& FitsFile::hdu(const std::string& name) const { return state_->hdus[state_->go_to(name)]; }

bool FitsFile::has_column(const std::string& hdu, const std::string& column) const {
  const FitsHdu* table = find(hdu);
  return table != nullptr &&
         std::ranges::any_of(table->columns, [&](const std::string& one) { return same_name(one, column); });
}

std::vector<double> FitsFile::image(const std::string& name) const {
  const size_t hdu = state_->go_to(name);
  const FitsHdu& found = state_->hdus[hdu];
  if (found.is_table || found.shape.rank() == 0) {
    throw Error(fmt::format("{}: {}: expected an image, found {}", path(), state_->label(hdu),
                            found.is_table ? "a table" : "no data"));
  }
  std::vector<double> values(static_cast<size_t>(found.shape.numel()));
  int status = 0, any_undefined = 0;  // cfitsio always writes the latter
  double undefined = nan;
  fits_read_img(state_->file, TDOUBLE, 1, found.shape.numel(), &undefined, values.data(), &any_undefined, &status);
  state_->check(status, state_->label(hdu));
  return values;
}

std::vector<double> FitsFile::image(const std::string& name, const Shape& expected) const {
  const size_t index = state_->go_to(name);
  const FitsHdu& found = state_->hdus[index];
  if (found.is_table || found.shape != expected) {
    throw Error(fmt::format("{}: {}: expected an image of shape {}, found {}", path(), state_->label(index),
                            expected.str(), found.is_table ? "a table" : found.shape.str()));
  }
  return image(name);
}

std::vector<double> FitsFile::column(const std::string& hdu, const std::string& name) const {
  return state_->column<double>(hdu, name, TDOUBLE, nan);
}

std::vector<int64_t> FitsFile::integer_column(const std::string& hdu, const std::string& name) const {
  const auto values = state_->column<LONGLONG>(hdu, name, TLONGLONG, 0);
  return {values.begin(), values.end()};
}

std::vector<std::string> FitsFile::text_column(const std::string& name, const std::string& wanted) const {
  const size_t hdu = state_->go_to(name);
  const int number = state_->column_number(hdu, wanted, true);
  int width = 0, status = 0, any_undefined = 0;
  fits_get_col_display_width(state_->file, number, &width, &status);
  std::vector<std::string> values;
  std::vector<char> buffer(static_cast<size_t>(width) + 1);
  for (int64_t row = 1; row <= state_->hdus[hdu].rows && status == 0; ++row) {
    char* text = buffer.data();
    char blank[] = "";
    fits_read_col_str(state_->file, number, row, 1, 1, blank, &text, &any_undefined, &status);
    values.push_back(trimmed(buffer.data()));
  }
  state_->check(status, fmt::format("{}, column '{}'", state_->label(hdu), wanted));
  return values;
}

std::string FitsFile::header(const std::string& name) const {
  const size_t hdu = state_->go_to(name);
  char* cards = nullptr;
  int count = 0, status = 0;
  fits_convert_hdr2str(state_->file, 1, nullptr, 0, &cards, &count, &status);
  const std::string text = cards == nullptr ? "" : cards;
  int ignored = 0;
  fits_free_memory(cards, &ignored);
  state_->check(status, state_->label(hdu));
  return text;
}

}  // namespace astroclip::io
