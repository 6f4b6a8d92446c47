#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "io/hdf5/global_heap_internal.h"
#include "io/hdf5/hdf5_input_internal.h"
#include "io/hdf5/hdf5_library_internal.h"
#include "io/hdf5/object_header_internal.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

// A driver for HDF5's virtual file layer; H5FDpublic.h documents the functions.
namespace astroclip::io {

namespace {

using Bytes = std::span<const unsigned char>;

constexpr size_t number_bytes = 4;  // of a text's length and of its number, beside its address

/// What the superblock says, and where it is; addresses count from there.
struct Sizes {
  uint64_t origin = 0;
  size_t address = sizeof(uint64_t), length = sizeof(uint64_t);  ///< in bytes
};

struct InputFile {
  H5FD_t base;  // first member: the only part that the library sees
  int descriptor;
  struct stat facts;
  haddr_t allocated;
  Sizes sizes;
  std::set<uint64_t> pieces;  ///< where headers that were looked at continue
};

InputFile& input(H5FD_t* file) { return *reinterpret_cast<InputFile*>(file); }
const InputFile& input(const H5FD_t* file) { return *reinterpret_cast<const InputFile*>(file); }

/// Puts a reason on the library's stack of errors.
void push(hid_t major, hid_t minor, const char* what, const char* name = "") {
  H5Epush2(H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, major, minor,
           "%s%s, errno = %d, error message = '%s'", what, name, errno, std::strerror(errno));
}

/// Bytes beyond the file's end are zeros, as for the library's own driver.
bool read_at(int descriptor, haddr_t offset, std::span<unsigned char> bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count =
        ::pread(descriptor, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    if (count == 0) {
      std::ranges::fill(bytes.subspan(done), static_cast<unsigned char>(0));
      break;
    }
    done += static_cast<size_t>(count);
  }
  return true;
}

Sizes sizes_of(int descriptor, uint64_t size) {
  constexpr std::array<unsigned char, 8> signature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
  std::array<unsigned char, 16> bytes = {};
  for (uint64_t at = 0; at + bytes.size() <= size; at = at == 0 ? 512 : 2 * at) {  // after a user block
    if (!read_at(descriptor, at, bytes) || !std::equal(signature.begin(), signature.end(), bytes.begin())) continue;
    const size_t place = bytes[8] < 2 ? 13 : 9;  // by the superblock's version
    return {at, bytes[place], bytes[place + 1]};
  }
  return {};
}

/// The objects of a collection of the global heap, of which some bytes were read; none for a damaged one.
std::optional<HeapObjects> objects_at(const InputFile& file, haddr_t offset, Bytes begin) {
  constexpr uint64_t least = 4096;
  constexpr size_t before_size = 8;
  const uint64_t size = little_endian(begin, before_size, file.sizes.length);
  const auto end = static_cast<uint64_t>(file.facts.st_size);
  if (size < least || size > end - std::min<uint64_t>(offset, end)) return std::nullopt;
  std::vector<unsigned char> whole(size);
  return read_at(file.descriptor, offset, whole) ? objects_of_heap(whole, file.sizes.length) : std::nullopt;
}

constexpr size_t heap_begin = 16;  // up to the collection's size and with it

/// False for the beginning of a collection of the global heap that is damaged.
bool is_readable(const InputFile& file, haddr_t offset, Bytes bytes) {
  return bytes.size() < heap_begin || !is_heap_collection(bytes) || objects_at(file, offset, bytes).has_value();
}

/// False for the beginning of an object header of version 1 with a damaged datatype.
bool has_sound_header(InputFile& file, haddr_t offset, Bytes begin) {
  constexpr size_t prefix = 16, before_size = 8;
  constexpr uint64_t read_first = 512;  // by the library, which then goes on from there
  if (begin.size() < prefix || begin[0] != 1 || begin[1] != 0 || file.pieces.contains(offset)) return true;
  const auto end = static_cast<uint64_t>(file.facts.st_size);
  std::vector<HeaderPiece> pieces = {{offset + prefix - file.sizes.origin, little_endian(begin, before_size, 4)}};
  if (prefix + pieces[0].bytes > read_first) file.pieces.insert(offset + read_first);
  for (size_t i = 0; i < pieces.size(); ++i) {
    const uint64_t at = pieces[i].address + file.sizes.origin;
    if (at > end || pieces[i].bytes > end - at) continue;  // the library sees that itself
    if (i > 0 && !file.pieces.insert(at).second) continue;
    std::vector<unsigned char> messages(pieces[i].bytes);
    if (!read_at(file.descriptor, at, messages)) return false;
    if (!has_sound_types(messages, file.sizes.address, file.sizes.length, pieces)) return false;
  }
  return true;
}

/// What the library calls.
struct InputDriver {
  static H5FD_t* open(const char* name, unsigned, hid_t, haddr_t) {
    const int descriptor = ::open(name, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
      push(H5E_FILE, H5E_CANTOPENFILE, "unable to open file: name = ", name);
      return nullptr;
    }
    auto file = std::make_unique<InputFile>();
    file->descriptor = descriptor;
    ::fstat(descriptor, &file->facts);
    file->sizes = sizes_of(descriptor, static_cast<uint64_t>(file->facts.st_size));
    if (std::max(file->sizes.address, file->sizes.length) > sizeof(uint64_t)) {  // which the library cannot decode
      ::close(descriptor);
      errno = EBADMSG;
      push(H5E_FILE, H5E_BADVALUE, "the superblock's sizes of addresses and lengths are damaged");
      return nullptr;
    }
    return &file.release()->base;
  }

  static herr_t close(H5FD_t* file) {
    ::close(input(file).descriptor);
    delete &input(file);
    return 0;
  }

