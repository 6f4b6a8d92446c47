#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace astroclip::testing_support {

template <class T>
std::string bytes_of(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// Pieces of pickles, as torch.save writes them.

inline std::string pickled(const std::string& text) {
  return "X" + bytes_of(static_cast<uint32_t>(text.size())) + text;
}
inline std::string pickled(int64_t number) { return "\x8a\x08" + bytes_of(number); }
inline std::string pickled(std::initializer_list<int64_t> numbers) {
  std::string tuple = "(";
  for (const int64_t number : numbers) tuple += pickled(number);
  return tuple + "t";
}

/// A tensor on storage `key` of class torch.`storage`.
inline std::string pickled_tensor(const std::string& storage, const std::string& key, int64_t elements, int64_t offset,
                                  std::initializer_list<int64_t> shape, std::initializer_list<int64_t> strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickled("storage") + "ctorch\n" + storage + "\n" + pickled(key) +
         pickled("cpu") + pickled(elements) + "NtQ" + pickled(offset) + pickled(shape) + pickled(strides) +
         "\x89"
         "ccollections\nOrderedDict\n)RtR";
}

using Parts = std::vector<std::pair<std::string, std::string>>;

/// A pickle of a dict of parts that are already pickled.
inline std::string pickled_dict(const Parts& parts) {
  std::string dict = "}(";
  for (const auto& [name, value] : parts) dict += pickled(name) + value;
  return dict + "u";
}
inline std::string whole_pickle(const std::string& body) { return "\x80\x02" + body + "."; }

/// A file in PyTorch's older format: the object's pickle, then each storage's elements.
struct LegacyStorage {
  std::string key;
  int64_t elements;
  std::string bytes;
};
inline std::string legacy_file(const std::string& object, const std::vector<LegacyStorage>& storages) {
  std::string file = whole_pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + whole_pickle("M\xe9\x03") +
                     whole_pickle(pickled_dict({{"little_endian", "\x88"}})) + whole_pickle(object);
  std::string keys = "](";
  for (const auto& storage : storages) keys += pickled(storage.key);
  file += whole_pickle(keys + "e");
  for (const auto& storage : storages) file += bytes_of(storage.elements) + storage.bytes;
  return file;
}

/// A zip archive of stored entries; with 64-bit sizes throughout when asked.
inline std::string zip_file(const Parts& entries, bool zip64 = false, uint16_t method = 0) {
  std::string file, directory;
  for (const auto& [name, bytes] : entries) {
    const uint64_t offset = file.size();
    const auto size = static_cast<uint32_t>(bytes.size());
    const auto name_size = static_cast<uint16_t>(name.size());
    const std::string middle = bytes_of(uint16_t{0}) + bytes_of(method) + bytes_of(uint32_t{0}) + bytes_of(uint32_t{0});
    file += "PK\x03\x04" + bytes_of(uint16_t{45}) + middle + bytes_of(size) + bytes_of(size) + bytes_of(name_size) +
            bytes_of(uint16_t{7}) + name + "FB\x03" + std::string(1, '\0') + "ZZZ" + bytes;
    std::string extra;
    if (zip64) {
      extra = bytes_of(uint16_t{1}) + bytes_of(uint16_t{24}) + bytes_of(uint64_t{size}) + bytes_of(uint64_t{size}) +
              bytes_of(offset);
    }
    const uint32_t shown_size = zip64 ? 0xFFFFFFFF : size;
    const uint32_t shown_offset = zip64 ? 0xFFFFFFFF : static_cast<uint32_t>(offset);
    directory += "PK\x01\x02" + bytes_of(uint16_t{45}) + bytes_of(uint16_t{45}) + middle + bytes_of(shown_size) +
                 bytes_of(shown_size) + bytes_of(name_size) + bytes_of(static_cast<uint16_t>(extra.size())) +
                 std::string(10, '\0') + bytes_of(shown_offset) + name + extra;
  }
  const uint64_t begin = file.size();
  file += directory;
  const auto count = static_cast<uint16_t>(entries.size());
  if (zip64) {
    const uint64_t end = file.size();
    file += "PK\x06\x06" + bytes_of(uint64_t{44}) + std::string(12, '\0') + bytes_of(uint64_t{count}) +
            bytes_of(uint64_t{count}) + bytes_of(uint64_t{directory.size()}) + bytes_of(begin);
    file += "PK\x06\x07" + bytes_of(uint32_t{0}) + bytes_of(end) + bytes_of(uint32_t{1});
  }
  const uint32_t shown_begin = zip64 ? 0xFFFFFFFF : static_cast<uint32_t>(begin);
  return file + "PK\x05\x06" + bytes_of(uint32_t{0}) + bytes_of(count) + bytes_of(count) +
         bytes_of(static_cast<uint32_t>(directory.size())) + bytes_of(shown_begin) + bytes_of(uint16_t{0});
}

}  // namespace astroclip::testing_support
