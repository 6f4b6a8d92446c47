#include "record/run_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "io/output/durable_file.h"

namespace astroclip::record {

namespace fs = std::filesystem;

namespace {

/// Whether a run was killed while its folder was being created.
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
    const bool is_run = fs::is_regular_file(folder.resolved());
    throw Error(fmt::format(
        "{}: already exists{}", folder.path(),
        is_run ? fmt::format("; a run never overwrites another (astroclip run --resume {} continues it)", folder.path())
               : " and is not a run; choose a new folder"));
  }
  io::make_folder(folder.checkpoints());
  io::make_folder(fs::path(folder.stage("x")).parent_path().string());
  io::write_text(folder.resolved(), resolved_toml);
  return folder;
}

void RunFolder::remove_unless_begun() const {
  if (RunLock::is_held(*this)) return;  // by another process
  std::error_code ignored;
  const auto is_filled = [&](const fs::path& part) { return fs::exists(part) && !fs::is_empty(part, ignored); };
  const fs::path stages = fs::path(stage("x")).parent_path();
  if (is_filled(checkpoints()) || is_filled(stages) || is_filled(metrics()) || fs::exists(embeddings())) return;
  fs::remove_all(path_, ignored);
}

RunFolder RunFolder::open(const std::string& path) {
  const RunFolder folder(path);
  if (!fs::is_regular_file(folder.resolved()))
    throw Error(fmt::format("{}: not a run folder (no resolved.toml)", path));
  return folder;
}

RunLock::RunLock(const RunFolder& folder) : file_(folder.resolved(), io::OutputFile::Mode::update) {
  if (!file_.try_lock()) throw Error(fmt::format("{}: the run is in use by another process", folder.path()));
}

bool RunLock::is_held(const RunFolder& folder) { return io::lock_state(folder.resolved()) == io::LockState::locked; }

}  // namespace astroclip::record
