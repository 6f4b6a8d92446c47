#include "io/output/row_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>

#include "base/error.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"

namespace astroclip::io {

namespace {

/// Appended to the HDF5 data of an unfinished file.
struct Trailer {
  char mark[8] = {'A', 'C', 'R', 'O', 'W', 'S', '0', '1'};
  int64_t rows = 0;
};

std::span<const std::byte> bytes_of(const Trailer& trailer) { return std::as_bytes(std::span(&trailer, 1)); }

/// The last bytes of a file.
Trailer read_trailer(const std::string& path, int64_t size) {
  Trailer trailer;
  std::ifstream file(path, std::ios::binary);
  file.seekg(size - static_cast<int64_t>(sizeof trailer));
  if (!file.read(reinterpret_cast<char*>(&trailer), sizeof trailer)) {
    throw Error(fmt::format("{}: cannot read its last {} bytes", path, sizeof trailer));
  }
  return trailer;
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

std::string RowFile::attribute_of(const std::string& path, const std::string& name) {
  for (const std::string& file : {path, path + ".partial"}) {
    if (std::filesystem::exists(file)) return Hdf5File::open(file).attribute(name);
  }
  return "";
}

void RowFile::lay_out(const Attributes& attributes) {
  DurableFile durable(partial_);
  auto file = Hdf5File::create(durable.file());
  for (const auto& [name, text] : attributes) file.write_attribute(name, text);
  for (const Column& column : columns_) {
    if (column.ids) {
      file.make_ids(column.name, *column.ids, rows_, column.row.numel());
    } else {
      file.make_dataset(column.name, column.dtype, whole(column.row, rows_));
    }
  }
  file.close();
  durable.file().write_at(durable.file().size(), bytes_of(Trailer()));
  durable.commit();
}

void RowFile::recognise(const std::string& name, const Attributes& attributes) const {
  const auto file = Hdf5File::open(name);
  for (const auto& [key, text] : attributes) {
    const std::string found = file.attribute(key);
    if (found == text) continue;
    throw Error(fmt::format("{}: already exists for other input: its '{}' is {}, expected '{}'", name, key,
                            found.empty() ? "not given" : "'" + found + "'", text));
  }
  for (const Column& column : columns_) {
    const Shape shape = column.ids ? Shape{rows_} : whole(column.row, rows_);
    (void)file.expect_shape(column.name, std::vector<int64_t>(shape.begin(), shape.end()));
  }
}

void RowFile::open_partial() {
  file_.emplace(partial_, OutputFile::Mode::update);
  if (!file_->try_lock()) throw Error(fmt::format("{}: another process is writing it", partial_));
  {
    const auto file = Hdf5File::open(partial_);
    for (const Column& column : columns_) offsets_.push_back(file.offset(column.name));
  }
  const auto size = static_cast<int64_t>(std::filesystem::file_size(partial_));
  const Trailer found = read_trailer(partial_, size);
  if (std::memcmp(found.mark, Trailer().mark, sizeof found.mark) == 0) {
    end_ = size - static_cast<int64_t>(sizeof(Trailer));
    done_ = std::clamp<int64_t>(found.rows, 0, rows_);
  } else {  // killed between the last commit and the rename
    end_ = size;
    done_ = rows_;
  }
}

void RowFile::write(const std::string& column, int64_t begin, int64_t count, const void* values) {
  const auto found = std::ranges::find(columns_, column, &Column::name);
  if (found == columns_.end()) throw Error(fmt::format("{}: has no column '{}'", partial_, column));
  if (begin < done_ || count < 0 || begin + count > rows_) {
    throw Error(fmt::format("{}: rows {} to {} cannot be written: {} of {} rows are done", partial_, begin,
                            begin + count, done_, rows_));
  }
  const int64_t row = found->row.numel() * static_cast<int64_t>(size_of(found->dtype));
  file_->write_at(offsets_[static_cast<size_t>(found - columns_.begin())] + begin * row,
                  {static_cast<const std::byte*>(values), static_cast<size_t>(count * row)});
}

void RowFile::commit(int64_t done) {
  // Rows are synced before the count, so that the count is never ahead of them.
  file_->sync();
  Trailer trailer;
  trailer.rows = done;
  file_->write_at(end_, bytes_of(trailer));
  done_ = done;
}

void RowFile::finish() {
  if (!file_) return;
  if (done_ != rows_) throw Error(fmt::format("{}: has {} of {} rows", partial_, done_, rows_));
  file_->truncate(end_);
  file_->sync();
  take_name(partial_, path_);
  file_.reset();
}

}  // namespace astroclip::io
