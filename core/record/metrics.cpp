#include "record/metrics.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "io/output/durable_file.h"

namespace astroclip::record {

namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const MetricsLine& line) {
  Json object = {{"stage", line.stage}, {"step", line.step}};
  for (const auto& [name, value] : line.values) {
    if (std::isfinite(value)) object[name] = value;
  }
  return object.dump() + "\n";
}

/// Drops the lines past this position. Returns `path`.
const std::string& pruned(const std::string& path, const std::vector<std::string>& stages, int64_t stage,
                          int64_t step) {
  if (!std::filesystem::exists(path)) return path;
  io::DurableFile kept(path);
  read_metrics(path, [&](const MetricsLine& line) {
    const int64_t index = std::ranges::find(stages, line.stage) - stages.begin();
    if (index < stage || (index == stage && line.step <= step)) kept.write(text_of(line));
  });
  kept.commit();
  return path;
}

}  // namespace

Metrics metrics_of(const LossValue& value) {
  MetricMeans means;
  means.add(value);
  return means.means();
}

Metrics MetricMeans::add(const LossValue& value) {
  Metrics metrics = {{"loss", value.total.item()}};
  for (const auto& [name, term] : value.terms) metrics.emplace_back(name, term.item());
  if (sums_.empty()) {
    sums_ = metrics;
  } else {
    for (size_t i = 0; i < sums_.size(); ++i) sums_[i].second += metrics.at(i).second;
  }
  count_ += 1.0;
  add_roots(value);
  return metrics;
}

void MetricMeans::add_roots(const LossValue& value) {
  roots_.resize(value.roots.size());
  for (size_t i = 0; i < roots_.size(); ++i) {
    const RootMeanSquare& root = value.roots[i];
    roots_[i].name = root.name;
    roots_[i].squares += root.objects * root.unit * root.unit * root.mean_square.item();
    roots_[i].objects += root.objects;
  }
}

Metrics MetricMeans::means() const {
  Metrics means = sums_;
  for (auto& [name, value] : means) value /= count_;
  for (const Root& root : roots_) means.emplace_back(root.name, std::sqrt(root.squares / root.objects));
  return means;
}

MetricsFile::MetricsFile(const std::string& path, const std::vector<std::string>& stages, int64_t stage, int64_t step)
    : file_(pruned(path, stages, stage, step), io::OutputFile::Mode::append) {}

void MetricsFile::write(const MetricsLine& line) { file_.write(text_of(line)); }

void read_metrics(const std::string& path, const std::function<void(const MetricsLine&)>& use) {
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    const Json parsed = Json::parse(text, nullptr, false);
    if (!parsed.is_object() || !parsed.contains("stage") || !parsed.contains("step")) continue;
    MetricsLine line{parsed["stage"].get<std::string>(), parsed["step"].get<int64_t>(), {}};
    for (const auto& [name, value] : parsed.items()) {
      if (value.is_number() && name != "step") line.values.emplace_back(name, value.get<double>());
    }
    use(line);
  }
}

}  // namespace astroclip::record