  /// A file that is opened again is known by this.
  static int compare(const H5FD_t* a, const H5FD_t* b) {
    const auto key = [](const H5FD_t* file) { return std::pair(input(file).facts.st_dev, input(file).facts.st_ino); };
    return key(a) < key(b) ? -1 : key(b) < key(a) ? 1 : 0;
  }

  /// Not H5FD_FEAT_ACCUMULATE_METADATA, with which the library ends the program where a damaged address is near 2^64.
  static herr_t query(const H5FD_t*, unsigned long* features) {
    *features = H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
  }

  static haddr_t allocated(const H5FD_t* file, H5FD_mem_t) { return input(file).allocated; }

  static herr_t allocate(H5FD_t* file, H5FD_mem_t, haddr_t size) {
    input(file).allocated = size;
    return 0;
  }

  static herr_t handle(H5FD_t* file, hid_t, void** out) {
    *out = file;
    return 0;
  }

  static haddr_t end(const H5FD_t* file, H5FD_mem_t) { return static_cast<haddr_t>(input(file).facts.st_size); }

  static herr_t read(H5FD_t* file, H5FD_mem_t kind, hid_t, haddr_t offset, size_t size, void* bytes) {
    const std::span<unsigned char> read_bytes(static_cast<unsigned char*>(bytes), size);
    if (offset > input(file).allocated || size > input(file).allocated - offset) {
      errno = EOVERFLOW;
      push(H5E_ARGS, H5E_OVERFLOW, "addr overflow");
      return -1;
    }
    if (!read_at(input(file).descriptor, offset, read_bytes)) {
      push(H5E_IO, H5E_READERROR, "file read failed");
      return -1;
    }
    errno = EBADMSG;
    if (!is_readable(input(file), offset, read_bytes)) {
      push(H5E_HEAP, H5E_BADVALUE, "the global heap is damaged");
      return -1;
    }
    if (kind == H5FD_MEM_OHDR && !has_sound_header(input(file), offset, read_bytes)) {
      push(H5E_OHDR, H5E_BADVALUE, "an object header's datatype is damaged");
      return -1;
    }
    return 0;
  }

  static herr_t write(H5FD_t*, H5FD_mem_t, hid_t, haddr_t, size_t, const void*) { return -1; }

  static herr_t lock(H5FD_t* file, hbool_t) {
    if (::flock(input(file).descriptor, LOCK_SH | LOCK_NB) == 0 || errno == ENOSYS) return 0;
    push(H5E_FILE, H5E_BADFILE, "unable to lock file");
    return -1;
  }

  static herr_t unlock(H5FD_t* file) {
    ::flock(input(file).descriptor, LOCK_UN);
    return 0;
  }
};

H5FD_class_t input_driver() {
  H5FD_class_t all = {};
#if H5_VERSION_GE(1, 13, 0)
  all.version = H5FD_CLASS_VERSION;
  all.value = 513;  // of those free for private use
#endif
  all.name = "astroclip input";
  all.maxaddr = HADDR_MAX;
  all.fc_degree = H5F_CLOSE_WEAK;
  all.open = InputDriver::open;
  all.close = InputDriver::close;
  all.cmp = InputDriver::compare;
  all.query = InputDriver::query;
  all.get_eoa = InputDriver::allocated;
  all.set_eoa = InputDriver::allocate;
  all.get_eof = InputDriver::end;
  all.get_handle = InputDriver::handle;
  all.read = InputDriver::read;
  all.write = InputDriver::write;
  all.lock = InputDriver::lock;
  all.unlock = InputDriver::unlock;
  constexpr H5FD_mem_t places[] = H5FD_FLMAP_DICHOTOMY;
  std::ranges::copy(places, all.fl_map);
  return all;
}

hid_t driver_id() {
  static const H5FD_class_t description = input_driver();
  static const hid_t id = H5FDregister(&description);
  return id;
}

}  // namespace

hid_t open_hdf5_input(const std::string& path) {
  static const hid_t access = [] {
    const hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_driver(list, driver_id(), nullptr);
    return list;
  }();
  return H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
}

HeapOfInput::HeapOfInput(hid_t file) {
  const Hdf5Id access(H5Fget_access_plist(file), H5Pclose);
  if (H5Pget_driver(access) == driver_id()) H5Fget_vfd_handle(file, H5P_DEFAULT, &file_);
}

size_t HeapOfInput::place_bytes() const {
  return file_ == nullptr ? 0 : number_bytes + static_cast<const InputFile*>(file_)->sizes.address + number_bytes;
}

bool HeapOfInput::holds(Bytes place) {
  constexpr size_t most_kept = 1024;
  const auto& file = *static_cast<const InputFile*>(file_);
  const uint64_t length = little_endian(place, 0, number_bytes),
                 address = little_endian(place, number_bytes, file.sizes.address),
                 number = little_endian(place, number_bytes + file.sizes.address, number_bytes);
  if (address == 0) return true;
  auto known = collections_.find(address);
  if (known == collections_.end()) {
    std::array<unsigned char, heap_begin> begin = {};
    const uint64_t offset = file.sizes.origin + address, end = static_cast<uint64_t>(file.facts.st_size);
    if (offset < address || offset > end || !read_at(file.descriptor, offset, begin) || !is_heap_collection(begin))
      return false;
    const auto objects = objects_at(file, offset, begin);
    if (!objects) return false;
    if (collections_.size() == most_kept) collections_.clear();
    known = collections_.emplace(address, *objects).first;
  }
  const auto object = known->second.find(number);
  return object != known->second.end() && object->second == length;
}

}  // namespace astroclip::io
