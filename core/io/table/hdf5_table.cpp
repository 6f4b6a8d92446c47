#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "base/error.h"
#include "io/hdf5/hdf5.h"
#include "io/hdf5/hdf5_input_internal.h"
#include "io/hdf5/hdf5_library_internal.h"
#include "io/hdf5/written_rows_internal.h"
#include "io/table/table_source_internal.h"

namespace astroclip::io {

namespace {

/// What a datatype is read as.
enum class StoredAs { i64, u64, f64, truth, enumeration, text, other };

/// Whether an enumeration is numpy's bool, as h5py writes it.
bool is_truth(hid_t type) {
  if (H5Tget_nmembers(type) != 2) return false;
  bool found[2] = {};
  for (unsigned i = 0; i < 2; ++i) {
    char* name = H5Tget_member_name(type, i);
    found[i] = name != nullptr && (std::strcmp(name, "FALSE") == 0 || std::strcmp(name, "TRUE") == 0);
    H5free_memory(name);
  }
  return found[0] && found[1];
}

StoredAs kind_of(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return H5Tget_sign(type) == H5T_SGN_NONE && H5Tget_size(type) >= 8 ? StoredAs::u64 : StoredAs::i64;
    case H5T_FLOAT:
      return StoredAs::f64;
    case H5T_ENUM:
      return is_truth(type) ? StoredAs::truth : StoredAs::enumeration;
    case H5T_STRING:
      return StoredAs::text;
    default:
      return StoredAs::other;
  }
}

/// A dataset, or a member of a compound one.
struct ColumnPlace {
  std::string name, dataset, member;
  int64_t width = 1;  ///< of a vector: how many numbers there are in a row
};

/// How many floating-point numbers an array of one axis has; 0 for other types.
int64_t vector_width(hid_t type) {
  if (H5Tget_class(type) != H5T_ARRAY || H5Tget_array_ndims(type) != 1) return 0;
  hsize_t width = 0;
  H5Tget_array_dims2(type, &width);
  const Hdf5Id base(H5Tget_super(type), H5Tclose);
  return kind_of(base) == StoredAs::f64 ? static_cast<int64_t>(width) : 0;
}

class Hdf5Table final : public TableSource {
 public:
  explicit Hdf5Table(const std::string& path) : path_(path) {
    format = "HDF5 table";
    (void)Hdf5File::open(path);  // for its errors
    const Hdf5Lock lock;
    file_ = open_hdf5_input(path);
    if (file_ < 0) throw Error(fmt::format("{}: cannot be opened as HDF5: {}", path, library_reason()));
  }
  ~Hdf5Table() override {
    const Hdf5Lock lock;
    H5Fclose(file_);
  }

  void choose(const std::string& path, const std::string& table);

  Column read(size_t column, const std::string& place) const override {
    Column values = read_alone(column, place);
    // astropy writes a masked column with its mask beside it.
    const auto mask = std::ranges::find(columns, columns[column] + ".mask");
    if (mask == columns.end()) return values;
    const Column masked = read_alone(static_cast<size_t>(mask - columns.begin()), place);
    const auto* flags = std::get_if<std::vector<bool>>(&masked.values);
    for (size_t i = 0; flags != nullptr && i < flags->size(); ++i) {
      if ((*flags)[i]) values.set_missing(static_cast<int64_t>(i));
    }
    return values;
  }

 private:
  Column read_alone(size_t column, const std::string& place) const {
    Column values{.name = columns[column]};
    if (rows == 0) return values;
    const Hdf5Lock lock;
    const std::string& member = places_[column].member;
    const Hdf5Id set(H5Dopen2(file_, places_[column].dataset.c_str(), H5P_DEFAULT), H5Dclose);
    check_rows(set, member, place);
    const Hdf5Id type(type_of(set, member), H5Tclose);
    const Reader reader{set, member, static_cast<size_t>(rows), place};
    switch (kind_of(type)) {
      case StoredAs::i64:
        values.values = reader.numbers<int64_t>(H5T_NATIVE_INT64);
        break;
      case StoredAs::u64:
        values.values = reader.numbers<uint64_t>(H5T_NATIVE_UINT64);
        break;
      case StoredAs::f64:
        values.values = reader.numbers<double>(H5T_NATIVE_DOUBLE);
        break;
      case StoredAs::truth:
      case StoredAs::enumeration: {
        const std::vector<int64_t> numbers = reader.enumeration(type);
        if (kind_of(type) == StoredAs::enumeration)
          values.values = numbers;
        else
          values.values = std::vector<bool>(numbers.begin(), numbers.end());
        break;
      }
      case StoredAs::text:
        values.values = reader.texts(type);
        values.set_empty_missing();
        break;
      case StoredAs::other:
        break;  // no column
    }
    return values;
  }

