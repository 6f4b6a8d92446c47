#pragma once

#include <numeric>
#include <string>
#include <vector>

#include "io/hdf5/hdf5.h"

namespace astroclip::testing_support {

/// Every value of an HDF5 dataset, through the project's reader.
template <class T>
std::vector<T> whole_dataset(const std::string& path, const std::string& name) {
  const auto file = io::Hdf5File::open(path);
  const Shape shape = file.shape(name);
  std::vector<int64_t> rows(static_cast<size_t>(shape[0]));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  std::vector<T> values(static_cast<size_t>(shape.numel()));
  file.read_rows(name, rows, dtype_of<T>, values.data());
  return values;
}

}  // namespace astroclip::testing_support
