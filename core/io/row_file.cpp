#include "io/row_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "io/durable_file.h"
#include "io/hdf5.h"

namespace astroclip::io {

namespace {

/// What stands behind the HDF5 data of a file that is not finished.
struct Trailer {
  char mark[8] = {'A', 'C', 'R', 'O', 'W', 'S', '0', '1'};
  int64_t rows = 0;
};

[[noreturn]] void fail(const std::string& path, const char* action) {
  const int reason = errno;
  throw Error(fmt::format("{}: cannot {}: {}", path, action, std::strerror(reason)));
}

Shape whole(const Shape& row, int64_t rows) {
  std::vector<int64_t> extents = {rows};
  extents.insert(extents.end(), row.begin(), row.end());
  return Shape(extents);
}

}  // namespace

RowFile::RowFile(const std::string& path, const Attributes& attributes, const std::vector<Column>& columns,
                 int64_t rows)
    : path_(path), partial_(path + ".partial"), columns_(columns), rows_(rows) {
  if (std::filesystem::exists(path_)) {
    recognise(path_, attributes);
    done_ = rows_;
    return;
  }
  if (!std::filesystem::exists(partial_)) lay_out(attributes);
  recognise(partial_, attributes);
  open_partial();
}

RowFile::~RowFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

void RowFile::lay_out(const Attributes& attributes) {
  DurableFile durable(partial_);
  auto file = Hdf5File::create(durable.temporary_path());
  for (const auto& [name, text] : attributes) file.write_attribute(name, text);
  for (const Column& column : columns_) file.make_dataset(column.name, column.dtype, whole(column.row, rows_));
  file.close();
  const Trailer trailer;
  std::ofstream end(durable.temporary_path(), std::ios::binary | std::ios::app);
  end.write(reinterpret_cast<const char*>(&trailer), sizeof trailer);
  end.close();
  if (!end) fail(partial_, "write");
  durable.commit();
}

void RowFile::recognise(const std::string& name, const Attributes& attributes) const {
  const auto file = Hdf5File::open(name);
  for (const auto& [key, text] : attributes) {
    const std::string found = file.attribute(key);
    if (found == text) continue;
    throw Error(fmt::format("{}: is there already and is of something else: its '{}' is {}, expected '{}'", name, key,
                            found.empty() ? "not given" : "'" + found + "'", text));
  }
  for (const Column& column : columns_) {
    const Shape shape = whole(column.row, rows_);
    (void)file.expect_shape(column.name, std::vector<int64_t>(shape.begin(), shape.end()));
  }
}

void RowFile::open_partial() {
  descriptor_ = open(partial_.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor_ < 0) fail(partial_, "write");
  // A lock of the open file: HDF5 has flock for itself, and a process's lock would go with any of its descriptors.
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(descriptor_, F_OFD_SETLK, &lock) != 0) {
    throw Error(fmt::format("{}: another process is writing it", partial_));
  }
  {
    const auto file = Hdf5File::open(partial_);
    for (const Column& column : columns_) offsets_.push_back(file.layout(column.name).offset);
  }
  const auto size = static_cast<int64_t>(std::filesystem::file_size(partial_));
  end_ = size - static_cast<int64_t>(sizeof(Trailer));
  Trailer found;
  if (end_ < 0 || pread(descriptor_, &found, sizeof found, end_) != static_cast<ssize_t>(sizeof found)) {
    fail(partial_, "read");
  }
  if (std::memcmp(found.mark, Trailer().mark, sizeof found.mark) == 0) {
    done_ = std::clamp<int64_t>(found.rows, 0, rows_);
  } else {  // a kill between the last commit and the name
    end_ = size;
    done_ = rows_;
  }
}

void RowFile::write_at(int64_t offset, const void* bytes, int64_t count) const {
  const auto* next = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = pwrite(descriptor_, next, static_cast<size_t>(count), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(partial_, "write");
    next += written;
    offset += written;
    count -= written;
  }
}

void RowFile::write(const std::string& column, int64_t begin, int64_t count, const void* values) {
  const auto found = std::ranges::find(columns_, column, &Column::name);
  if (found == columns_.end()) throw Error(fmt::format("{}: has no column '{}'", partial_, column));
  if (begin < done_ || count < 0 || begin + count > rows_) {
    throw Error(fmt::format("{}: rows {} to {} cannot be written: {} of {} are done", partial_, begin, begin + count,
                            done_, rows_));
  }
  const int64_t row = found->row.numel() * static_cast<int64_t>(size_of(found->dtype));
  write_at(offsets_[static_cast<size_t>(found - columns_.begin())] + begin * row, values, count * row);
}

void RowFile::commit(int64_t done) {
  // The count follows the rows to the disk, so that it is never ahead of them.
  if (fdatasync(descriptor_) != 0) fail(partial_, "sync");
  Trailer trailer;
  trailer.rows = done;
  write_at(end_, &trailer, sizeof trailer);
  done_ = done;
}

void RowFile::finish() {
  if (descriptor_ < 0) return;
  if (done_ != rows_) throw Error(fmt::format("{}: has {} of {} rows", partial_, done_, rows_));
  if (ftruncate(descriptor_, end_) != 0 || fsync(descriptor_) != 0) fail(partial_, "sync");
  take_name(partial_, path_);
  close(descriptor_);
  descriptor_ = -1;
}

}  // namespace astroclip::io