  /// Throws Error where rows of a column's dataset were never written, and for rows so long that they cannot be there:
  /// libhdf5 would reserve their bytes.
  void check_rows(hid_t set, const std::string& member, const std::string& place) const {
    constexpr size_t most_bytes = 1 << 24;
    const std::string missing = WrittenRows(path_, set, member).missing(set, 0, rows);
    if (!missing.empty()) throw Error(fmt::format("{}: {}", place, missing));
    const Hdf5Id row(H5Dget_type(set), H5Tclose);
    if (const size_t bytes = H5Tget_size(row); bytes > most_bytes)
      throw Error(fmt::format("{}: expected rows of at most {} bytes, found {}", place, most_bytes, bytes));
  }

  Column read_element(size_t vector, int64_t element, const std::string& place) const override {
    constexpr hsize_t most_numbers = 1 << 20;
    const auto& [name, dataset, member, width] = vector_places_[vector];
    std::vector<double> values;
    const Hdf5Lock lock;
    const Hdf5Id set(H5Dopen2(file_, dataset.c_str(), H5P_DEFAULT), H5Dclose);
    check_rows(set, member, place);
    const auto count = static_cast<hsize_t>(rows), wide = static_cast<hsize_t>(width);
    const Hdf5Id row(H5Tarray_create2(H5T_NATIVE_DOUBLE, 1, &wide), H5Tclose);
    const Hdf5Id memory(H5Tcreate(H5T_COMPOUND, H5Tget_size(row)), H5Tclose);
    H5Tinsert(memory, member.c_str(), 0, row);
    const Hdf5Id space(H5Dget_space(set), H5Sclose);
    std::vector<double> block;
    for (hsize_t begin = 0; begin < count;) {
      const hsize_t some = std::min(count - begin, std::max<hsize_t>(1, most_numbers / wide));
      block.resize(some * wide);
      const Hdf5Id own(H5Screate_simple(1, &some, nullptr), H5Sclose);
      H5Sselect_hyperslab(space, H5S_SELECT_SET, &begin, nullptr, &some, nullptr);
      if (H5Dread(set, memory, own, space, H5P_DEFAULT, block.data()) < 0)
        throw Error(fmt::format("{}: cannot be read: {}", place, reading_reason(set)));
      for (hsize_t i = 0; i < some; ++i) values.push_back(block[i * wide + static_cast<hsize_t>(element)]);
      begin += some;
    }
    return {.name = name, .values = std::move(values)};
  }

  /// Reads the values of an open dataset, or of its member.
  struct Reader {
    hid_t set;
    const std::string& member;
    size_t rows;
    const std::string& place;

    void read(hid_t type, void* out) const {
      hid_t wanted = H5Tcopy(type);
      if (!member.empty()) {
        H5Tclose(wanted);
        wanted = H5Tcreate(H5T_COMPOUND, H5Tget_size(type));
        H5Tinsert(wanted, member.c_str(), 0, type);
      }
      const Hdf5Id memory(wanted, H5Tclose);
      if (H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        throw Error(fmt::format("{}: cannot be read: {}", place, reading_reason(set)));
    }

    template <class T>
    std::vector<T> numbers(hid_t type) const {
      std::vector<T> values(rows);
      read(type, values.data());
      return values;
    }

    std::vector<int64_t> enumeration(hid_t type) const {
      const Hdf5Id native(H5Tget_native_type(type, H5T_DIR_ASCEND), H5Tclose);
      const Hdf5Id base(H5Tget_super(native), H5Tclose);
      std::vector<int64_t> values(rows);
      if (H5Tget_size(native) > sizeof(int64_t)) throw Error(fmt::format("{}: has values of over 64 bits", place));
      read(native, values.data());
      H5Tconvert(base, H5T_NATIVE_INT64, rows, values.data(), nullptr, H5P_DEFAULT);  // widens them in place
      return values;
    }

    std::vector<std::string> texts(hid_t type) const {
      std::vector<std::string> values;
      if (H5Tis_variable_str(type) > 0) {
        std::vector<char*> pointers(rows);
        read(type, pointers.data());
        for (const char* text : pointers) values.emplace_back(text == nullptr ? "" : text);
        const Hdf5Id space(H5Dget_space(set), H5Sclose);
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, pointers.data());
        return values;
      }
      const size_t size = H5Tget_size(type);
      std::vector<char> bytes(size * rows);
      read(type, bytes.data());
      for (size_t i = 0; i < rows; ++i) {
        std::string_view text(bytes.data() + i * size, size);
        text = text.substr(0, text.find('\0'));
        values.emplace_back(text.substr(0, text.find_last_not_of(' ') + 1));
      }
      return values;
    }
  };

