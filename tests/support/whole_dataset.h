#pragma once

#include <numeric>
#include <string>
#include <vector>

#include "io/hdf5/hdf5.h"

namespace astroclip::testing_support {

/// 0 … count − 1
inline std::vector<int64_t> all_rows(int64_t count) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  return rows;
}

/// Every value of an HDF5 dataset, through the project's reader.
template <class T>
std::vector<T> whole_dataset(const std::string& path, const std::string& name) {
  const auto file = io::Hdf5File::open(path);
  const Shape shape = file.shape(name);
  std::vector<T> values(static_cast<size_t>(shape.numel()));
  file.read_rows(name, all_rows(shape[0]), dtype_of<T>, values.data());
  return values;
}

}  // namespace astroclip::testing_support
