#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "io/hdf5/hdf5_file_internal.h"

// Identifiers of objects: integers, unsigned ones and texts, exactly.
namespace astroclip::io {

namespace {

/// A type of texts of so many bytes, filled up with zeros, as h5py reads them.
hid_t text_type(size_t bytes) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, std::max<size_t>(1, bytes));
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

}  // namespace

IdKind Hdf5File::id_kind(const std::string& name) const {
  const Hdf5Lock lock;
  const Hdf5Id set(handle_->dataset(name), H5Dclose);
  const Hdf5Id type(H5Dget_type(set), H5Tclose);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return H5Tget_sign(type) == H5T_SGN_NONE && H5Tget_size(type) == sizeof(uint64_t) ? IdKind::uint64
                                                                                        : IdKind::int64;
    case H5T_FLOAT:
      return IdKind::int64;
    case H5T_STRING:
      return IdKind::text;
    default:
      handle_->fail(name, "does not hold identifiers: expected integers or texts");
  }
}

ObjectIds Hdf5File::read_ids(const std::string& name, std::span<const int64_t> rows) const {
  ObjectIds ids{id_kind(name), std::vector<int64_t>(rows.size())};
  if (const Shape all = shape(name); all.rank() == 0 || all.numel() != all[0])
    handle_->fail(name, fmt::format("has the shape {}; expected one identifier a row", all.str()));
  if (ids.kind == IdKind::text) {
    ids.texts = handle_->read_texts(name, rows);
    std::ranges::transform(ids.texts, ids.keys.begin(), id_key);
  } else if (ids.kind == IdKind::uint64) {
    handle_->read_rows(name, rows, H5T_NATIVE_UINT64, sizeof(uint64_t), ids.keys.data());
  } else if (dtype(name) == DType::i64) {
    read_rows(name, rows, DType::i64, ids.keys.data());
  } else {
    std::vector<double> values(rows.size());
    read_rows(name, rows, DType::f64, values.data());
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!is_exact_id(values[i]))
        throw inexact_id(fmt::format("{}: dataset '{}': row {}", path(), name, rows[i]), values[i]);
      ids.keys[i] = static_cast<int64_t>(values[i]);
    }
  }
  return ids;
}

std::vector<std::string> Hdf5File::read_texts(const std::string& name, std::span<const int64_t> rows) const {
  return handle_->read_texts(name, rows);
}

std::vector<std::string> Hdf5File::Handle::read_texts(const std::string& name, std::span<const int64_t> rows) {
  const Hdf5Lock lock;
  std::optional<Hdf5Id> set;
  set.emplace(dataset(name), H5Dclose);
  const Hdf5Id space(H5Dget_space(*set), H5Sclose);
  const Hdf5Id own(H5Dget_type(*set), H5Tclose);
  const Shape whole = shape(name, space);
  if (H5Tget_class(own) != H5T_STRING || whole.rank() == 0) fail(name, "does not hold texts in rows");
  const auto of_row = static_cast<size_t>(whole.with(0, 1).numel());
  const bool is_variable = H5Tis_variable_str(own) > 0;
  const Hdf5Id type(H5Tcopy(H5T_C_S1), H5Tclose);
  const size_t bytes = is_variable ? sizeof(char*) : H5Tget_size(own) + 1;
  if (bytes > longest_text)
    fail(name, fmt::format("has texts of {} bytes; at most {} are read", bytes - 1, longest_text));
  H5Tset_size(type, is_variable ? H5T_VARIABLE : bytes);
  H5Tset_cset(type, H5Tget_cset(own));
  std::vector<char> block;
  std::vector<std::string> texts;
  for (size_t i = 0; i < rows.size();) {
    size_t stop = i + 1;  // adjacent rows are read together
    while (stop < rows.size() && rows[stop] == rows[stop - 1] + 1) ++stop;
    const auto count = static_cast<int64_t>(stop - i);
    if (rows[i] < 0 || rows[i] + count > whole[0])
      fail(name, fmt::format("has {} rows; row {} was requested", whole[0], rows[stop - 1]));
    const size_t texts_read = (stop - i) * of_row;
    block.assign(texts_read * bytes, '\0');
    read_written(name, set, whole, rows[i], rows[i] + count, type, static_cast<int64_t>(of_row * bytes), block.data());
    for (size_t k = 0; k < texts_read; ++k) {
      const char* text = block.data() + k * bytes;
      if (is_variable) std::memcpy(&text, block.data() + k * bytes, sizeof text);
      texts.emplace_back(text == nullptr ? "" : text);
      const size_t end = texts.back().find_last_not_of(' ');  // as Fortran and FITS fill up
      texts.back().resize(end == std::string::npos ? 0 : end + 1);
    }
    if (is_variable) {
      const hsize_t extent = texts_read;
      const Hdf5Id memory(H5Screate_simple(1, &extent, nullptr), H5Sclose);
      H5Dvlen_reclaim(type, memory, H5P_DEFAULT, block.data());
    }
    i = stop;
  }
  return texts;
}

void Hdf5File::make_ids(const std::string& name, IdKind kind, int64_t count, int64_t bytes) {
  const Hdf5Lock lock;
  const Hdf5Id text(text_type(static_cast<size_t>(bytes)), H5Tclose);
  const hid_t type = kind == IdKind::text ? hid_t{text} : kind == IdKind::uint64 ? H5T_NATIVE_UINT64 : H5T_NATIVE_INT64;
  handle_->make_dataset(name, type, {count}, 0);
}

void Hdf5File::write_ids(const std::string& name, const ObjectIds& ids) {
  size_t bytes = 1;
  for (const std::string& text : ids.texts) bytes = std::max(bytes, text.size());
  const auto count = static_cast<int64_t>(ids.keys.size());
  make_ids(name, ids.kind, count, static_cast<int64_t>(bytes));
  const Hdf5Lock lock;
  if (ids.kind != IdKind::text) {
    const hid_t type = ids.kind == IdKind::uint64 ? H5T_NATIVE_UINT64 : H5T_NATIVE_INT64;
    return handle_->write_rows(name, 0, count, type, ids.keys.data());
  }
  const Hdf5Id type(text_type(bytes), H5Tclose);
  handle_->write_rows(name, 0, count, type, padded_texts(ids.texts, bytes).data());
}

}  // namespace astroclip::io
