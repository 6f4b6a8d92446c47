#include "record/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "config/toml.h"
#include "io/weights/safetensors.h"

namespace astroclip::record {

namespace {

constexpr const char* format_key = "format";
constexpr const char* format_name = "astroclip checkpoint 1";

int64_t number(const io::SafetensorsFile& file, const std::string& key, std::optional<int64_t> absent = std::nullopt) {
  const auto found = file.metadata().find(key);
  int64_t value = 0;
  if (found == file.metadata().end() && absent) return *absent;
  if (found != file.metadata().end()) {
    const std::string& text = found->second;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec == std::errc() && result.ptr == text.data() + text.size()) return value;
  }
  throw Error(fmt::format("{}: the checkpoint's metadata has no number '{}'", file.path(), key));
}

std::vector<std::string> checkpoints_in(const std::string& folder) {
  std::vector<std::string> paths;
  if (!std::filesystem::is_directory(folder)) return paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("stage-") && name.ends_with(".safetensors")) paths.push_back(entry.path().string());
  }
  std::ranges::sort(paths);  // names are zero-padded: alphabetical order is chronological
  return paths;
}

}  // namespace

void write_checkpoint(const std::string& path, const Position& position, const std::vector<NamedTensor>& tensors) {
  io::Metadata metadata = {{format_key, format_name},
                           {"stage", std::to_string(position.stage)},
                           {"step", std::to_string(position.step)},
                           {"threads", std::to_string(position.threads)},
                           {"instructions", position.instructions}};
  if (!position.device.empty()) metadata["device"] = position.device;
  if (!position.selection.empty()) metadata["selection"] = config::to_toml(position.selection);
  if (!position.watch.empty()) metadata["watch"] = config::to_toml(position.watch);
  if (position.skipped > 0) {
    metadata["skipped"] = std::to_string(position.skipped);
    metadata["skipped_in_a_row"] = std::to_string(position.skipped_in_a_row);
  }
  if (!position.provenance.empty()) metadata["provenance"] = position.provenance.text();
  io::write_safetensors(path, tensors, metadata);
}

Position read_position(const std::string& path) {
  const auto file = io::SafetensorsFile::open(path);
  const auto format = file.metadata().find(format_key);
  if (format == file.metadata().end() || format->second != format_name) {
    throw Error(fmt::format("{}: not an astroclip checkpoint", path));
  }
  Position position{number(file, "stage"), number(file, "step"), static_cast<int>(number(file, "threads")), ""};
  const auto read_text = [&](const char* key, std::string& text) {
    const auto found = file.metadata().find(key);
    if (found != file.metadata().end()) text = found->second;
  };
  read_text("instructions", position.instructions);
  read_text("device", position.device);
  const auto read_table = [&](const char* key, config::Table& table) {
    const auto found = file.metadata().find(key);
    if (found != file.metadata().end()) table = config::parse_text(found->second, path + ": " + key);
  };
  read_table("selection", position.selection);
  read_table("watch", position.watch);
  position.skipped = number(file, "skipped", 0);
  position.skipped_in_a_row = number(file, "skipped_in_a_row", 0);
  const auto provenance = file.metadata().find("provenance");
  if (provenance != file.metadata().end()) position.provenance = Provenance::parse(provenance->second, path);
  return position;
}

void restore(const std::string& path, std::vector<NamedTensor>& targets) {
  const auto file = io::SafetensorsFile::open(path);
  for (NamedTensor& target : targets) {
    const auto& found = file.entry(target.name);
    if (found.shape != target.tensor.shape() || io::dtype_of_elements(found.type) != target.tensor.dtype()) {
      throw Error(fmt::format("{}: tensor '{}': expected {} {}, found {} {}", path, target.name,
                              name_of(target.tensor.dtype()), target.tensor.shape().str(), io::name_of(found.type),
                              found.shape.str()));
    }
    target.tensor.copy_from(file.read(target.name, target.tensor.dtype(), target.tensor.device()));
  }
}

std::optional<Checkpoint> latest_checkpoint(const std::string& folder) {
  const std::vector<std::string> paths = checkpoints_in(folder);
  if (paths.empty()) return std::nullopt;
  try {
    return Checkpoint{paths.back(), read_position(paths.back())};
  } catch (const Error& error) {
    if (paths.size() == 1) throw;
    throw Error(fmt::format("{}; if you delete it, the run resumes from {}", error.what(), paths[paths.size() - 2]));
  }
}

std::string checkpoint_name(const Position& position) {
  return fmt::format("stage-{:02}-step-{:08}.safetensors", position.stage, position.step);
}

void prune_checkpoints(const std::string& folder, size_t keep) {
  const std::vector<std::string> paths = checkpoints_in(folder);
  for (size_t i = 0; i + keep < paths.size(); ++i) std::filesystem::remove(paths[i]);
}

}  // namespace astroclip::record
