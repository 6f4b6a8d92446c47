#pragma once

#include <hdf5.h>

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "io/hdf5/hdf5.h"

/// Shared by the files that call HDF5.
namespace astroclip::io {

inline constexpr H5Z_filter_t lzf_filter = 32000;  // as h5py registered it

/// Held during every call into HDF5, by a thread perhaps several times; the first one initialises the library.
class Hdf5Lock {
 public:
  Hdf5Lock();

 private:
  std::lock_guard<std::recursive_mutex> guard_;
};

/// An identifier of the library with its closing function.
class Hdf5Id {
 public:
  Hdf5Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Hdf5Id() {
    if (id_ >= 0) close_(id_);
  }
  Hdf5Id(const Hdf5Id&) = delete;
  Hdf5Id& operator=(const Hdf5Id&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// The filters of a dataset's chunks in the order of writing; none if the program knows one of them not, or some chunks
/// are left without.
std::optional<std::vector<ChunkFilter>> filters_of(hid_t properties);
/// The type of a dataset's values, or of one member of a compound one where `member` is not empty; to be closed.
hid_t type_of(hid_t set, const std::string& member);
/// The innermost reason on the library's error stack.
std::string library_reason();
/// Why the library cannot read a dataset: the filter that it lacks, or its own reason.
std::string reading_reason(hid_t set);
/// What can be done about a file or dataset that the library does not open.
std::string opening_reason();

}  // namespace astroclip::io
