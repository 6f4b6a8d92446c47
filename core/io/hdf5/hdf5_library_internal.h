#pragma once

#include <hdf5.h>

#include <mutex>
#include <string>

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

/// The innermost reason on the library's error stack.
std::string library_reason();
/// Why the library cannot read a dataset: the filter that it lacks, or its own reason.
std::string reading_reason(hid_t set);
/// What can be done about a file or dataset that the library does not open.
std::string opening_reason();

}  // namespace astroclip::io
