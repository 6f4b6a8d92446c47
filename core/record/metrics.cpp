#include "record/metrics.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/readback.h"
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

std::vector<Tensor> numbers_of(const LossValue& value) {
  std::vector<Tensor> numbers = {value.total};
  for (const auto& [name, term] : value.terms) numbers.push_back(term);
  for (const RootMeanSquare& root : value.roots) numbers.push_back(root.mean_square);
  return numbers;
}

LossValue without_numbers(const LossValue& value) {
  LossValue names;
  for (const auto& [name, term] : value.terms) names.terms.emplace_back(name, Tensor());
  for (const RootMeanSquare& root : value.roots) names.roots.push_back({root.name, {}, root.unit, root.objects});
  return names;
}

Metrics metrics_of(const LossValue& value) {
  MetricMeans means;
  means.add(value);
  return means.means();
}

Metrics MetricMeans::add(const LossValue& value) { return add(value, Readback(numbers_of(value)).doubles()); }

Metrics MetricMeans::add(const LossValue& value, std::span<const double> numbers) {
  Metrics metrics = {{"loss", numbers[0]}};
  for (const auto& [name, term] : value.terms) metrics.emplace_back(name, numbers[metrics.size()]);
  if (sums_.empty()) {
    sums_ = metrics;
  } else {
    for (size_t i = 0; i < sums_.size(); ++i) sums_[i].second += metrics.at(i).second;
  }
  count_ += 1.0;
  add_roots(value, numbers.subspan(metrics.size()));
  return metrics;
}

void MetricMeans::add_roots(const LossValue& value) {
  const std::vector<double> numbers = Readback(numbers_of(value)).doubles();
  add_roots(value, std::span(numbers).subspan(1 + value.terms.size()));
}

void MetricMeans::add_roots(const LossValue& value, std::span<const double> mean_squares) {
  roots_.resize(value.roots.size());
  for (size_t i = 0; i < roots_.size(); ++i) {
    const RootMeanSquare& root = value.roots[i];
    roots_[i].name = root.name;
    roots_[i].squares += root.objects * root.unit * root.unit * mean_squares[i];
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
    if (!parsed["stage"].is_string() || !parsed["step"].is_number_integer()) continue;
    MetricsLine line{parsed["stage"].get<std::string>(), parsed["step"].get<int64_t>(), {}};
    for (const auto& [name, value] : parsed.items()) {
      if (value.is_number() && name != "step") line.values.emplace_back(name, value.get<double>());
    }
    use(line);
  }
}

}  // namespace astroclip::record
