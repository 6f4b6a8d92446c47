#include "train/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/durable_file.h"

namespace astroclip::train {

namespace {

using Json = nlohmann::ordered_json;

/// The lines that a run at this position has written for good.
std::string lines_up_to(const std::string& path, const std::vector<std::string>& stages, int64_t stage, int64_t step) {
  std::ifstream file(path);
  std::string kept, line;
  while (std::getline(file, line)) {
    const Json parsed = Json::parse(line, nullptr, false);
    if (!parsed.is_object() || !parsed.contains("stage") || !parsed.contains("step")) continue;  // cut off by a kill
    const auto found = std::ranges::find(stages, parsed["stage"].get<std::string>());
    const int64_t index = found - stages.begin();
    if (index < stage || (index == stage && parsed["step"].get<int64_t>() <= step)) kept += line + "\n";
  }
  return kept;
}

}  // namespace

MetricsFile::MetricsFile(const std::string& path, const std::vector<std::string>& stages, int64_t stage, int64_t step)
    : path_(path) {
  if (std::filesystem::exists(path)) io::write_text(path, lines_up_to(path, stages, stage, step));
  file_ = std::fopen(path.c_str(), "a");
  if (file_ == nullptr) throw Error(fmt::format("{}: cannot write: {}", path, std::strerror(errno)));
}

MetricsFile::~MetricsFile() { std::fclose(file_); }

void MetricsFile::write(const std::string& stage, int64_t step, const Metrics& values) {
  Json line = {{"stage", stage}, {"step", step}};
  for (const auto& [name, value] : values) {
    if (std::isfinite(value)) line[name] = value;
  }
  const std::string text = line.dump() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size() || std::fflush(file_) != 0) {
    throw Error(fmt::format("{}: cannot write: {}", path_, std::strerror(errno)));
  }
}

}  // namespace astroclip::train
