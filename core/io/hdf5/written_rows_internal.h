#pragma once

#include <hdf5.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/hdf5/hdf5.h"

namespace astroclip::io {

/// Tells which rows of a dataset nobody wrote, which the library reads as zeros, or cannot be there, which it would
/// reserve, or read or write beyond. Of values written early and of a fill value other than zero it cannot tell. The
/// library's lock is held by the caller.
class WrittenRows {
 public:
  /// Of a dataset that is open in the file at `path`, or of one member of a compound dataset.
  WrittenRows(std::string path, hid_t set, std::string member = "");

  /// Whether the dataset consists of parts of others, which takes long to look through.
  bool is_virtual() const { return kind_ == H5D_VIRTUAL; }
  /// How far from `begin` on the rows of a virtual dataset may be read at a time: the library opens the files of all
  /// parts at once, and ends the program when there are more than it may open.
  int64_t end_of_few_parts(int64_t begin, int64_t end) const;
  /// What of rows [begin, end) of the same dataset is missing, and why: "rows 0 to 3 were never written; …"; "" if
  /// nothing is.
  std::string missing(hid_t set, int64_t begin, int64_t end);

 private:
  /// Elements from `first` to `last` along each axis.
  struct Box {
    std::vector<hsize_t> first, last;
  };
  /// Blocks at regular distances, as the library selects them.
  struct Slab {
    std::vector<hsize_t> start, stride, count, block;
    hsize_t values() const;
  };
  /// Of a virtual dataset.
  struct Part {
    hsize_t first_row = 0, last_row = 0;
    std::string file, dataset;
    Box box;                                ///< in that dataset; without axes where all is taken
    hsize_t values = 0;                     ///< how many are taken of it; 0 where that has no end
    std::optional<std::string> fault = {};  ///< once it was looked for
  };

  std::string missing(hid_t set, const Box& box);
  std::string missing_values(hid_t set, const Box& box);
  std::string missing_chunks(hid_t set, const Box& box);
  std::string damage_of_chunk(hid_t set, const std::vector<hsize_t>& at, hsize_t bytes);
  std::string missing_bytes(const Box& box) const;
  std::string missing_parts(const Box& box);
  void find_parts(hid_t properties);
  std::vector<Slab> slabs_of(hid_t space) const;
  std::string fault_of(const Part& part) const;
  std::optional<std::string> found(const std::string& file) const;

  struct ExternalFile {
    std::string name;
    hsize_t offset, bytes;
  };

  std::string path_, member_;
  H5D_layout_t kind_ = H5D_COMPACT;
  std::vector<hsize_t> extents_, chunk_;
  std::vector<ChunkFilter> filters_;
  bool has_fill_value_ = false;
  std::vector<bool> unpacked_;  ///< chunks by their number that are known to hold all their values
  hsize_t value_bytes_ = 0, row_bytes_ = 0;
  std::string damage_;  ///< of values that lie in the header; "" where there is none
  std::vector<ExternalFile> external_;
  std::vector<Part> parts_;
  std::vector<std::pair<hsize_t, hsize_t>> gaps_;  ///< rows that are in no part, first and last
};

}  // namespace astroclip::io
