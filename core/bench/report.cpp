#include "bench/report.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "experiment/precision.h"

namespace astroclip::bench {

Report::Report(const Settings& settings, const std::string& json) : settings_(settings) {
  if (!json.empty()) json_.emplace(json, io::OutputFile::Mode::append);
}

void Report::print_header() const {
  const bool on_card = settings_.on_card();
  fmt::print("{:<46}{:>11}{:>10}{:>9}{:>12}{:>9}{}\n", "", "ms", on_card ? "TFLOP/s" : "GFLOP/s",
             on_card ? "TB/s" : "GB/s", "objects/s", "share", on_card ? "  first s      GiB" : "");
}

void Report::add(const Result& result) {
  print(result);
  if (json_) write(result);
}

void Report::print(const Result& result) const {
  if (!result.error.empty()) {
    fmt::print("{:<46}  {}{}\n", result.name, result.peer.empty() ? "" : result.peer + ": ", result.error);
    return;
  }
  const double unit = settings_.on_card() ? 1e12 : 1e9;
  const auto rate = [&](double amount, double scale) {
    return amount > 0.0 ? fmt::format("{:.1f}", amount / result.seconds / scale) : "";
  };
  const std::string bytes = settings_.on_card() && result.work.bytes > 0.0
                                ? fmt::format("{:.2f}", result.work.bytes / result.seconds / unit)
                                : rate(result.work.bytes, unit);
  std::string line =
      fmt::format("{:<46}{:>11.{}f}{:>10}{:>9}{:>12}{:>9}", result.name, result.seconds * 1e3,
                  settings_.on_card() ? 3 : 2, rate(result.work.operations, unit), bytes,
                  rate(result.work.objects, 1.0), result.share ? fmt::format("{:.0f} %", 100.0 * *result.share) : "");
  if (settings_.on_card()) {
    line += fmt::format("{:>9}{:>9}", result.first ? fmt::format("{:.2f}", *result.first) : "",
                        result.memory ? fmt::format("{:.2f}", *result.memory / (1 << 30)) : "");
  }
  if (!result.peer.empty()) line += "  " + result.peer;
  if (result.ratio) line += fmt::format(": {:.2f} times as long", *result.ratio);
  if (!result.work.note.empty()) line += "  " + result.work.note;
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void Report::write(const Result& result) {
  nlohmann::ordered_json line = {
      {"name", result.name}, {"device", settings_.device.str()}, {"precision", name_of(settings_.precision)}};
  const auto set = [&](const char* key, const std::optional<double>& value) {
    if (value) line[key] = *value;
  };
  const auto set_rate = [&](const char* key, double amount) {
    if (amount > 0.0) line[key] = amount / result.seconds;
  };
  if (!result.peer.empty()) line["peer"] = result.peer;
  if (result.error.empty()) {
    line["seconds"] = result.seconds;
    set_rate("operations_per_second", result.work.operations);
    set_rate("bytes_per_second", result.work.bytes);
    set_rate("objects_per_second", result.work.objects);
  } else {
    line["error"] = result.error;
  }
  set("share", result.share);
  set("times_as_long", result.ratio);
  set("first_seconds", result.first);
  set("held_bytes", result.memory);
  if (!result.work.note.empty()) line["note"] = result.work.note;
  json_->write(line.dump() + "\n");
}

}  // namespace astroclip::bench
