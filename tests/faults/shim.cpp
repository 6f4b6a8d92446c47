// Preloaded into a program: makes one of its write operations below a folder fail. The environment:
//   FAULT_FOLDER  only files below it count
//   FAULT_AT      number of the operation, from 1; no fault if unset
//   FAULT_KIND    eio: it fails · enospc: it and all later operations that need space fail · short: half is written ·
//                 kill: the program is killed before it · torn: half is written, then the program is killed
//   FAULT_LOG     file that gets a line "OPERATION PATH" for each operation
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

const char* setting(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

struct Settings {
  std::string folder = setting("FAULT_FOLDER"), kind = setting("FAULT_KIND"), log = setting("FAULT_LOG");
  long at = atol(setting("FAULT_AT"));
};

const Settings& settings() {
  static const Settings all;
  return all;
}

std::atomic<long> operations = 0;
std::atomic<bool> disk_is_full = false;

/// The outcome of an operation.
enum class Fate { succeed, fail, halve, die, halve_and_die };

void note(const char* operation, std::string_view path) {
  if (settings().log.empty()) return;
  const auto file = static_cast<int>(
      syscall(SYS_openat, AT_FDCWD, settings().log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  const std::string line = std::string(operation) + " " + std::string(path) + "\n";
  (void)!syscall(SYS_write, file, line.data(), line.size());
  syscall(SYS_close, file);
}

Fate fate(const char* operation, std::string_view path, bool needs_space) {
  if (settings().folder.empty() || !path.starts_with(settings().folder)) return Fate::succeed;
  note(operation, path);
  if (disk_is_full && needs_space) {
    errno = ENOSPC;
    return Fate::fail;
  }
  if (++operations != settings().at) return Fate::succeed;
  const std::string& kind = settings().kind;
  if (kind == "kill") return Fate::die;
  if (kind == "torn") return Fate::halve_and_die;
  if (kind == "short") return Fate::halve;
  if (kind == "enospc") {
    disk_is_full = true;
    errno = ENOSPC;
    return needs_space ? Fate::fail : Fate::succeed;
  }
  errno = EIO;
  return Fate::fail;
}

void die() { syscall(SYS_kill, getpid(), SIGKILL); }

/// For operations that succeed or fail as a whole.
template <class Action>
auto whole(const char* operation, std::string_view path, bool needs_space, Action action) {
  const Fate decided = fate(operation, path, needs_space);
  if (decided == Fate::die) die();
  if (decided == Fate::fail) return decltype(action())(-1);
  const auto result = action();
  if (decided == Fate::halve_and_die) die();
  return result;
}

/// For operations that may be partial: `action` takes the number of bytes, at most `size`.
template <class Action>
ssize_t partial(const char* operation, std::string_view path, size_t size, Action action) {
  const Fate decided = fate(operation, path, true);
  if (decided == Fate::die) die();
  if (decided == Fate::fail) return -1;
  const bool halved = size > 1 && (decided == Fate::halve || decided == Fate::halve_and_die);
  const ssize_t result = action(halved ? size / 2 : size);
  if (decided == Fate::halve_and_die) die();
  return result;
}

std::string path_of(int descriptor) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t size = readlink(link.c_str(), path, sizeof path);
  return size < 0 ? "" : std::string(path, static_cast<size_t>(size));
}

template <class Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

int open_file(const char* name, const char* path, int flags, mode_t mode) {
  const auto real = original<int(const char*, int, ...)>(name);
  if ((flags & O_CREAT) == 0) return real(path, flags, mode);
  return whole("create", path, true, [&] { return real(path, flags, mode); });
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_file("open", path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_file("open64", path, flags, mode);
}

ssize_t write(int file, const void* bytes, size_t size) {
  static const auto real = original<ssize_t(int, const void*, size_t)>("write");
  return partial("write", path_of(file), size, [&](size_t part) { return real(file, bytes, part); });
}

ssize_t writev(int file, const iovec* parts, int count) {
  static const auto real = original<ssize_t(int, const iovec*, int)>("writev");
  return whole("write", path_of(file), true, [&] { return real(file, parts, count); });
}

ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
  static const auto real = original<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  return partial("write", path_of(file), size, [&](size_t part) { return real(file, bytes, part, offset); });
}

ssize_t pwrite64(int file, const void* bytes, size_t size, off64_t offset) { return pwrite(file, bytes, size, offset); }

int ftruncate(int file, off_t size) noexcept {
  static const auto real = original<int(int, off_t)>("ftruncate");
  return whole("truncate", path_of(file), false, [&] { return real(file, size); });
}

int ftruncate64(int file, off64_t size) noexcept { return ftruncate(file, size); }

int fsync(int file) {
  static const auto real = original<int(int)>("fsync");
  return whole("sync", path_of(file), true, [&] { return real(file); });
}

int fdatasync(int file) {
  static const auto real = original<int(int)>("fdatasync");
  return whole("sync", path_of(file), true, [&] { return real(file); });
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = original<int(const char*, const char*)>("rename");
  return whole("rename", to, true, [&] { return real(from, to); });
}

int remove(const char* path) noexcept {
  static const auto real = original<int(const char*)>("remove");
  return whole("remove", path, false, [&] { return real(path); });
}

int unlink(const char* path) noexcept {
  static const auto real = original<int(const char*)>("unlink");
  return whole("remove", path, false, [&] { return real(path); });
}

int mkdir(const char* path, mode_t mode) noexcept {
  static const auto real = original<int(const char*, mode_t)>("mkdir");
  return whole("create", path, true, [&] { return real(path, mode); });
}

}  // extern "C"