  std::string path_;
  hid_t file_ = -1;
  std::vector<ColumnPlace> places_, vector_places_;
};

/// A group of datasets, or a compound dataset.
struct Candidate {
  std::string name;
  int64_t rows = 0;
  std::vector<ColumnPlace> places = {}, vectors = {};
};

std::vector<std::string> datasets_of(hid_t file) {
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5O_info_t* info, void* out) -> herr_t {
    // Beside its table astropy writes the columns' units as text.
    const bool is_about_table = std::string_view(name).ends_with(".__table_column_meta__");
    if (info->type == H5O_TYPE_DATASET && !is_about_table)
      static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  // In the order of the file: the tables of links that libhdf5 1.10 would sort, it frees unfilled when one is damaged.
  H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_NATIVE, visit, &names, H5O_INFO_BASIC);
  std::ranges::sort(names);
  return names;
}

Candidate compound_table(const std::string& name, int64_t rows, hid_t type) {
  Candidate table{name, rows};
  for (int i = 0; i < H5Tget_nmembers(type); ++i) {
    const Hdf5Id member(H5Tget_member_type(type, static_cast<unsigned>(i)), H5Tclose);
    char* text = H5Tget_member_name(type, static_cast<unsigned>(i));
    if (kind_of(member) != StoredAs::other) table.places.push_back({text, name, text});
    if (const int64_t width = vector_width(member); width > 0) table.vectors.push_back({text, name, text, width});
    H5free_memory(text);
  }
  return table;
}

/// The datasets of a group that have as many rows as most of them.
Candidate group_table(const std::string& group, const std::map<int64_t, std::vector<ColumnPlace>>& by_rows) {
  const auto most = std::ranges::max_element(by_rows, {}, [](const auto& some) { return some.second.size(); });
  return {group.empty() ? "/" : group, most->first, most->second};
}

std::vector<Candidate> tables_of(hid_t file) {
  std::vector<Candidate> tables;
  std::map<std::string, std::map<int64_t, std::vector<ColumnPlace>>> groups;
  for (const std::string& name : datasets_of(file)) {
    const Hdf5Id set(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose);
    if (set < 0) continue;
    const Hdf5Id type(H5Dget_type(set), H5Tclose);
    const Hdf5Id space(H5Dget_space(set), H5Sclose);
    hsize_t extent = 0;
    if (H5Sget_simple_extent_ndims(space) != 1) continue;
    H5Sget_simple_extent_dims(space, &extent, nullptr);
    const auto rows = static_cast<int64_t>(extent);
    if (H5Tget_class(type) == H5T_COMPOUND) {
      tables.push_back(compound_table(name, rows, type));
    } else if (kind_of(type) != StoredAs::other) {
      const size_t slash = name.rfind('/');
      const std::string group = slash == std::string::npos ? "" : name.substr(0, slash);
      groups[group][rows].push_back({name.substr(slash + 1), name, ""});
    }
  }
  for (const auto& [group, by_rows] : groups) tables.push_back(group_table(group, by_rows));
  std::erase_if(tables, [](const Candidate& table) { return table.places.empty(); });
  return tables;
}

void Hdf5Table::choose(const std::string& path, const std::string& table) {
  std::vector<Candidate> tables;
  {
    const Hdf5Lock lock;
    tables = tables_of(file_);
  }
  std::vector<std::string> names;
  for (const Candidate& one : tables) names.push_back(one.name);
  const Candidate& chosen = tables[choose_table(path, names, table)];
  rows = chosen.rows;
  places_ = chosen.places;
  vector_places_ = chosen.vectors;
  for (const ColumnPlace& place : places_) columns.push_back(place.name);
  for (const ColumnPlace& place : vector_places_) vectors.push_back({place.name, place.width});
}

}  // namespace

std::shared_ptr<const TableSource> open_hdf5_table(const std::string& path, const std::string& table) {
  const auto opened = std::make_shared<Hdf5Table>(path);
  opened->choose(path, table);
  return opened;
}

}  // namespace astroclip::io
