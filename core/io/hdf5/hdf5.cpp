#include "io/hdf5/hdf5.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "io/file_format.h"
#include "io/hdf5/hdf5_file_internal.h"
#include "io/hdf5/hdf5_input_internal.h"

namespace astroclip::io {

namespace {

constexpr const char* beyond_int64 = "they hold numbers beyond int64";

/// Ends a conversion to integers that would change a value, which the library would otherwise clamp or cut.
H5T_conv_ret_t refuse_loss(H5T_conv_except_t what, hid_t, hid_t, void*, void*, void* loss) {
  *static_cast<const char**>(loss) = what == H5T_CONV_EXCEPT_TRUNCATE ? "they hold fractions, expected integers"
                                     : what == H5T_CONV_EXCEPT_NAN    ? "they hold NaN, expected integers"
                                                                      : beyond_int64;
  return H5T_CONV_ABORT;
}

/// Whether unsigned numbers of 64 bits became negative: of another byte order, the library swaps bytes and no more.
bool has_wrapped(hid_t set, const int64_t* values, const std::vector<hsize_t>& block) {
  const Hdf5Id type(H5Dget_type(set), H5Tclose);
  if (H5Tget_class(type) != H5T_INTEGER || H5Tget_sign(type) != H5T_SGN_NONE) return false;
  const hsize_t count = std::accumulate(block.begin(), block.end(), hsize_t{1}, std::multiplies<>());
  return std::any_of(values, values + count, [](int64_t value) { return value < 0; });
}

/// Whether a type is numpy's bool, as h5py writes it.
bool is_numpy_bool(hid_t type) {
  int8_t no = 0, yes = 0;
  return H5Tget_class(type) == H5T_ENUM && H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2 &&
         H5Tenum_valueof(type, "FALSE", &no) >= 0 && H5Tenum_valueof(type, "TRUE", &yes) >= 0 && no == 0 && yes == 1;
}

bool is_numeric(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  return kind == H5T_INTEGER || kind == H5T_FLOAT || is_numpy_bool(type);
}

/// How many files are open for reading at a time: each takes two descriptors and almost a megabyte in the library.
size_t most_open_files() {
  constexpr rlim_t most = 128, of_each = 4;  // descriptors, those of other files counted, too
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return most;
  return static_cast<size_t>(std::clamp<rlim_t>(limit.rlim_cur / of_each, 1, most));
}

}  // namespace

hid_t memory_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return H5T_NATIVE_FLOAT;
    case DType::f64:
      return H5T_NATIVE_DOUBLE;
    case DType::i64:
      return H5T_NATIVE_INT64;
    default:
      throw Error(fmt::format("HDF5 datasets are f32, f64 or i64, not {}", name_of(dtype)));
  }
}

std::vector<hsize_t> extents_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

Hdf5Descriptor::Hdf5Descriptor(const std::string& path) : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (number < 0) throw Error(fmt::format("{}: cannot read: {}", path, std::strerror(errno)));
}

Hdf5Descriptor::~Hdf5Descriptor() { ::close(number); }

Hdf5Stamp Hdf5Descriptor::stamp() const {
  struct stat facts = {};
  ::fstat(number, &facts);
  return {facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtim};
}

Hdf5File::Handle::~Handle() {
  const Hdf5Lock lock;
  open_files().remove(this);
  if (file >= 0) H5Fclose(file);
}

std::list<Hdf5File::Handle*>& Hdf5File::Handle::open_files() {
  static std::list<Handle*> files;
  return files;
}

void Hdf5File::Handle::fail(const std::string& what) const { throw Error(fmt::format("{}: {}", path, what)); }

void Hdf5File::Handle::fail(const std::string& name, const std::string& what) const {
  fail(fmt::format("dataset '{}': {}", name, what));
}

