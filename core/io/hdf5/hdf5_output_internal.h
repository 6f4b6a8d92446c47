#pragma once

#include <hdf5.h>

#include <exception>

#include "io/output/output_file.h"

namespace astroclip::io {

/// A file that HDF5 writes through an OutputFile. Failed writes are hidden from the library, which would otherwise keep
/// the data, retry at program exit, and crash there. The first failure is recorded here, and the rest of the file is
/// not written.
class Hdf5Output {
 public:
  explicit Hdf5Output(OutputFile& file) : file_(file) {}
  Hdf5Output(const Hdf5Output&) = delete;
  Hdf5Output& operator=(const Hdf5Output&) = delete;

  /// Creates the HDF5 file, which this object must outlive; negative on failure. `name` is for the library's messages.
  hid_t create(const char* name);
  /// Rethrows the first failure, if any.
  void check() const;

  /// Runs an action on the file, unless an earlier one failed.
  template <class Action>
  void attempt(Action action) {
    if (failure_) return;
    try {
      action(file_);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

 private:
  OutputFile& file_;
  std::exception_ptr failure_;
};

}  // namespace astroclip::io
