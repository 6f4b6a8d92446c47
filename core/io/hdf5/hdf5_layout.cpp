#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/hdf5/hdf5_file_internal.h"
#include "io/hdf5/variable_texts_internal.h"

// Where values lie in a file, and their bytes as they are stored.
namespace astroclip::io {

namespace {

/// Whether an object is in the file itself rather than behind a link to another file.
bool is_in(hid_t file, hid_t object) {
  H5O_info_t of_file, of_object;
  if (H5Oget_info2(file, &of_file, H5O_INFO_BASIC) < 0 || H5Oget_info2(object, &of_object, H5O_INFO_BASIC) < 0)
    return false;
  return of_file.fileno == of_object.fileno;
}

}  // namespace

std::optional<std::vector<ChunkFilter>> filters_of(hid_t properties) {
  unsigned options = 0;
  H5Pget_chunk_opts(properties, &options);
  if ((options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS) != 0) return std::nullopt;
  std::vector<ChunkFilter> filters;
  bool is_compressed = false;
  for (int i = 0; i < H5Pget_nfilters(properties); ++i) {
    unsigned flags = 0;
    size_t parameters = 0;
    const H5Z_filter_t id =
        H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &parameters, nullptr, 0, nullptr, nullptr);
    if (id == H5Z_FILTER_SHUFFLE)
      filters.push_back(ChunkFilter::shuffle);
    else if (id == H5Z_FILTER_DEFLATE)
      filters.push_back(ChunkFilter::deflate);
    else if (id == lzf_filter)
      filters.push_back(ChunkFilter::lzf);
    else if (id == H5Z_FILTER_FLETCHER32)
      filters.push_back(ChunkFilter::checksum);
    else
      return std::nullopt;
    // The size after compression is unknown to another that would follow.
    if (is_compressed && filters.back() != ChunkFilter::checksum) return std::nullopt;
    is_compressed = is_compressed || filters.back() == ChunkFilter::deflate || filters.back() == ChunkFilter::lzf;
  }
  return filters;
}

Hdf5Layout Hdf5File::layout(const std::string& name) const {
  Hdf5Layout layout;
  layout.dtype = dtype(name);
  layout.shape = shape(name);
  const Hdf5Lock lock;
  const Hdf5Id set(handle_->dataset(name), H5Dclose);
  const Hdf5Id type(H5Dget_type(set), H5Tclose);
  const Hdf5Id properties(creation_properties(set), H5Pclose);
  const H5D_layout_t kind = H5Pget_layout(properties);
  const Hdf5Id creation(H5Fget_create_plist(handle_->file), H5Pclose);
  hsize_t user_block = 0;  // versions differ: offsets count from its end or from the file's start
  H5Pget_userblock(creation, &user_block);
  if (H5Tequal(type, memory_type(layout.dtype)) <= 0 || user_block != 0 || layout.shape.rank() == 0) return layout;
  if (!is_in(handle_->file, set)) return layout;
  if (kind == H5D_CONTIGUOUS) {
    const haddr_t offset = H5Dget_offset(set);
    if (offset == HADDR_UNDEF || H5Pget_external_count(properties) != 0) return layout;
    layout.offset = static_cast<int64_t>(offset);
    layout.kind = Hdf5Layout::Kind::contiguous;
  } else if (kind == H5D_CHUNKED) {
    const auto filters = filters_of(properties);
    // A checksum is left to the library, which compares it.
    if (!filters || filters->empty() || std::ranges::find(*filters, ChunkFilter::checksum) != filters->end())
      return layout;
    hsize_t extents[Shape::max_rank] = {};
    const int rank = H5Pget_chunk(properties, Shape::max_rank, extents);
    layout.chunk = Shape(std::vector<int64_t>(extents, extents + rank));
    layout.filters = *filters;
    layout.kind = Hdf5Layout::Kind::filtered;
  }
  return layout;
}

std::optional<uint32_t> Hdf5File::read_chunk(const std::string& name, std::span<const int64_t> origin,
                                             std::vector<std::byte>& raw) const {
  const Hdf5Lock lock;
  const Hdf5Id set(handle_->dataset(name), H5Dclose);
  const std::vector<hsize_t> at(origin.begin(), origin.end());
  hsize_t size = 0;
  uint32_t skipped = 0;
  haddr_t place = HADDR_UNDEF;
  if (H5Dget_chunk_info_by_coord(set, at.data(), nullptr, &place, &size) < 0)
    handle_->fail(name, fmt::format("cannot find the chunk of row {}: {}", origin[0], library_reason()));
  if (place == HADDR_UNDEF) return std::nullopt;
  if (handle_->stamp && size > static_cast<hsize_t>(handle_->stamp->bytes)) {
    handle_->fail(
        name, fmt::format("is damaged: the chunk of row {} would have {} bytes, more than the file", origin[0], size));
  }
  raw.resize(size);
  if (H5Dread_chunk(set, H5P_DEFAULT, at.data(), &skipped, raw.data()) < 0)
    handle_->fail(name, fmt::format("cannot read the chunk of row {}: {}", origin[0], reading_reason(set)));
  return skipped;
}

void Hdf5File::read_bytes(int64_t offset, std::span<std::byte> out) const {
  std::shared_ptr<const Hdf5Descriptor> open = handle_->descriptor;
  if (!open) {
    const Hdf5Lock lock;
    handle_->use();
    open = handle_->descriptor;
  }
  for (size_t done = 0; done < out.size();) {
    const ssize_t count =
        ::pread(open->number, out.data() + done, out.size() - done, offset + static_cast<int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) handle_->fail(fmt::format("cannot read: {}", std::strerror(errno)));
    if (count == 0)
      handle_->fail(fmt::format("is truncated: it has {} bytes, fewer than its HDF5 header says",
                                offset + static_cast<int64_t>(done)));
    done += static_cast<size_t>(count);
  }
}

}  // namespace astroclip::io
