#pragma once

#include <hdf5.h>

#include <exception>

#include "io/output/output_file.h"

namespace astroclip::io {

/// A file that HDF5 writes through an OutputFile. The library is never told that a write failed: it would keep what it
/// could not write, try again when the program ends, and crash there. The first failure is kept here instead and the
/// rest of the file is not written.
class Hdf5Output {
 public:
  explicit Hdf5Output(OutputFile& file) : file_(file) {}
  Hdf5Output(const Hdf5Output&) = delete;
  Hdf5Output& operator=(const Hdf5Output&) = delete;

  /// Makes the HDF5 file, which this object must outlive; negative when the library cannot. `name` is for its messages.
  hid_t create(const char* name);
  /// Throws the first failure again, if there was one.
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
