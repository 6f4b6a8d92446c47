#include "train/run_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "io/durable_file.h"

namespace astroclip::train {

namespace fs = std::filesystem;

namespace {

void make_folder(const fs::path& path) {
  std::error_code failure;
  fs::create_directories(path, failure);
  if (failure) throw Error(fmt::format("{}: cannot make the folder: {}", path.string(), failure.message()));
}

/// What a run leaves that was killed while its folder was being made.
bool is_empty_run(const fs::path& path) {
  if (!fs::is_directory(path)) return false;
  return std::ranges::all_of(fs::recursive_directory_iterator(path), [](const fs::directory_entry& entry) {
    return entry.is_directory() || entry.path().filename().string().starts_with("resolved.toml.");
  });
}

}  // namespace

std::string RunFolder::first_free(const std::string& name) {
  for (int number = 1;; ++number) {
    const std::string path = fmt::format("runs/{}-{}", name, number);
    if (!fs::exists(path)) return path;
  }
}

RunFolder RunFolder::create(const std::string& path, const std::string& name, const std::string& resolved_toml) {
  const RunFolder folder(path.empty() ? first_free(name) : path);
  if (fs::exists(folder.path()) && !is_empty_run(folder.path())) {
    throw Error(fmt::format("{}: already exists; a run never overwrites another (astroclip run --resume {} goes on)",
                            folder.path(), folder.path()));
  }
  make_folder(folder.checkpoints());
  make_folder(fs::path(folder.stage("x")).parent_path());
  io::write_text(folder.resolved(), resolved_toml);
  return folder;
}

RunFolder RunFolder::open(const std::string& path) {
  const RunFolder folder(path);
  if (!fs::is_regular_file(folder.resolved())) throw Error(fmt::format("{}: holds no run (no resolved.toml)", path));
  return folder;
}

}  // namespace astroclip::train
