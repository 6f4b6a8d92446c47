#include "faults/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "config/toml.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "io/weights/safetensors.h"
#include "record/event_file.h"
#include "record/metrics.h"

namespace astroclip::faults {

namespace {

namespace fs = std::filesystem;

/// Relative paths, in order.
std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder).string());
  }
  std::ranges::sort(files);
  return files;
}

bool is_temporary(const std::string& file) { return file.find(".partial") != std::string::npos; }
bool is_log(const std::string& file) { return file.ends_with("log.txt"); }
bool is_metrics(const std::string& file) { return file.ends_with("metrics.jsonl"); }
bool is_events(const std::string& file) { return file.find("tfevents") != std::string::npos; }

void read_whole(const std::string& path) {
  if (path.ends_with(".safetensors")) {
    const auto file = io::SafetensorsFile::open(path);
    for (const auto& entry : file.entries())
      (void)file.read(entry.name, io::dtype_of_elements(entry.type), {DeviceKind::cpu});
  } else if (path.ends_with(".h5")) {
    (void)io::Hdf5File::open(path);
  } else if (path.ends_with(".toml")) {
    (void)config::parse_file(path);
  } else if (path.ends_with(".json")) {
    [[maybe_unused]] const auto parsed = nlohmann::json::parse(io::read_text(path));
  }
}

std::string timeless_metrics(const std::string& path, const std::string& shared) {
  std::istringstream text(io::read_text(path));
  std::string kept;
  for (std::string line; std::getline(text, line);) {
    auto object = nlohmann::ordered_json::parse(line);
    if (object.at("stage") == shared) continue;
    for (const char* key : {"time", "objects_per_second", "wait_share"}) object.erase(key);
    kept += object.dump() + "\n";
  }
  return kept;
}

/// Whether the records after the first correspond one to one to the metrics.
bool tells_the_metrics(const std::string& events, const std::string& metrics) {
  std::string expected;
  record::read_metrics(metrics,
                       [&](const record::MetricsLine& line) { expected += record::tf_record(record::event_of(line)); });
  const std::string found = io::read_text(events);
  constexpr size_t longest_head = 64;
  return found.ends_with(expected) && found.size() > expected.size() && found.size() < expected.size() + longest_head;
}

bool is_equal(const std::string& reference, const std::string& folder, const std::string& file,
              const std::string& shared) {
  const std::string there = reference + "/" + file, here = folder + "/" + file;
  if (is_log(file)) return true;
  if (is_metrics(file)) return timeless_metrics(there, shared) == timeless_metrics(here, shared);
  if (is_events(file)) return tells_the_metrics(here, fs::path(here).replace_filename("metrics.jsonl").string());
  return io::read_text(there) == io::read_text(here);
}

}  // namespace

std::vector<std::string> unreadable_files(const std::string& folder) {
  std::vector<std::string> found;
  if (!fs::exists(folder)) return found;
  for (const std::string& file : files_below(folder)) {
    if (is_temporary(file)) continue;
    try {
      read_whole(folder + "/" + file);
    } catch (const std::exception& error) {
      found.push_back(fmt::format("{}: {}", file, error.what()));
    }
  }
  return found;
}

std::vector<std::string> differences(const std::string& reference, const std::string& folder,
                                     const std::string& shared) {
  std::vector<std::string> found;
  auto expected = files_below(reference), there = files_below(folder);
  // They lie with the run of a sweep that trained the stage, which may be another one after a fault; its page has the
  // stage's curves.
  const auto is_left_open = [&](const std::string& file) {
    if (shared.empty()) return false;
    return file.ends_with("/" + shared + ".best.safetensors") || file.ends_with("/report/index.html") ||
           file.find("/figures/" + shared + "-") != std::string::npos ||
           (file.find("/report/figures/") != std::string::npos && file.find("-" + shared + ".") != std::string::npos);
  };
  std::erase_if(expected, is_left_open);
  std::erase_if(there, is_left_open);
  for (const std::string& file : expected) {
    if (!std::ranges::binary_search(there, file)) {
      found.push_back(file + ": is missing");
    } else if (!is_equal(reference, folder, file, shared)) {
      found.push_back(file + ": differs");
    }
  }
  for (const std::string& file : there) {
    if (!std::ranges::binary_search(expected, file)) found.push_back(file + ": should not be there");
  }
  return found;
}

}  // namespace astroclip::faults
