#pragma once

#include <fitsio.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace astroclip::testing_support {

inline constexpr double arcsec = 1.0 / 3600.0;  ///< in degrees

/// Writes a FITS file HDU by HDU, straight through cfitsio.
class FitsWriter {
 public:
  /// Begins a new file whose primary HDU is empty unless `image` comes first.
  explicit FitsWriter(const std::string& path) {
    std::filesystem::remove(path);
    fits_create_diskfile(&file_, path.c_str(), &status_);
  }
  ~FitsWriter() { close(); }
  FitsWriter(const FitsWriter&) = delete;
  FitsWriter& operator=(const FitsWriter&) = delete;

  FitsWriter& empty_primary() {
    fits_create_img(file_, BYTE_IMG, 0, nullptr, &status_);
    return checked();
  }

  /// The images that follow are compressed without loss, in tiles of whole rows, `rows` of them.
  FitsWriter& compress(long rows = 1) { return compress(GZIP_1, {rows, 100000}, 0); }
  /// The same by another code, in tiles of a shape, slowest axis first, and floats quantised to `level` steps in their
  /// noise; without loss for 0.
  FitsWriter& compress(int code, std::vector<long> tile, float level) {
    std::ranges::reverse(tile);
    fits_set_compression_type(file_, code, &status_);
    fits_set_tile_dim(file_, static_cast<int>(tile.size()), tile.data(), &status_);
    fits_set_quantize_level(file_, level, &status_);
    return checked();
  }

  /// `shape` slowest axis first; BITPIX as in the standard: −32 float, −64 double, 32 integer.
  FitsWriter& image(const std::string& name, std::vector<long> shape, std::vector<double> values, int bitpix = -32) {
    const std::vector<long> axes(shape.rbegin(), shape.rend());
    fits_create_img(file_, bitpix, static_cast<int>(axes.size()), const_cast<long*>(axes.data()), &status_);
    if (!name.empty()) fits_write_key(file_, TSTRING, "EXTNAME", const_cast<char*>(name.c_str()), nullptr, &status_);
    if (bitpix == BYTE_IMG)  // cfitsio packs short integers only if they are such
      write_pixels(TBYTE, std::vector<unsigned char>(values.begin(), values.end()));
    else if (bitpix == SHORT_IMG)
      write_pixels(TSHORT, std::vector<int16_t>(values.begin(), values.end()));
    else
      write_pixels(TDOUBLE, values);
    return checked();
  }

  struct Column {
    std::string name, form;  ///< form as in TFORM: "D", "E", "K", "10A"
    std::vector<double> numbers;
    std::vector<int64_t> integers = {};
    std::vector<std::string> texts = {};
    std::vector<uint64_t> unsigneds = {};  ///< with form "W"
    std::string unit = {};
  };
  /// `form` as of the standard's ASCII tables ("I20", "D25.17") for an ASCII table.
  FitsWriter& table(const std::string& name, int64_t rows, std::vector<Column> columns, int type = BINARY_TBL) {
    std::vector<char*> names, forms, units;
    for (Column& column : columns) {
      names.push_back(column.name.data());
      units.push_back(column.unit.data());
      forms.push_back(column.form.data());
    }
    fits_create_tbl(file_, type, rows, static_cast<int>(columns.size()), names.data(), forms.data(), units.data(),
                    name.c_str(), &status_);
    for (size_t i = 0; i < columns.size(); ++i) write(static_cast<int>(i) + 1, columns[i]);
    return checked();
  }

  FitsWriter& key(const std::string& name, std::string value) {
    fits_write_key(file_, TSTRING, name.c_str(), value.data(), nullptr, &status_);
    return checked();
  }
  FitsWriter& key(const std::string& name, double value) {
    fits_write_key(file_, TDOUBLE, name.c_str(), &value, nullptr, &status_);
    return checked();
  }

  void close() {
    if (file_ != nullptr) fits_close_file(file_, &status_);
    file_ = nullptr;
  }

 private:
  FitsWriter& checked() {
    if (status_ != 0) throw std::runtime_error("cfitsio status " + std::to_string(status_));
    return *this;
  }
  template <class T>
  void write_pixels(int type, std::vector<T> values) {
    fits_write_img(file_, type, 1, static_cast<LONGLONG>(values.size()), values.data(), &status_);
  }
  void write(int number, Column& column) {
    if (!column.texts.empty()) {
      std::vector<char*> texts;
      for (std::string& text : column.texts) texts.push_back(text.data());
      fits_write_col(file_, TSTRING, number, 1, 1, static_cast<LONGLONG>(texts.size()), texts.data(), &status_);
    } else if (!column.unsigneds.empty()) {
      std::vector<ULONGLONG> values(column.unsigneds.begin(), column.unsigneds.end());
      fits_write_col(file_, TULONGLONG, number, 1, 1, static_cast<LONGLONG>(values.size()), values.data(), &status_);
    } else if (!column.integers.empty()) {
      std::vector<LONGLONG> values(column.integers.begin(), column.integers.end());
      fits_write_col(file_, TLONGLONG, number, 1, 1, static_cast<LONGLONG>(values.size()), values.data(), &status_);
    } else if (column.form == "L") {
      std::vector<char> values(column.numbers.begin(), column.numbers.end());
      fits_write_col(file_, TLOGICAL, number, 1, 1, static_cast<LONGLONG>(values.size()), values.data(), &status_);
    } else {
      fits_write_col(file_, TDOUBLE, number, 1, 1, static_cast<LONGLONG>(column.numbers.size()), column.numbers.data(),
                     &status_);
    }
  }

  fitsfile* file_ = nullptr;
  int status_ = 0;
};

}  // namespace astroclip::testing_support
