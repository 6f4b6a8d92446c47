#include "agreement.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <utility>

#include "pairs.h"
#include "probe/bootstrap.h"
#include "probe/metrics.h"
#include "search/knn.h"

namespace astroclip::retrieval {

namespace {

std::string agree_at(int64_t depth) { return "agree@" + std::to_string(depth); }

double deviation(const std::vector<double>& values) {
  double count = 0.0, sum = 0.0, squares = 0.0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    count += 1.0, sum += value;
  }
  for (const double value : values) squares += std::isfinite(value) ? std::pow(value - sum / count, 2) : 0.0;
  return std::sqrt(squares / count);
}

/// A label of the test objects, and when two agree in it.
struct Wanted {
  std::string name;
  const std::vector<double>& values;
  double tolerance;
  bool is_relative;

  Wanted(const Tolerance& given, const TaskInput& input)
      : name(given.label),
        values(input.test_labels.at(name)),
        tolerance(given.largest),
        is_relative(probe::is_redshift(name)) {
    if (tolerance == 0.0) tolerance = is_relative ? 0.02 : 0.25 * deviation(values);
  }

  double largest_difference(double value) const { return tolerance * (is_relative ? 1.0 + value : 1.0); }
};

/// The share of pairs of different test objects that agree; NaN without a pair.
double by_chance(const Wanted& label) {
  std::vector<double> sorted;
  std::ranges::copy_if(label.values, std::back_inserter(sorted), [](double value) { return std::isfinite(value); });
  std::ranges::sort(sorted);
  double agreeing = 0.0;
  for (const double value : sorted) {
    const double largest = label.largest_difference(value);
    const auto first = std::ranges::upper_bound(sorted, value - largest);
    agreeing += static_cast<double>(std::ranges::lower_bound(sorted, value + largest) - first - 1);
  }
  const auto count = static_cast<double>(sorted.size());
  return count < 2.0 ? std::nan("") : agreeing / (count * (count - 1.0));
}

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

/// Of a query: its neighbours with a label up to each depth, and those that agree with it.
struct Agreement {
  double judged[std::size(depths)] = {}, agreeing[std::size(depths)] = {};
};

/// Of the queries that have a label.
std::vector<Agreement> agreements(const search::Neighbours& neighbours, const Wanted& label,
                                  const std::vector<int64_t>& objects) {
  std::vector<Agreement> all;
  const auto value_of = [&](size_t place) { return label.values[static_cast<size_t>(objects[place])]; };
  const auto k = static_cast<size_t>(neighbours.k);
  for (size_t query = 0; query < objects.size(); ++query) {
    const double own = value_of(query), largest = label.largest_difference(own);
    if (!std::isfinite(own)) continue;
    Agreement& agreement = all.emplace_back();
    int64_t taken = 0;
    for (size_t i = query * k; i < (query + 1) * k; ++i) {
      const auto found = static_cast<size_t>(neighbours.index[i]);
      if (found == query) continue;
      ++taken;
      if (!std::isfinite(value_of(found))) continue;
      const bool agrees = std::isfinite(neighbours.distance[i]) && std::abs(value_of(found) - own) < largest;
      for (size_t depth = 0; depth < std::size(depths); ++depth) {
        if (taken > depths[depth]) continue;
        agreement.judged[depth] += 1.0;
        agreement.agreeing[depth] += agrees ? 1.0 : 0.0;
      }
    }
  }
  return all;
}

void add_agreement(const Representation& from, const Representation& to, const Wanted& label,
                   const search::Neighbours& neighbours, const std::vector<int64_t>& objects, const TaskInput& input,
                   Report& report) {
  const std::vector<Agreement> judged = agreements(neighbours, label, objects);
  if (judged.size() < 2) return;
  const probe::Statistic shares = [&](std::span<const int64_t> queries) {
    std::vector<Metric> metrics;
    for (size_t depth = 0; depth < std::size(depths); ++depth) {
      double agreeing = 0.0, all = 0.0;
      for (const int64_t query : queries) {
        agreeing += judged[static_cast<size_t>(query)].agreeing[depth];
        all += judged[static_cast<size_t>(query)].judged[depth];
      }
      metrics.push_back({agree_at(depths[depth]), agreeing / all});
    }
    return metrics;
  };
  const auto count = static_cast<int64_t>(judged.size());
  report.rows.push_back(line(from, to, label.name, probe::with_errors({shares}, count, input), count));
}

}  // namespace

Report agreement(const TaskInput& input, const std::vector<Tolerance>& tolerances) {
  Report report;
  report.title = "agreement of neighbours: share of the nearest other test objects that agree with an object";
  for (const int64_t depth : depths) report.better[agree_at(depth)] = Better::more;
  std::vector<Wanted> wanted;
  for (const Tolerance& tolerance : tolerances) wanted.emplace_back(tolerance, input);
  for (const Representation& from : input.representations) {
    for (const Representation& to : input.representations) {
      if (&from != &to && !are_pair(from, to)) continue;
      const std::vector<int64_t> both = objects_of_both(from, to);
      if (both.size() < 2) continue;
      const auto neighbours = search::nearest(search::unit_rows(prepared(from, both)),
                                              search::unit_rows(prepared(to, both)), depths[2] + 1);
      for (const Wanted& label : wanted) add_agreement(from, to, label, neighbours, both, input, report);
    }
  }
  std::ranges::stable_sort(report.rows, {}, [](const Measurement& row) { return std::pair(row.method, row.modality); });
  report.note = "by cosine; the object itself is left out.";
  for (const Wanted& label : wanted) {
    const double chance = by_chance(label);
    if (std::isnan(chance)) {
      report.note += " " + label.name + ": fewer than two of the test objects have it.";
      continue;
    }
    report.note += " " + label.name + ": " + (label.is_relative ? "|Δ|/(1 + " + label.name + ")" : "|Δ|") + " < " +
                   short_number(label.tolerance) + ", as of " + short_number(chance) + " of all pairs of objects.";
  }
  return report;
}

}  // namespace astroclip::retrieval
