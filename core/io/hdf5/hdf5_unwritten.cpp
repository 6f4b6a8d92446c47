#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "io/hdf5/hdf5_file_internal.h"

// Values that nobody wrote, which the library reads as zeros.
namespace astroclip::io {

namespace {

/// Whether values that were never written read as a fill value that was chosen, and not as zeros.
bool has_fill_value(hid_t properties) {
  H5D_fill_value_t defined = H5D_FILL_VALUE_ERROR;
  double value = 0.0;
  return H5Pfill_value_defined(properties, &defined) >= 0 && defined == H5D_FILL_VALUE_USER_DEFINED &&
         H5Pget_fill_value(properties, H5T_NATIVE_DOUBLE, &value) >= 0 && value != 0.0;
}

}  // namespace

void Hdf5File::Handle::require_written(const std::string& name, hid_t set, const Shape& whole, int64_t begin,
                                       int64_t end) const {
  const Hdf5Id properties(H5Dget_create_plist(set), H5Pclose);
  if (output || whole.numel() == 0 || has_fill_value(properties)) return;
  const auto never_written = [&](int64_t first, int64_t last) {
    fail(name, fmt::format("rows {} to {} were never written; what is missing is not zero", first, last));
  };
  const H5D_layout_t kind = H5Pget_layout(properties);
  if (kind == H5D_CONTIGUOUS && H5Pget_external_count(properties) == 0) {
    H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
    H5Dget_space_status(set, &status);
    if (status == H5D_SPACE_STATUS_NOT_ALLOCATED) never_written(0, whole[0] - 1);
  }
  if (kind != H5D_CHUNKED) return;
  hsize_t chunk[Shape::max_rank] = {}, at[Shape::max_rank] = {};
  const int rank = H5Pget_chunk(properties, Shape::max_rank, chunk);
  const auto together = static_cast<int64_t>(chunk[0]);
  for (int64_t row = begin / together * together; row < end; row += together) {
    std::fill(at, at + rank, hsize_t{0});
    at[0] = static_cast<hsize_t>(row);
    for (int axis = rank; axis != 0;) {
      hsize_t bytes = 0;
      if (H5Dget_chunk_storage_size(set, at, &bytes) < 0 || bytes == 0)
        never_written(row, std::min(row + together, whole[0]) - 1);
      for (axis = rank - 1; axis > 0; --axis) {
        at[axis] += chunk[axis];
        if (at[axis] < static_cast<hsize_t>(whole[axis])) break;
        at[axis] = 0;
      }
    }
  }
}

/// The library reads parts of virtual datasets whose file is missing as fill values.
void Hdf5File::Handle::require_sources(const std::string& name, hid_t properties) const {
  size_t count = 0;
  if (H5Pget_virtual_count(properties, &count) < 0) return;
  for (size_t i = 0; i < count; ++i) {
    std::string source(static_cast<size_t>(H5Pget_virtual_filename(properties, i, nullptr, 0)) + 1, '\0');
    H5Pget_virtual_filename(properties, i, source.data(), source.size());
    source.pop_back();
    if (source == "." || source.find('%') != std::string::npos) continue;  // this file; a pattern of names
    const auto beside = std::filesystem::path(path).parent_path() / source;
    if (std::filesystem::exists(beside) || std::filesystem::exists(source)) continue;
    fail(name, fmt::format("its part in {} is missing: there is no such file", source));
  }
}

}  // namespace astroclip::io
