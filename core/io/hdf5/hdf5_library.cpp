#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "base/error.h"
#include "io/hdf5/chunk_filters.h"
#include "io/hdf5/hdf5_library_internal.h"
#include "io/hdf5/variable_texts_internal.h"

namespace astroclip::io {

namespace {

std::recursive_mutex& library_lock() {
  static std::recursive_mutex lock;
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

/// Compressors that The HDF Group lists as registered, and that files are met with.
struct RegisteredFilter {
  H5Z_filter_t id;
  const char* name;
};
constexpr RegisteredFilter registered_filters[] = {
    {305, "LZO"},   {307, "bzip2"},       {32001, "Blosc"}, {32004, "LZ4"},       {32008, "Bitshuffle"},
    {32013, "ZFP"}, {32015, "Zstandard"}, {32017, "SZ"},    {32018, "FCIDECOMP"}, {32022, "BitGroom"},
    {32024, "SZ3"}, {32026, "Blosc2"},    {32028, "SPERR"}};

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

hid_t type_of(hid_t set, const std::string& member) {
  if (member.empty()) return H5Dget_type(set);
  const Hdf5Id whole(H5Dget_type(set), H5Tclose);
  return H5Tget_member_type(whole, static_cast<unsigned>(H5Tget_member_index(whole, member.c_str())));
}

std::string reading_reason(hid_t set) {
  const std::string reason = library_reason();
  const Hdf5Id properties(creation_properties(set), H5Pclose);
  for (int i = 0; i < H5Pget_nfilters(properties); ++i) {
    unsigned flags = 0;
    size_t parameters = 0;
    char name[64] = {};
    const H5Z_filter_t id =
        H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &parameters, nullptr, sizeof name, name, nullptr);
    if (H5Zfilter_avail(id) > 0) continue;
    name[std::strcspn(name, ";(")] = '\0';
    const auto* known = std::ranges::find(registered_filters, id, &RegisteredFilter::id);
    const std::string shown = known != std::end(registered_filters) ? known->name : name[0] == '\0' ? "unnamed" : name;
    return fmt::format(
        "it is compressed by filter {} ({}), which is not installed; set HDF5_PLUGIN_PATH to the folder of its plugin "
        "(Python's hdf5plugin has one), or rewrite the file where it is installed: h5repack -f GZIP=4 FILE NEW_FILE",
        id, shown);
  }
  return reason;
}

std::string opening_reason() {
  const std::string reason = library_reason();
  const auto says = [&](const char* words) { return reason.find(words) != std::string::npos; };
  if (says("unable to lock file")) {
    return "another program has it open for writing; wait until that has closed it: what is not on disk yet would be "
           "missing";
  }
  if (says("already open for write")) {
    return "a program has it open for writing, or ended without closing it; wait until that has closed it. Only if no "
           "program writes it any more, of which h5clear would destroy the data: h5clear -s FILE clears the mark";
  }
  if (says("bad version number") || says("unknown") || says("superblock version")) {
    return fmt::format(
        "it was written for an HDF5 newer than {}.{}.{} ({}); write it with h5py's libver=\"v110\", or rewrite "
        "it there with h5repack --high=2 FILE NEW_FILE",
        H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE, reason);
  }
  return reason;
}

}  // namespace astroclip::io
