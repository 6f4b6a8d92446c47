#include "base/error.h"
#include "io/hdf5/chunk_filters.h"
#include "io/hdf5/hdf5_library_internal.h"

namespace astroclip::io {

namespace {

std::mutex& library_lock() {
  static std::mutex lock;
  return lock;
}

/// LZF decoder for datasets that the library reads, because of their type or other filters. Returns 0 for damaged data.
size_t undo_lzf(unsigned flags, size_t count, const unsigned values[], size_t bytes, size_t* room, void** buffer) {
  constexpr size_t place_of_size = 2;                                       // where h5py stores a chunk's size
  if ((flags & H5Z_FLAG_REVERSE) == 0 || count <= place_of_size) return 0;  // on writing, leave the chunk uncompressed
  const size_t size = values[place_of_size];
  void* expanded = H5allocate_memory(size, false);
  if (expanded == nullptr) return 0;
  try {
    expand_lzf({static_cast<const std::byte*>(*buffer), bytes}, {static_cast<std::byte*>(expanded), size});
  } catch (const Error&) {
    H5free_memory(expanded);
    return 0;
  }
  H5free_memory(*buffer);
  *buffer = expanded;
  *room = size;
  return size;
}

void add_lzf() {
  if (H5Zfilter_avail(lzf_filter) > 0) return;
  const H5Z_class2_t lzf = {H5Z_CLASS_T_VERS, lzf_filter, 1, 1, "lzf", nullptr, nullptr, undo_lzf};
  H5Zregister(&lzf);
}

}  // namespace

Hdf5Lock::Hdf5Lock() : guard_(library_lock()) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // per thread if the library is thread-safe
  static const bool has_lzf = (add_lzf(), true);
  (void)has_lzf;
}

std::string library_reason() {
  std::string reason;
  const auto visit = [](unsigned depth, const H5E_error2_t* error, void* out) -> herr_t {
    if (depth == 0 && error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, visit, &reason);
  return reason.empty() ? "the HDF5 library gives no reason" : reason;
}

}  // namespace astroclip::io
