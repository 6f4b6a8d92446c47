#include <algorithm>
#include <cstring>
#include <span>

#include "io/hdf5/hdf5_output_internal.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

// A driver for HDF5's virtual file layer; H5FDpublic.h documents the functions.
namespace astroclip::io {

namespace {

struct OpenFile {
  H5FD_t base;  // first member: the only part that the library sees
  Hdf5Output* output;
  haddr_t allocated, end;
};

OpenFile& of(H5FD_t* file) { return *reinterpret_cast<OpenFile*>(file); }
const OpenFile& of(const H5FD_t* file) { return *reinterpret_cast<const OpenFile*>(file); }

/// The driver information of the access list is the output to write to.
H5FD_t* open(const char*, unsigned, hid_t access, haddr_t) {
  const auto* output = static_cast<Hdf5Output* const*>(H5Pget_driver_info(access));
  auto* file = new OpenFile{};
  file->output = *output;
  return &file->base;
}

herr_t close(H5FD_t* file) {
  delete &of(file);
  return 0;
}

herr_t query(const H5FD_t*, unsigned long* features) {
  *features = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
              H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

haddr_t allocated(const H5FD_t* file, H5FD_mem_t) { return of(file).allocated; }

herr_t allocate(H5FD_t* file, H5FD_mem_t, haddr_t size) {
  of(file).allocated = size;
  return 0;
}

haddr_t end(const H5FD_t* file, H5FD_mem_t) { return of(file).end; }

herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t offset, size_t size, const void* bytes) {
  of(file).output->attempt([&](OutputFile& out) {
    out.write_at(static_cast<int64_t>(offset), {static_cast<const std::byte*>(bytes), size});
  });
  of(file).end = std::max<haddr_t>(of(file).end, offset + size);
  return 0;
}

/// Reads back bytes that the library wrote; zeros elsewhere.
herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t offset, size_t size, void* bytes) {
  std::memset(bytes, 0, size);
  of(file).output->attempt([&](OutputFile& out) {
    out.read_at(static_cast<int64_t>(offset), {static_cast<std::byte*>(bytes), size});
  });
  return 0;
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  if (of(file).end == of(file).allocated) return 0;
  of(file).output->attempt([&](OutputFile& out) { out.truncate(static_cast<int64_t>(of(file).allocated)); });
  of(file).end = of(file).allocated;
  return 0;
}

H5FD_class_t driver_class() {
  H5FD_class_t all = {};
#if H5_VERSION_GE(1, 13, 0)
  all.version = H5FD_CLASS_VERSION;
  all.value = 512;  // the first identifier free for private use
#endif
  all.name = "astroclip output";
  all.maxaddr = HADDR_MAX;
  all.fc_degree = H5F_CLOSE_WEAK;
  all.fapl_size = sizeof(Hdf5Output*);
  all.open = open;
  all.close = close;
  all.query = query;
  all.get_eoa = allocated;
  all.set_eoa = allocate;
  all.get_eof = end;
  all.read = read;
  all.write = write;
  all.truncate = truncate;
  constexpr H5FD_mem_t places[] = H5FD_FLMAP_DICHOTOMY;  // metadata and data are allocated separately
  std::ranges::copy(places, all.fl_map);
  return all;
}

}  // namespace

hid_t Hdf5Output::create(const char* name) {
  static const H5FD_class_t description = driver_class();
  static const hid_t driver = H5FDregister(&description);
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  Hdf5Output* self = this;
  H5Pset_driver(access, driver, &self);
  const hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, access);
  H5Pclose(access);
  return file;
}

void Hdf5Output::check() const {
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace astroclip::io
