#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <span>

#include "base/error.h"
#include "base/text.h"
#include "io/hdf5/chunk_filters.h"
#include "io/hdf5/hdf5_input_internal.h"
#include "io/hdf5/hdf5_library_internal.h"
#include "io/hdf5/variable_texts_internal.h"
#include "io/hdf5/written_rows_internal.h"

namespace astroclip::io {

namespace {

namespace fs = std::filesystem;

/// Whether values that were never written read as a fill value that was chosen, and not as zeros.
bool has_fill_value(hid_t properties) {
  H5D_fill_value_t defined = H5D_FILL_VALUE_ERROR;
  double value = 0.0;
  return H5Pfill_value_defined(properties, &defined) >= 0 && defined == H5D_FILL_VALUE_USER_DEFINED &&
         H5Pget_fill_value(properties, H5T_NATIVE_DOUBLE, &value) >= 0 && value != 0.0;
}

std::string never_written(hsize_t first, hsize_t last) {
  return fmt::format("rows {} to {} were never written; what is missing is not zero", first, last);
}

/// libhdf5 1.10 copies out of a dataset that lies in its header whatever its shape asks for.
std::string damage_of_compact(hid_t set, hsize_t needed, std::span<const hsize_t> extents) {
  bool is_countable = true;
  for (const hsize_t extent : extents) is_countable = is_countable && !__builtin_mul_overflow(needed, extent, &needed);
  const hsize_t held = H5Dget_storage_size(set);
  if (is_countable && held >= needed) return "";
  return fmt::format("is damaged: its header holds {} bytes of its values, fewer than its shape says", held);
}

std::string damaged_chunk(hsize_t row, hsize_t bytes) {
  return fmt::format("is damaged: the chunk of row {} would have {} bytes, more than the file", row, bytes);
}

using NameOfPart = ssize_t (*)(hid_t, size_t, char*, size_t);

std::string name_of_part(NameOfPart ask, hid_t properties, size_t part) {
  std::string name(static_cast<size_t>(std::max<ssize_t>(0, ask(properties, part, nullptr, 0))) + 1, '\0');
  ask(properties, part, name.data(), name.size());
  name.pop_back();
  return name;
}

/// A pattern's "%b" stands for the number of a block, "%%" for a percent sign.
bool is_pattern(const std::string& name) { return name.find("%b") != name.npos; }

std::string of_block(const std::string& pattern, hsize_t block) {
  std::string name;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool is_mark = pattern[i] == '%' && i + 1 < pattern.size();
    if (is_mark && pattern[i + 1] == 'b') {
      name += fmt::format("{}", block);
      ++i;
    } else {
      name += pattern[i];
      if (is_mark && pattern[i + 1] == '%') ++i;
    }
  }
  return name;
}

bool has_dataset(hid_t file, const std::string& name) {
  for (size_t end = name.starts_with('/') ? 0 : std::string::npos; end + 1 <= name.size() || end == name.npos;) {
    end = name.find('/', end + 1);
    if (H5Lexists(file, name.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
    if (end == name.npos) break;
  }
  return true;
}

}  // namespace

WrittenRows::WrittenRows(std::string path, hid_t set, std::string member)
    : path_(std::move(path)), member_(std::move(member)) {
  const Hdf5Id properties(creation_properties(set), H5Pclose);
  const Hdf5Id space(H5Dget_space(set), H5Sclose);
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank <= 0) return;
  extents_.resize(static_cast<size_t>(rank));
  H5Sget_simple_extent_dims(space, extents_.data(), nullptr);
  row_bytes_ = value_bytes_ = bytes_in_file(set);
  for (size_t axis = 1; axis < extents_.size(); ++axis) row_bytes_ *= extents_[axis];
  if (H5Pget_layout(properties) == H5D_COMPACT) {
    damage_ = damage_of_compact(set, value_bytes_, extents_);
    return;
  }
  if (std::ranges::find(extents_, hsize_t{0}) != extents_.end()) return;
  has_fill_value_ = has_fill_value(properties);
  if (H5Pget_layout(properties) == H5D_CHUNKED) {
    kind_ = H5D_CHUNKED;
    chunk_.resize(extents_.size());
    H5Pget_chunk(properties, rank, chunk_.data());
    filters_ = filters_of(properties).value_or(std::vector<ChunkFilter>());
    return;
  }
  if (has_fill_value_) return;
  kind_ = H5Pget_layout(properties);
  if (kind_ == H5D_VIRTUAL) find_parts(properties);
  const int files = kind_ == H5D_CONTIGUOUS ? H5Pget_external_count(properties) : 0;
  for (int i = 0; i < files; ++i) {
    std::array<char, 4096> name = {};
    off_t offset = 0;
    hsize_t bytes = 0;
    H5Pget_external(properties, static_cast<unsigned>(i), name.size() - 1, name.data(), &offset, &bytes);
    external_.push_back({name.data(), static_cast<hsize_t>(offset), bytes});
  }
}

int64_t WrittenRows::end_of_few_parts(int64_t begin, int64_t end) const {
  constexpr std::ptrdiff_t few = 64;
  std::vector<int64_t> firsts;
  for (const Part& part : parts_) {
    const auto first = static_cast<int64_t>(part.first_row), last = static_cast<int64_t>(part.last_row);
    if (first < end && last >= begin) firsts.push_back(first);
  }
  if (std::ssize(firsts) <= few) return end;
  const auto next = firsts.begin() + few;
  std::ranges::nth_element(firsts, next);
  return std::clamp(*next, begin + 1, end);
}

std::string WrittenRows::missing(hid_t set, int64_t begin, int64_t end) {
  if (extents_.empty() || begin >= end) return damage_;
  Box box{std::vector<hsize_t>(extents_.size(), 0), extents_};
  for (hsize_t& last : box.last) --last;
  box.first[0] = static_cast<hsize_t>(begin);
  box.last[0] = static_cast<hsize_t>(end - 1);
  return missing(set, box);
}

std::string WrittenRows::missing(hid_t set, const Box& box) {
  const std::string reason = missing_values(set, box);
  return reason.empty() && kind_ != H5D_VIRTUAL ? damage_of_texts(set, member_, box.first, box.last) : reason;
}

std::string WrittenRows::missing_values(hid_t set, const Box& box) {
  if (kind_ == H5D_COMPACT) return damage_;
  if (kind_ == H5D_CHUNKED) return missing_chunks(set, box);
  if (kind_ == H5D_VIRTUAL) return missing_parts(box);
  if (!external_.empty()) return missing_bytes(box);
  H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
  H5Dget_space_status(set, &status);
  const bool is_missing = kind_ == H5D_CONTIGUOUS && status == H5D_SPACE_STATUS_NOT_ALLOCATED;
  return is_missing ? never_written(0, extents_[0] - 1) : "";
}

/// libhdf5 reads as many bytes of an unpacked chunk as its shape says, whether there are so many or not.
std::string WrittenRows::damage_of_chunk(hid_t set, const std::vector<hsize_t>& at, hsize_t bytes) {
  constexpr hsize_t most_remembered = hsize_t{1} << 30;
  hsize_t number = 0, values = 1;
  for (size_t axis = 0; axis < at.size(); ++axis) {
    number = number * ((extents_[axis] - 1) / chunk_[axis] + 1) + at[axis] / chunk_[axis];
    values *= chunk_[axis];
  }
  if (number < unpacked_.size() && unpacked_[number]) return "";
  std::vector<std::byte> raw(bytes);
  uint32_t skipped = 0;
  if (H5Dread_chunk(set, H5P_DEFAULT, at.data(), &skipped, raw.data()) < 0)
    return fmt::format("cannot be read: {}", reading_reason(set));
  try {
    require_unpacked(filters_, skipped, raw, values * value_bytes_);
  } catch (const Error& error) {
    return fmt::format("the chunk of rows {} to {} is damaged: {}", at[0], std::min(at[0] + chunk_[0], extents_[0]) - 1,
                       error.what());
  }
  if (number >= most_remembered) return "";
  if (number >= unpacked_.size()) unpacked_.resize(number + 1);
  unpacked_[number] = true;
  return "";
}

std::string WrittenRows::missing_chunks(hid_t set, const Box& box) {
  std::vector<hsize_t> begin = box.first;
  for (size_t axis = 0; axis < begin.size(); ++axis) begin[axis] = begin[axis] / chunk_[axis] * chunk_[axis];
  std::vector<hsize_t> at = begin;
  const Hdf5Id file(H5Iget_file_id(set), H5Fclose);
  hsize_t most = 0;
  H5Fget_filesize(file, &most);
  for (size_t axis = at.size(); axis > 0;) {
    hsize_t bytes = 0;
    const bool is_there = H5Dget_chunk_storage_size(set, at.data(), &bytes) >= 0 && bytes > 0;
    if (!is_there && !has_fill_value_) return never_written(at[0], std::min(at[0] + chunk_[0], extents_[0]) - 1);
    if (bytes > most) return damaged_chunk(at[0], bytes);
    const std::string damage = is_there && !filters_.empty() ? damage_of_chunk(set, at, bytes) : "";
    if (!damage.empty()) return damage;
    for (axis = at.size(); axis > 0; --axis) {
      at[axis - 1] += chunk_[axis - 1];
      if (at[axis - 1] <= box.last[axis - 1]) break;
      at[axis - 1] = begin[axis - 1];
    }
  }
  return "";
}

/// Of external raw files, which the library fills up with zeros where they are too short.
std::string WrittenRows::missing_bytes(const Box& box) const {
  const char* prefix = std::getenv("HDF5_EXTFILE_PREFIX");
  std::string folder = prefix == nullptr ? "" : prefix;
  constexpr std::string_view origin = "${ORIGIN}";
  if (folder.starts_with(origin)) folder = fs::path(path_).parent_path().string() + folder.substr(origin.size());
  const hsize_t begin = box.first[0] * row_bytes_, end = (box.last[0] + 1) * row_bytes_;
  hsize_t at = 0;
  for (const auto& [name, offset, bytes] : external_) {
    const hsize_t first = std::max(begin, at), last = bytes == H5F_UNLIMITED ? end : std::min(end, at + bytes);
    if (first < last) {
      std::error_code absent;
      const auto size = fs::file_size(fs::path(folder) / name, absent);
      if (absent) {
        return fmt::format(
            "its values are in the file {}, which cannot be read: {}; a relative name counts from the current folder, "
            "or "
            "from the environment's HDF5_EXTFILE_PREFIX",
            name, lower(absent.message()));
      }
      const hsize_t needed = offset + (last - at);
      if (size < needed)
        return fmt::format("its values are in the file {}, which has {} bytes; {} are needed", name, size, needed);
    }
    if (bytes == H5F_UNLIMITED) break;
    at += bytes;
  }
  return "";
}

std::string WrittenRows::missing_parts(const Box& box) {
  const hsize_t begin = box.first[0], end = box.last[0];
  for (const auto& [first, last] : gaps_) {
    if (first <= end && begin <= last)
      return fmt::format("rows {} to {} are in none of its parts; what is missing is not zero", first, last);
  }
  for (Part& part : parts_) {
    if (part.first_row > end || part.last_row < begin) continue;
    if (!part.fault) part.fault = fault_of(part);
    if (!part.fault->empty()) return *part.fault;
  }
  return "";
}

hsize_t WrittenRows::Slab::values() const {
  hsize_t all = 1;
  for (size_t axis = 0; axis < count.size(); ++axis) all *= count[axis] * block[axis];
  return all;
}

/// The blocks of a selection; those without end reach as far as the dataset does.
std::vector<WrittenRows::Slab> WrittenRows::slabs_of(hid_t space) const {
  const size_t rank = extents_.size();
  const std::vector<hsize_t> ones(rank, 1);
  if (H5Sget_select_type(space) == H5S_SEL_ALL) return {{std::vector<hsize_t>(rank, 0), ones, ones, extents_}};
  std::vector<Slab> slabs;
  if (H5Sis_regular_hyperslab(space) > 0) {
    Slab slab{ones, ones, ones, ones};
    H5Sget_regular_hyperslab(space, slab.start.data(), slab.stride.data(), slab.count.data(), slab.block.data());
    for (size_t axis = 0; axis < rank; ++axis) {
      const hsize_t left = extents_[axis] - std::min(extents_[axis], slab.start[axis]);
      if (slab.block[axis] == H5S_UNLIMITED) slab.block[axis] = left;
      if (slab.count[axis] == H5S_UNLIMITED) slab.count[axis] = (left + slab.stride[axis] - 1) / slab.stride[axis];
      if (slab.block[axis] == 0 || slab.count[axis] == 0) return {};
    }
    return {slab};
  }
  const hssize_t blocks = H5Sget_select_hyper_nblocks(space);
  std::vector<hsize_t> corners(static_cast<size_t>(std::max<hssize_t>(0, blocks)) * 2 * rank);
  if (blocks > 0) H5Sget_select_hyper_blocklist(space, 0, static_cast<hsize_t>(blocks), corners.data());
  for (size_t at = 0; at < corners.size(); at += 2 * rank) {
    Slab slab{{}, ones, ones, {}};
    for (size_t axis = 0; axis < rank; ++axis) {
      slab.start.push_back(corners[at + axis]);
      slab.block.push_back(corners[at + rank + axis] - corners[at + axis] + 1);
    }
    slabs.push_back(slab);
  }
  return slabs;
}

void WrittenRows::find_parts(hid_t properties) {
  const int rank = static_cast<int>(extents_.size());
  const Hdf5Id rest(H5Screate_simple(rank, extents_.data(), nullptr), H5Sclose);  // what no part covers
  const std::vector<hsize_t> zeros(extents_.size(), 0);
  H5Sselect_hyperslab(rest, H5S_SELECT_SET, zeros.data(), nullptr, extents_.data(), nullptr);
  size_t count = 0;
  H5Pget_virtual_count(properties, &count);
  for (size_t i = 0; i < count; ++i) {
    const Hdf5Id space(H5Pget_virtual_vspace(properties, i), H5Sclose);
    const Hdf5Id source(H5Pget_virtual_srcspace(properties, i), H5Sclose);
    const std::string file = name_of_part(H5Pget_virtual_filename, properties, i),
                      dataset = name_of_part(H5Pget_virtual_dsetname, properties, i);
    Box box;
    if (H5Sget_select_type(source) == H5S_SEL_HYPERSLABS) {  // of another, bounds end the program in libhdf5 1.10.8
      const auto source_rank = static_cast<size_t>(H5Sget_simple_extent_ndims(source));
      box = {std::vector<hsize_t>(source_rank), std::vector<hsize_t>(source_rank)};
      if (H5Sget_select_bounds(source, box.first.data(), box.last.data()) < 0) box = {};  // it has no end
    }
    for (Slab slab : slabs_of(space)) {
      H5Sselect_hyperslab(rest, H5S_SELECT_NOTB, slab.start.data(), slab.stride.data(), slab.count.data(),
                          slab.block.data());
      const hsize_t values = slab.values();
      const bool is_many = is_pattern(file) || is_pattern(dataset);
      const size_t axis =
          static_cast<size_t>(std::ranges::max_element(slab.count) - slab.count.begin());  // along which blocks count
      const hsize_t blocks = is_many ? slab.count[axis] : 1;
      for (hsize_t block = 0; block < blocks; ++block) {
        const hsize_t counted = axis == 0 && is_many ? 1 : slab.count[0];
        const hsize_t first = slab.start[0] + (axis == 0 ? block * slab.stride[0] : 0);
        parts_.push_back({first, first + (counted - 1) * slab.stride[0] + slab.block[0] - 1, of_block(file, block),
                          of_block(dataset, block), box, is_many ? 0 : values});
      }
    }
  }
  if (H5Sget_select_npoints(rest) <= 0) return;
  const hssize_t blocks = H5Sget_select_hyper_nblocks(rest);
  std::vector<hsize_t> corners(static_cast<size_t>(blocks) * 2 * extents_.size());
  H5Sget_select_hyper_blocklist(rest, 0, static_cast<hsize_t>(blocks), corners.data());
  for (size_t at = 0; at < corners.size(); at += 2 * extents_.size()) {
    gaps_.emplace_back(corners[at], corners[at + extents_.size()]);
  }
}

/// The file that the library takes for a part's; none if there is none.
std::optional<std::string> WrittenRows::found(const std::string& file) const {
  if (file == ".") return path_;
  std::vector<fs::path> folders;
  if (const char* prefix = std::getenv("HDF5_VDS_PREFIX"); prefix != nullptr) folders.emplace_back(prefix);
  folders.push_back(fs::path(path_).parent_path());
  folders.push_back(fs::weakly_canonical(path_).parent_path());
  folders.emplace_back();
  for (const fs::path& name : {fs::path(file), fs::path(file).filename()}) {
    for (const fs::path& folder : folders) {
      std::error_code absent;
      if (fs::is_regular_file(folder / name, absent)) return (folder / name).string();
    }
    if (!name.is_absolute()) break;
  }
  return {};
}

std::string WrittenRows::fault_of(const Part& part) const {
  const auto path = found(part.file);
  if (!path) return fmt::format("its part in {} is missing: there is no such file", part.file);
  const Hdf5Id file(open_hdf5_input(*path), H5Fclose);
  const std::string place = fmt::format("its part in {} is missing", *path);
  if (file < 0) return fmt::format("{}: it cannot be opened: {}", place, opening_reason());
  if (!has_dataset(file, part.dataset)) return fmt::format("{}: there is no dataset '{}'", place, part.dataset);
  const Hdf5Id set(H5Dopen2(file, part.dataset.c_str(), H5P_DEFAULT), H5Dclose);
  if (set < 0) return fmt::format("{}: '{}' cannot be opened: {}", place, part.dataset, opening_reason());
  WrittenRows source(*path, set);
  Box box = part.box, whole{std::vector<hsize_t>(source.extents_.size(), 0), source.extents_};
  hsize_t values = 1;
  for (hsize_t& last : whole.last) values *= last--;
  bool is_less = part.box.first.empty() && part.values > values;
  if (box.first.empty()) box = whole;
  for (size_t axis = 0; axis < std::min(box.last.size(), whole.last.size()); ++axis) {
    is_less = is_less || box.last[axis] > whole.last[axis];
  }
  if (is_less || box.first.size() != whole.first.size()) {
    return fmt::format("{}: '{}' has the shape [{}], from which its rows cannot be taken", place, part.dataset,
                       fmt::join(source.extents_, ", "));
  }
  const std::string reason = source.missing(set, box);
  return reason.empty() ? "" : fmt::format("{}: '{}': {}", place, part.dataset, reason);
}

}  // namespace astroclip::io
