#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <span>

#include "io/hdf5/hdf5_input_internal.h"
#include "io/hdf5/hdf5_library_internal.h"
#include "io/hdf5/variable_texts_internal.h"

namespace astroclip::io {

namespace {

hid_t variable_text() {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  return type;
}

/// Leaves the bytes of a dataset as they are.
herr_t keep_places(hid_t from, hid_t to, H5T_cdata_t* data, size_t, size_t, size_t, void*, void*, hid_t) {
  if (data->command != H5T_CONV_INIT) return 0;
  data->need_bkg = H5T_BKG_NO;
  return H5Tget_size(from) == H5Tget_size(to) ? 0 : -1;
}

/// Makes nothing of every text or sequence.
herr_t leave_empty(hid_t, hid_t to, H5T_cdata_t* data, size_t count, size_t stride, size_t, void* values, void*,
                   hid_t) {
  if (data->command == H5T_CONV_INIT) data->need_bkg = H5T_BKG_NO;
  if (data->command != H5T_CONV_CONV) return 0;
  const size_t bytes = H5Tget_size(to);
  for (size_t i = 0; i < count; ++i)
    std::memset(static_cast<std::byte*>(values) + i * (stride == 0 ? bytes : stride), 0, bytes);
  return 0;
}

void allow_places() {
  static const bool is_known = [] {
    const Hdf5Id text(variable_text(), H5Tclose), place(H5Tcreate(H5T_OPAQUE, 1), H5Tclose);
    return H5Tregister(H5T_PERS_SOFT, "astroclip places", text, place, keep_places) >= 0;
  }();
  (void)is_known;
}

/// A value of variable length has a place in the file, and a pointer in memory, as the library describes types.
size_t bytes_in_file(hid_t type, size_t place) {
  const H5T_class_t kind = H5Tget_class(type);
  if (kind == H5T_VLEN || H5Tis_variable_str(type) > 0) return place;
  size_t bytes = H5Tget_size(type);
  if (kind == H5T_ARRAY) {
    const Hdf5Id element(H5Tget_super(type), H5Tclose);
    return bytes / H5Tget_size(element) * bytes_in_file(element, place);
  }
  for (int i = 0; kind == H5T_COMPOUND && i < H5Tget_nmembers(type); ++i) {
    const Hdf5Id member(H5Tget_member_type(type, static_cast<unsigned>(i)), H5Tclose);
    bytes += bytes_in_file(member, place) - H5Tget_size(member);
  }
  return bytes;
}

}  // namespace

size_t bytes_in_file(hid_t set) {
  const Hdf5Id file(H5Iget_file_id(set), H5Fclose);
  const Hdf5Id type(H5Dget_type(set), H5Tclose);
  return bytes_in_file(type, HeapOfInput(file).place_bytes());
}

std::string damage_of_texts(hid_t set, const std::string& member, const std::vector<hsize_t>& first,
                            const std::vector<hsize_t>& last) {
  const Hdf5Id type(type_of(set, member), H5Tclose);
  if (H5Tis_variable_str(type) <= 0) return "";
  const Hdf5Id file(H5Iget_file_id(set), H5Fclose);
  HeapOfInput heap(file);
  const size_t bytes = heap.place_bytes();
  if (bytes == 0) return "";
  allow_places();
  const Hdf5Id place(H5Tcreate(H5T_OPAQUE, bytes), H5Tclose);
  const Hdf5Id compound(H5Tcreate(H5T_COMPOUND, bytes), H5Tclose);
  if (!member.empty()) H5Tinsert(compound, member.c_str(), 0, place);
  const Hdf5Id space(H5Dget_space(set), H5Sclose);
  std::vector<hsize_t> start = first, count(first.size());
  for (size_t axis = 0; axis < count.size(); ++axis) count[axis] = last[axis] - first[axis] + 1;
  const hsize_t of_row = std::accumulate(count.begin() + 1, count.end(), hsize_t{1}, std::multiplies<>());
  constexpr hsize_t together = 1 << 16;
  std::vector<unsigned char> places;
  for (; start[0] <= last[0]; start[0] += count[0]) {
    count[0] = std::min(last[0] - start[0] + 1, std::max<hsize_t>(1, together / of_row));
    const hsize_t values = count[0] * of_row;
    const Hdf5Id memory(H5Screate_simple(1, &values, nullptr), H5Sclose);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    places.resize(values * bytes);
    if (H5Dread(set, member.empty() ? place : compound, memory, space, H5P_DEFAULT, places.data()) < 0)
      return fmt::format("cannot be read: {}", reading_reason(set));
    for (hsize_t i = 0; i < values; ++i) {
      if (!heap.holds(std::span(places).subspan(i * bytes, bytes)))
        return fmt::format("is damaged: no text of the length that is said lies where that of row {} is said to be",
                           start[0] + i / of_row);
    }
  }
  return "";
}

hid_t creation_properties(hid_t set) {
  const Hdf5Id type(H5Dget_type(set), H5Tclose);
  if (H5Tdetect_class(type, H5T_STRING) <= 0 && H5Tdetect_class(type, H5T_VLEN) <= 0) return H5Dget_create_plist(set);
  const Hdf5Id text(variable_text(), H5Tclose);
  H5Tregister(H5T_PERS_SOFT, "astroclip empty", text, text, leave_empty);
  const hid_t properties = H5Dget_create_plist(set);
  H5Tunregister(H5T_PERS_SOFT, "astroclip empty", H5I_INVALID_HID, H5I_INVALID_HID, leave_empty);
  return properties;
}

}  // namespace astroclip::io