bool Hdf5File::Handle::contains(const std::string& name) {
  use();
  for (size_t end = 0; end != std::string::npos;) {
    end = name.find('/', end + 1);
    if (H5Lexists(file, name.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
  }
  return true;
}

hid_t Hdf5File::Handle::dataset(const std::string& name) {
  if (!contains(name)) fail(fmt::format("has no dataset '{}'", name));
  const hid_t id = H5Dopen2(file, name.c_str(), H5P_DEFAULT);
  if (id < 0) fail(name, fmt::format("cannot be opened as a dataset: {}", opening_reason()));
  return id;
}

Shape Hdf5File::Handle::shape(const std::string& name, hid_t space) const {
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > Shape::max_rank) fail(name, fmt::format("has {} axes; at most 6 are supported", rank));
  hsize_t extents[Shape::max_rank] = {};
  H5Sget_simple_extent_dims(space, extents, nullptr);
  int64_t values = 1;
  for (const hsize_t extent : std::span(extents).first(static_cast<size_t>(rank))) {
    // Also where there are no rows, because values of a row are counted, too.
    if (extent > INT64_MAX ||
        __builtin_mul_overflow(values, std::max<int64_t>(1, static_cast<int64_t>(extent)), &values))
      fail(name, "is damaged: it has more values than can be counted");
  }
  return Shape(std::vector<int64_t>(extents, extents + rank));
}

std::vector<std::string> Hdf5File::Handle::children(const std::string& group, H5O_type_t wanted) {
  use();
  const std::string where = group.empty() ? "/" : group;
  if (!group.empty() && !contains(group)) fail(fmt::format("has no group '{}'", group));
  const Hdf5Id id(H5Gopen2(file, where.c_str(), H5P_DEFAULT), H5Gclose);
  if (id < 0) fail(fmt::format("'{}' is not a group", where));
  std::vector<std::string> links;
  const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* into) -> herr_t {
    static_cast<std::vector<std::string>*>(into)->emplace_back(name);
    return 0;
  };
  // Not H5Lget_name_by_idx, on which libhdf5 1.10 crashes when a group is damaged.
  if (H5Literate(id, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, collect, &links) < 0) {
    fail(fmt::format("cannot list '{}': {}", where, library_reason()));
  }
  std::vector<std::string> names;
  for (const std::string& name : links) {
    H5O_info_t object;
    if (H5Oget_info_by_name2(id, name.c_str(), &object, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 && object.type == wanted)
      names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void Hdf5File::Handle::read_block(const std::string& name, hid_t set, hid_t space, const Shape& whole, int64_t begin,
                                  int64_t count, hid_t type, void* values) const {
  std::vector<hsize_t> start(static_cast<size_t>(whole.rank()), 0);
  start[0] = static_cast<hsize_t>(begin);
  const auto block = extents_of(whole.with(0, count));
  const Hdf5Id memory(H5Screate_simple(whole.rank(), block.data(), nullptr), H5Sclose);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, block.data(), nullptr);
  const Hdf5Id transfer(H5Pcreate(H5P_DATASET_XFER), H5Pclose);
  const char* loss = nullptr;
  if (type == H5T_NATIVE_INT64) H5Pset_type_conv_cb(transfer, refuse_loss, &loss);
  const bool failed = H5Dread(set, type, memory, space, transfer, values) < 0;
  if (type == H5T_NATIVE_INT64 && !failed && has_wrapped(set, static_cast<const int64_t*>(values), block)) {
    loss = beyond_int64;
  }
  if (failed || loss != nullptr)
    fail(name, fmt::format("cannot read rows {} to {}: {}", begin, begin + count - 1,
                           loss != nullptr ? loss : reading_reason(set)));
}

void Hdf5File::Handle::read_written(const std::string& name, std::optional<Hdf5Id>& set, const Shape& whole,
                                    int64_t begin, int64_t end, hid_t type, int64_t row_bytes, void* values) {
  const auto read = [&](hid_t from, int64_t first, int64_t last, void* to) {
    const Hdf5Id space(H5Dget_space(from), H5Sclose);
    read_block(name, from, space, whole, first, last - first, type, to);
  };
  const auto require = [&](WrittenRows& rows, hid_t from, int64_t first, int64_t last) {
    const std::string reason = rows.missing(from, first, last);
    if (!reason.empty()) fail(name, reason);
  };
  if (!set) set.emplace(dataset(name), H5Dclose);
  auto known = written.find(name);
  if (known == written.end()) known = written.emplace(name, WrittenRows(path, *set)).first;
  if (!known->second.is_virtual()) {
    require(known->second, *set, begin, end);
    return read(*set, begin, end, values);
  }
  for (auto* to = static_cast<std::byte*>(values); begin < end;) {
    set.reset();  // it holds the files of the parts that were read open
    set.emplace(dataset(name), H5Dclose);
    const int64_t stop = known->second.end_of_few_parts(begin, end);
    require(known->second, *set, begin, stop);
    read(*set, begin, stop, to);
    to += (stop - begin) * row_bytes;
    begin = stop;
  }
  set.reset();
}

void Hdf5File::Handle::open() {
  const auto opened = std::make_shared<const Hdf5Descriptor>(path);
  const Hdf5Stamp found = opened->stamp();
  if (stamp && !(*stamp == found)) fail("was changed while it was being read");
  if (H5Fis_hdf5(path.c_str()) <= 0) {
    const std::string format = other_format(path);
    fail(format.empty() ? "is not an HDF5 file" : fmt::format("is not an HDF5 file: it is {}", format));
  }
  file = open_hdf5_input(path);
  if (file < 0) {
    if (library_reason().find("truncated file") != std::string::npos)
      fail(fmt::format("is truncated: it has {} bytes, fewer than its HDF5 header says", found.bytes));
    fail(fmt::format("cannot be opened as HDF5: {}", opening_reason()));
  }
  stamp = found;
  descriptor = opened;
}

void Hdf5File::Handle::use() {
  if (output) {
    if (file < 0) fail("is closed");
    return;
  }
  auto& files = open_files();
  if (!files.empty() && files.front() == this) return;
  if (file >= 0) {
    files.splice(files.begin(), files, std::ranges::find(files, this));
    return;
  }
  static const size_t most = most_open_files();
  while (files.size() >= most) {
    Handle& oldest = *files.back();
    files.pop_back();
    oldest.descriptor.store({});
    H5Fclose(std::exchange(oldest.file, -1));
  }
  open();
  files.push_front(this);
}

Hdf5File Hdf5File::open(const std::string& path) {
  std::error_code failure;
  (void)std::filesystem::file_size(path, failure);
  if (failure) throw Error(fmt::format("{}: cannot read: {}", path, failure.message()));
  Hdf5File opened;
  opened.handle_ = std::make_shared<Handle>();
  opened.handle_->path = path;
  const Hdf5Lock lock;
  opened.handle_->use();
  return opened;
}

const std::string& Hdf5File::path() const { return handle_->path; }

bool Hdf5File::contains(const std::string& name) const {
  const Hdf5Lock lock;
  return handle_->contains(name);
}

std::vector<std::string> Hdf5File::groups(const std::string& group) const {
  const Hdf5Lock lock;
  return handle_->children(group, H5O_TYPE_GROUP);
}

std::vector<std::string> Hdf5File::datasets(const std::string& group) const {
  const Hdf5Lock lock;
  return handle_->children(group, H5O_TYPE_DATASET);
}

Shape Hdf5File::shape(const std::string& name) const {
  const Hdf5Lock lock;
  const Hdf5Id set(handle_->dataset(name), H5Dclose);
  const Hdf5Id space(H5Dget_space(set), H5Sclose);
  return handle_->shape(name, space);
}

Shape Hdf5File::expect_shape(const std::string& name, std::span<const int64_t> expected) const {
  const Shape found = shape(name);
  bool fits = found.rank() == static_cast<int>(expected.size());
  for (int axis = 0; fits && axis < found.rank(); ++axis) {
    const int64_t wanted = expected[static_cast<size_t>(axis)];
    fits = wanted < 0 || wanted == found[axis];
  }
  if (fits) return found;
  std::vector<std::string> words;
  for (const int64_t extent : expected) words.push_back(extent < 0 ? "N" : fmt::format("{}", extent));
  handle_->fail(fmt::format("dataset '{}' has the shape {}, expected [{}]", name, found.str(), fmt::join(words, ", ")));
}

bool Hdf5File::has_numbers(const std::string& name) const {
  const Hdf5Lock lock;
  const Hdf5Id set(handle_->dataset(name), H5Dclose);
  const Hdf5Id type(H5Dget_type(set), H5Tclose);
  return is_numeric(type);
}

Hdf5File::Column Hdf5File::column_of(const std::string& name, int64_t rows) const {
  const Hdf5Lock lock;
  const Hdf5Id set(handle_->dataset(name), H5Dclose);
  const Hdf5Id type(H5Dget_type(set), H5Tclose);
  const Hdf5Id space(H5Dget_space(set), H5Sclose);
  hsize_t extent = 0;
  if (H5Sget_simple_extent_ndims(space) != 1 || H5Sget_simple_extent_dims(space, &extent, nullptr) < 0 ||
      static_cast<int64_t>(extent) != rows)
    return Column::none;
  return is_numeric(type) ? Column::numbers : H5Tget_class(type) == H5T_STRING ? Column::texts : Column::none;
}

DType Hdf5File::dtype(const std::string& name) const {
  const Hdf5Lock lock;
  const Hdf5Id set(handle_->dataset(name), H5Dclose);
  const Hdf5Id type(H5Dget_type(set), H5Tclose);
  const H5T_class_t kind = H5Tget_class(type);
  const size_t bytes = H5Tget_size(type);
  if (is_numpy_bool(type)) return DType::i64;
  if (kind == H5T_INTEGER) return bytes == 8 && H5Tget_sign(type) == H5T_SGN_NONE ? DType::f64 : DType::i64;
  if (kind != H5T_FLOAT) handle_->fail(name, "is not numeric");
  return bytes <= 4 ? DType::f32 : DType::f64;
}

void Hdf5File::read_rows(const std::string& name, std::span<const int64_t> rows, DType dtype, void* out) const {
  handle_->read_rows(name, rows, memory_type(dtype), size_of(dtype), out);
}

void Hdf5File::Handle::require_width(const std::string& name, hid_t set) const {
  constexpr size_t widest = 16;
  const Hdf5Id type(H5Dget_type(set), H5Tclose);
  const size_t bytes = H5Tget_size(type);
  if (is_numeric(type) && bytes > widest)
    fail(name, fmt::format("has numbers of {} bytes; at most {} are read", bytes, widest));
}

void Hdf5File::Handle::read_rows(const std::string& name, std::span<const int64_t> rows, hid_t type, size_t value_bytes,
                                 void* out) {
  const Hdf5Lock lock;
  std::optional<Hdf5Id> set;
  set.emplace(dataset(name), H5Dclose);
  const Hdf5Id space(H5Dget_space(*set), H5Sclose);
  const Shape whole = shape(name, space);
  if (whole.rank() == 0) fail(name, "is a scalar; expected rows");
  require_width(name, *set);
  const int64_t row_bytes = whole.with(0, 1).numel() * static_cast<int64_t>(value_bytes);
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (!std::is_sorted(rows.begin(), rows.end()))
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rows[a] < rows[b]; });
  std::vector<std::byte> block;
  for (size_t i = 0; i < order.size();) {
    const int64_t begin = rows[order[i]];
    size_t stop = i;
    int64_t end = begin;
    bool direct = true;  // requested in order and without repeats: no copy is needed
    for (; stop < order.size() && rows[order[stop]] <= end; ++stop) {
      direct = direct && rows[order[stop]] == end && order[stop] == order[i] + (stop - i);
      end = std::max(end, rows[order[stop]] + 1);
    }
    if (begin < 0 || end > whole[0]) {
      const int64_t outside = begin < 0 ? begin : end - 1;
      fail(name, fmt::format("has {} rows; row {} was requested", whole[0], outside));
    }
    auto* const bytes = static_cast<std::byte*>(out);
    std::byte* target = bytes + static_cast<int64_t>(order[i]) * row_bytes;
    if (!direct) {
      block.resize(static_cast<size_t>((end - begin) * row_bytes));
      target = block.data();
    }
    read_written(name, set, whole, begin, end, type, row_bytes, target);
    for (size_t k = i; !direct && k < stop; ++k)
      std::memcpy(bytes + static_cast<int64_t>(order[k]) * row_bytes,
                  block.data() + (rows[order[k]] - begin) * row_bytes, static_cast<size_t>(row_bytes));
    i = stop;
  }
}

}  // namespace astroclip::io
