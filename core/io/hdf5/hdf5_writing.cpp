#include <fmt/format.h>

#include <utility>

#include "io/hdf5/hdf5_file_internal.h"

// Writing, and attributes.
namespace astroclip::io {

namespace {

/// HDF5 limits an attribute to 64 KiB: longer text continues in "NAME 2", "NAME 3" …
constexpr size_t piece_bytes = 60000;

std::string piece_name(const std::string& name, size_t piece) {
  return piece == 0 ? name : fmt::format("{} {}", name, piece + 1);
}

}  // namespace

Hdf5File Hdf5File::create(OutputFile& output) {
  Hdf5File created;
  created.handle_ = std::make_shared<Handle>();
  Handle& handle = *created.handle_;
  handle.path = output.path();
  handle.output = std::make_unique<Hdf5Output>(output);
  const Hdf5Lock lock;
  handle.file = handle.output->create(handle.path.c_str());
  if (handle.file < 0) handle.fail(fmt::format("cannot write: {}", library_reason()));
  return created;
}

void Hdf5File::make_dataset(const std::string& name, DType dtype, const Shape& shape, int64_t chunk_rows) {
  const Hdf5Lock lock;
  handle_->make_dataset(name, memory_type(dtype), shape, chunk_rows);
}

int64_t Hdf5File::offset(const std::string& name) const {
  const Hdf5Lock lock;
  const Hdf5Id set(handle_->dataset(name), H5Dclose);
  const haddr_t offset = H5Dget_offset(set);
  const Hdf5Id space(H5Dget_space(set), H5Sclose);
  if (offset == HADDR_UNDEF && H5Sget_simple_extent_npoints(space) == 0) return 0;
  if (offset == HADDR_UNDEF) handle_->fail(name, "does not lie in one piece");
  return static_cast<int64_t>(offset);
}

void Hdf5File::Handle::make_dataset(const std::string& name, hid_t type, const Shape& shape, int64_t chunk_rows) const {
  const auto extents = extents_of(shape);
  const Hdf5Id space(H5Screate_simple(shape.rank(), extents.data(), nullptr), H5Sclose);
  const Hdf5Id links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links, 1);
  const Hdf5Id creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation, false);  // equal contents give equal bytes
  if (chunk_rows > 0) {
    H5Pset_chunk(creation, shape.rank(), extents_of(shape.with(0, chunk_rows)).data());
    H5Pset_shuffle(creation);
    H5Pset_deflate(creation, 4);
  } else {
    H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
  }
  const Hdf5Id set(H5Dcreate2(file, name.c_str(), type, space, links, creation, H5P_DEFAULT), H5Dclose);
  if (set < 0) fail(name, fmt::format("cannot be created: {}", library_reason()));
}

void Hdf5File::write_rows(const std::string& name, int64_t begin, int64_t count, DType dtype, const void* values) {
  const Hdf5Lock lock;
  handle_->write_rows(name, begin, count, memory_type(dtype), values);
}

void Hdf5File::Handle::write_rows(const std::string& name, int64_t begin, int64_t count, hid_t type,
                                  const void* values) {
  const Hdf5Id set(dataset(name), H5Dclose);
  const Hdf5Id space(H5Dget_space(set), H5Sclose);
  const Shape whole = shape(name, space);
  if (begin < 0 || count < 0 || begin + count > whole[0])
    fail(name, fmt::format("has {} rows, cannot write {} from row {} on", whole[0], count, begin));
  if (count == 0) return;
  std::vector<hsize_t> start(static_cast<size_t>(whole.rank()), 0);
  start[0] = static_cast<hsize_t>(begin);
  const auto block = extents_of(whole.with(0, count));
  const Hdf5Id memory(H5Screate_simple(whole.rank(), block.data(), nullptr), H5Sclose);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, block.data(), nullptr);
  if (H5Dwrite(set, type, memory, space, H5P_DEFAULT, values) < 0)
    fail(name, fmt::format("cannot be written: {}", library_reason()));
  output->check();
}

void Hdf5File::Handle::write_piece(const std::string& name, std::string_view text) const {
  const Hdf5Id type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, text.size() + 1);
  const Hdf5Id space(H5Screate(H5S_SCALAR), H5Sclose);
  const Hdf5Id attribute(H5Acreate2(file, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (attribute < 0 || H5Awrite(attribute, type, std::string(text).c_str()) < 0)
    fail(fmt::format("cannot write the attribute '{}': {}", name, library_reason()));
}

std::string Hdf5File::Handle::read_piece(const std::string& name) const {
  if (H5Aexists(file, name.c_str()) <= 0) return "";
  const Hdf5Id attribute(H5Aopen(file, name.c_str(), H5P_DEFAULT), H5Aclose);
  const Hdf5Id type(H5Aget_type(attribute), H5Tclose);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) > 0) return "";
  std::string text(H5Tget_size(type) + 1, '\0');
  if (H5Aread(attribute, type, text.data()) < 0) return "";
  return text.c_str();
}

void Hdf5File::write_attribute(const std::string& name, const std::string& text) {
  const Hdf5Lock lock;
  size_t piece = 0;
  do {
    handle_->write_piece(piece_name(name, piece), std::string_view(text).substr(piece * piece_bytes, piece_bytes));
  } while (++piece * piece_bytes < text.size());
}

std::string Hdf5File::attribute(const std::string& name) const {
  const Hdf5Lock lock;
  handle_->use();
  std::string text;
  for (size_t piece = 0;; ++piece) {
    const std::string part = handle_->read_piece(piece_name(name, piece));
    text += part;
    if (part.size() < piece_bytes) return text;
  }
}

void Hdf5File::close() {
  const Hdf5Lock lock;
  if (!handle_->output || handle_->file < 0) return;
  const bool closed = H5Fclose(std::exchange(handle_->file, -1)) >= 0;
  if (handle_->output) handle_->output->check();
  if (!closed) handle_->fail(fmt::format("cannot be closed: {}", library_reason()));
}

}  // namespace astroclip::io
