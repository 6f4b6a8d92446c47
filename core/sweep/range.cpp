#include "sweep/range.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "config/schema.h"

namespace astroclip::sweep {

namespace {

constexpr double most_values = 10000;

enum class Scale { linear, log };

struct RangeSpec {
  double from = 0.0;
  double to = 0.0;
  double step = 0.0;
  int64_t count = 0;
  Scale scale = Scale::linear;
};

std::string check_range(const RangeSpec& r) {
  if (!std::isfinite(r.from) || !std::isfinite(r.to)) return "'from' and 'to' must be finite";
  if ((r.count > 0) == (r.step != 0.0)) return "a range has either 'step' or 'count'";
  if (r.scale == Scale::log && (r.count == 0 || r.from <= 0.0 || r.to <= 0.0)) {
    return "a logarithmic range has a 'count', and 'from' and 'to' above 0";
  }
  if (r.step != 0.0 && (r.to - r.from) / r.step < 0.0) return "'step' leads away from 'to'";
  if (r.step != 0.0 && (r.to - r.from) / r.step >= most_values) return "'step' makes more than 10000 values";
  return "";
}

const config::Schema<RangeSpec>& range_schema() {
  static const auto schema =
      config::Schema<RangeSpec>("Evenly spaced values.")
          .required("from", &RangeSpec::from, "the first value")
          .required("to", &RangeSpec::to, "the last value")
          .field("step", &RangeSpec::step, "difference between neighbouring values")
          .field("count", &RangeSpec::count, "number of values", config::between(0, static_cast<int64_t>(most_values)))
          .choice("scale", &RangeSpec::scale, "linear: equal differences; log: equal ratios",
                  {{"linear", Scale::linear}, {"log", Scale::log}})
          .check(check_range);
  return schema;
}

/// 0.30000000000000004 is meant as 0.3.
double rounded(double value) { return std::strtod(fmt::format("{:.12g}", value).c_str(), nullptr); }

std::vector<double> numbers_of(const RangeSpec& r) {
  // A step that falls on `to` but for rounding counts.
  const auto steps = r.count > 0 ? r.count - 1 : static_cast<int64_t>(std::floor((r.to - r.from) / r.step + 1e-9));
  std::vector<double> numbers;
  for (int64_t i = 0; i <= steps; ++i) {
    const double share = steps == 0 ? 0.0 : static_cast<double>(i) / static_cast<double>(steps);
    double value = r.from + static_cast<double>(i) * r.step;
    if (r.count > 0) {
      value = r.scale == Scale::log ? r.from * std::pow(r.to / r.from, share) : r.from + share * (r.to - r.from);
    }
    numbers.push_back(rounded(value));
  }
  return numbers;
}

}  // namespace

bool is_range(const config::Table& table) { return table.find("from") != nullptr; }

std::vector<config::Value> read_range(const config::Table& table, const std::string& where,
                                      const config::Location& place, config::Problems& problems) {
  config::Problems own;
  const RangeSpec range = range_schema().parse(table, {where}, place, own);
  problems.append(own);
  if (!own.empty()) return {};
  const std::vector<double> numbers = numbers_of(range);
  const auto is_integer = [&](const char* key) { return table.find(key)->get_if<int64_t>() != nullptr; };
  const bool whole = is_integer("from") && is_integer("to") &&
                     std::ranges::all_of(numbers, [](double v) { return v == std::round(v); });
  std::vector<config::Value> values;
  for (const double number : numbers) {
    if (whole) {
      values.emplace_back(static_cast<int64_t>(number), place);
    } else {
      values.emplace_back(number, place);
    }
  }
  return values;
}

}  // namespace astroclip::sweep
