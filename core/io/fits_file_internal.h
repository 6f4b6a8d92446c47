#pragma once

#include <fitsio.h>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "io/fits.h"

/// Shared by the sources of FitsFile.
namespace astroclip::io {

inline constexpr double undefined_number = std::numeric_limits<double>::quiet_NaN();

struct FitsFile::State {
  std::string path;
  fitsfile* file = nullptr;
  std::vector<FitsHdu> hdus;
  std::string warning;
  std::vector<std::vector<bool>> sound_tiles;  ///< of each HDU, those that were checked

  explicit State(std::string of) : path(std::move(of)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    int status = 0;
    if (file != nullptr) fits_close_file(file, &status);
  }

  /// Throws Error with the library's reason unless the status is 0.
  void check(int status, const std::string& what) const;
  static std::string unnamed(size_t index);
  std::string label(size_t index) const;
  size_t index_of(const std::string& name) const;
  /// Moves to the HDU of that name.
  size_t go_to(const std::string& name) const;
  /// Moves to one of `hdus`; returns its label.
  std::string go_to(const FitsHdu& hdu) const;
  void move_to(size_t index) const;
  int64_t key(const char* name, int64_t fallback) const;

  // Opening (fits.cpp).

  /// Size in bytes of the current HDU's data according to its header, without padding.
  int64_t data_bytes() const;
  void read_raw(int64_t begin, std::span<char> bytes, int& status) const;
  /// Throws Error for a header at byte `begin` before cfitsio sees it, which would divide by a tile or block of no
  /// extent, write beyond the 69 characters that it keeps of a column's name, and reserve by what is no extent.
  void check_header(int64_t begin, int64_t size) const;
  /// The same of the first header of a file that is not packed.
  void check_first_header() const;
  /// What a header says so far of an image's Rice code.
  struct RiceBlocks {
    bool is_used = false;
    std::string wrong_size;  ///< a number of pixels that is no count above 0
  };
  /// The same of a block; true where the header ends in it.
  bool check_block(std::string_view block, RiceBlocks& rice) const;
  /// Throws Error for a shape that no data of so many bytes can fill, however well it is compressed.
  void check_pixels(const FitsHdu& hdu, int64_t bytes) const;
  /// Offset of the data of the current HDU.
  int64_t data_begin() const;
  /// Whether all bytes in [begin, end) of the file, decompressed, are zeros, blanks or ends of lines, which some
  /// programs write after the last HDU.
  bool is_padding(int64_t begin, int64_t end) const;
  void add_current();
  void describe_table(FitsHdu& hdu, int& status) const;
  void describe_image(FitsHdu& hdu, int& status) const;

  // Tiles (fits_tiles.cpp).

  /// Throws Error naming the first damaged tile among those that hold `extent` pixels from `first` on of the image
  /// where `file` is, slowest axis first: cfitsio's decoders read and write beyond what damaged ones have.
  void check_tiles(const FitsHdu& hdu, std::span<const int64_t> first, std::span<const int64_t> extent);

  // Columns (fits_columns.cpp).

  struct Column {
    size_t hdu = 0;
    int number = 0, type = 0;     ///< its type with TSCAL and TZERO
    int64_t width = 0, rows = 0;  ///< values per row
    int64_t text_bytes = 0;       ///< of the longest text in a column of texts
    bool is_variable = false;     ///< rows differ in width
    int64_t elements = 0;         ///< of such a column, in all rows
    std::string label;

    bool is_text() const { return type == TSTRING; }
  };
  Column column(const std::string& name, const std::string& wanted) const;
  Column column(const std::string& name, const std::string& wanted, bool text) const;
  /// How many a row of varying width has.
  int64_t elements(const Column& column, int64_t row) const;
  /// `count` values of type T from a row on, `undefined` where there are none.
  template <class T>
  void read(const Column& column, int64_t row, int64_t count, int type, T undefined, T* values) const;
  void read_numbers(const Column& column, int64_t row, int64_t count, double* values) const;
  bool is_ascii_table() const;
  /// The fields of an ASCII table's column as they stand there: cfitsio turns integers into floating-point numbers.
  std::vector<std::string> fields(const Column& column) const;
  std::vector<std::string> texts(const Column& column) const;
  /// Integers of type T as text, "" where undefined.
  template <class T>
  std::vector<std::string> integers(const Column& column, int type) const;
};

}  // namespace astroclip::io
