#pragma once

#include <hdf5.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace astroclip::testing_support {

/// How a test wants a dataset to lie in the file it writes.
struct Stored {
  std::vector<hsize_t> chunk = {};  ///< empty: contiguous
  bool shuffle = false;
  bool checksum = false;
  unsigned deflate = 0;
  bool early = false;             ///< with its place in the file from the first
  hid_t type = H5T_NATIVE_FLOAT;  ///< in the file
};

/// An HDF5 file that a test writes with the library itself; the readers under test must not use it meanwhile.
class Hdf5Written {
 public:
  explicit Hdf5Written(const std::string& path)
      : file_(good(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT))) {}
  ~Hdf5Written() { H5Fclose(file_); }
  Hdf5Written(const Hdf5Written&) = delete;
  Hdf5Written& operator=(const Hdf5Written&) = delete;

  void write(const std::string& name, const std::vector<hsize_t>& shape, const std::vector<float>& values,
             const Stored& stored = {}) {
    write(name, shape, values.data(), H5T_NATIVE_FLOAT, stored);
  }
  /// `values` may be null: the dataset is made, nothing is written.
  void write(const std::string& name, const std::vector<hsize_t>& shape, const void* values, hid_t type,
             const Stored& stored) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    if (!stored.chunk.empty()) H5Pset_chunk(properties, static_cast<int>(stored.chunk.size()), stored.chunk.data());
    if (stored.early) {
      H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);
      H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
    }
    if (stored.shuffle) H5Pset_shuffle(properties);
    if (stored.deflate > 0) H5Pset_deflate(properties, stored.deflate);
    if (stored.checksum) H5Pset_fletcher32(properties);
    const hid_t set = make(name, shape, stored.type, properties);
    if (values != nullptr) good(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values));
    H5Dclose(set);
  }
  void group(const std::string& name) {
    H5Gclose(good(H5Gcreate2(file_, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)));
  }
  /// The same of the first rows alone: `values` has `count` of them.
  void write_first(const std::string& name, const std::vector<hsize_t>& shape, hsize_t count,
                   const std::vector<float>& values, const Stored& stored) {
    write(name, shape, nullptr, H5T_NATIVE_FLOAT, stored);
    const hid_t set = H5Dopen2(file_, name.c_str(), H5P_DEFAULT), space = H5Dget_space(set);
    std::vector<hsize_t> part = shape, start(shape.size(), 0);
    part[0] = count;
    const hid_t memory = H5Screate_simple(static_cast<int>(part.size()), part.data(), nullptr);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, part.data(), nullptr);
    good(H5Dwrite(set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, values.data()));
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(set);
  }
  /// A name for an object of another file.
  void link(const std::string& name, const std::string& file, const std::string& target) {
    good(H5Lcreate_external(file.c_str(), target.c_str(), file_, name.c_str(), H5P_DEFAULT, H5P_DEFAULT));
  }
  /// A dataset of one chunk, whose compressed bytes the test made itself.
  void write_compressed(const std::string& name, const std::vector<hsize_t>& shape, H5Z_filter_t filter,
                        const std::vector<uint8_t>& bytes, hid_t type = H5T_NATIVE_FLOAT,
                        const std::vector<unsigned>& parameters = {}) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, static_cast<int>(shape.size()), shape.data());
    good(H5Pset_filter(properties, filter, H5Z_FLAG_OPTIONAL, parameters.size(), parameters.data()));
    const hid_t set = make(name, shape, type, properties);
    const std::vector<hsize_t> origin(shape.size(), 0);
    good(H5Dwrite_chunk(set, H5P_DEFAULT, 0, origin.data(), bytes.size(), bytes.data()));
    H5Dclose(set);
  }

 private:
  static hid_t good(hid_t id) {
    if (id < 0) throw std::runtime_error("the test cannot write its HDF5 file");
    return id;
  }
  hid_t make(const std::string& name, const std::vector<hsize_t>& shape, hid_t type, hid_t properties) {
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t set = good(H5Dcreate2(file_, name.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(properties);
    return set;
  }

  hid_t file_;
};

/// Where the first chunk of a dataset lies in the file.
inline int64_t first_chunk_offset(const std::string& path, const std::string& name) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t set = H5Dopen2(file, name.c_str(), H5P_DEFAULT);
  const hid_t space = H5Dget_space(set);
  haddr_t offset = 0;
  H5Dget_chunk_info(set, space, 0, nullptr, nullptr, &offset, nullptr);
  H5Sclose(space);
  H5Dclose(set);
  H5Fclose(file);
  return static_cast<int64_t>(offset);
}

}  // namespace astroclip::testing_support
