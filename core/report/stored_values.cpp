#include "report/stored_values.h"

#include <numeric>

namespace astroclip::report {

namespace {

template <class T>
std::vector<T> values_in(const io::Hdf5File& file, const std::string& name, DType dtype) {
  std::vector<T> values(static_cast<size_t>(file.shape(name).numel()));
  if (!values.empty()) file.read_rows(name, all_rows(file, name), dtype, values.data());
  return values;
}

}  // namespace

std::vector<int64_t> all_rows(const io::Hdf5File& file, const std::string& name) {
  std::vector<int64_t> rows(static_cast<size_t>(file.shape(name)[0]));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<float> floats_in(const io::Hdf5File& file, const std::string& name) {
  return values_in<float>(file, name, DType::f32);
}

std::vector<double> doubles_in(const io::Hdf5File& file, const std::string& name) {
  return values_in<double>(file, name, DType::f64);
}

std::vector<int64_t> integers_in(const io::Hdf5File& file, const std::string& name) {
  return values_in<int64_t>(file, name, DType::i64);
}

}  // namespace astroclip::report
