// Similarity search between and within modalities.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <utility>

#include "api/task.h"
#include "plugin/record.h"
#include "probe/bootstrap.h"
#include "probe/metrics.h"
#include "probe/sample.h"
#include "search/knn.h"

namespace astroclip {
namespace {

constexpr int64_t depths[] = {1, 5, 10};

std::string recall_at(int64_t depth) { return "recall@" + std::to_string(depth); }
std::string agree_at(int64_t depth) { return "agree@" + std::to_string(depth); }

double share_up_to(const std::vector<int64_t>& ranks, int64_t depth) {
  const auto hits = std::ranges::count_if(ranks, [&](int64_t rank) { return rank <= depth; });
  return static_cast<double>(hits) / static_cast<double>(ranks.size());
}

class Retrieval final : public Task {
 public:
  struct Parameters {
    std::vector<std::string> labels = {"redshift"};
    std::vector<double> tolerances;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        config::Schema<Parameters>(
            "Finds each object's partner in the other modality, and objects like it in its own and in the other.")
            .field("labels", &Parameters::labels, "what neighbours should agree in")
            .field("tolerances", &Parameters::tolerances,
                   "largest differences that count as agreement, along 'labels'; of redshifts, over 1 + label; none: "
                   "0.02 of redshifts, a quarter of the standard deviation of others",
                   config::each(config::above(0.0)))
            .renamed("label", "labels")
            .renamed("tolerance", "tolerances")
            .check([](const Parameters& p) -> std::string {
              if (p.labels.empty()) return "'labels' must name a label";
              if (p.tolerances.empty() || p.tolerances.size() == p.labels.size()) return "";
              return "'tolerances' must have one number for each label";
            })
            .example(R"(
[[tasks]]
plugin = "retrieval"
labels = ["redshift", "log_mass"]
)");
    return schema;
  }

  explicit Retrieval(const Parameters& parameters) : p_(parameters) {}

  std::vector<std::string> labels() const override { return p_.labels; }

  TaskResult run(const TaskInput& input) const override {
    TaskResult result;
    if (has_pair(input)) result.reports.push_back(across(input));
    result.reports.push_back(agreement(input));
    return result;
  }

 private:
  static bool are_pair(const Representation& from, const Representation& to) {
    return from.cross_modal && to.cross_modal && from.name == to.name && from.modality != to.modality &&
           from.test.values.columns == to.test.values.columns;
  }

  static bool has_pair(const TaskInput& input) {
    return std::ranges::any_of(input.representations, [&](const Representation& from) {
      return std::ranges::any_of(input.representations, [&](const Representation& to) { return are_pair(from, to); });
    });
  }

  /// Columns with units of their own are standardised; embeddings are taken as they are.
  static Matrix prepared(const Representation& from, const std::vector<int64_t>& objects) {
    const Matrix test = of_some(from.test, objects).values;
    return from.has_units ? probe::Standardiser(from.train.values)(test) : test;
  }

  static Measurement line(const Representation& from, const Representation& to, const std::string& method,
                          std::vector<Metric> values, int64_t n_test) {
    const int64_t n_train = from.has_units ? from.train.values.rows : 0;
    return {from.name, from.modality + " → " + to.modality, method, from.role, std::move(values), n_train, n_test};
  }

  static Report across(const TaskInput& input) {
    Report report;
    report.title = "retrieval across modalities: rank of each test object's own partner by cosine";
    report.better["median rank"] = Better::less;
    for (const int64_t depth : depths) report.better[recall_at(depth)] = Better::more;
    for (auto from = input.representations.begin(); from != input.representations.end(); ++from) {
      for (auto to = std::next(from); to != input.representations.end(); ++to) {
        if (!are_pair(*from, *to)) continue;
        std::vector<int64_t> both;
        std::ranges::set_intersection(from->test.objects, to->test.objects, std::back_inserter(both));
        if (both.empty()) continue;
        const search::PartnerRanks ranks = search::partner_ranks(prepared(*from, both), prepared(*to, both));
        report.rows.push_back(recall(*from, *to, ranks.in_queries, input));
        report.rows.push_back(recall(*to, *from, ranks.in_among, input));
      }
    }
    std::ranges::stable_sort(report.rows, {}, &Measurement::modality);
    report.note =
        "among the test objects of each line; by chance the median rank is half of them. Magnitudes are standardised "
        "per column in each modality.";
    return report;
  }

  static Measurement recall(const Representation& from, const Representation& to, const std::vector<int64_t>& all,
                            const TaskInput& input) {
    const probe::Statistic of_ranks = [&](std::span<const int64_t> objects) {
      std::vector<int64_t> ranks;
      for (const int64_t object : objects) ranks.push_back(all[static_cast<size_t>(object)]);
      std::vector<Metric> metrics;
      for (const int64_t depth : depths) metrics.push_back({recall_at(depth), share_up_to(ranks, depth)});
      metrics.push_back({"median rank", probe::median({ranks.begin(), ranks.end()})});
      return metrics;
    };
    return line(from, to, "cosine", probe::with_errors({of_ranks}, std::ssize(all), input), std::ssize(all));
  }

  /// The object itself is left out: within a modality it is always nearest, and across modalities its partner says
  /// nothing of whether others are like it.
  Report agreement(const TaskInput& input) const {
    Report report;
    report.title = "agreement of neighbours: share of the nearest other test objects that agree with an object";
    for (const int64_t depth : depths) report.better[agree_at(depth)] = Better::more;
    std::vector<Wanted> wanted;
    for (size_t i = 0; i < p_.labels.size(); ++i) wanted.push_back(wanted_of(i, input));
    for (const Representation& from : input.representations) {
      for (const Representation& to : input.representations) {
        if (&from != &to && !are_pair(from, to)) continue;
        std::vector<int64_t> both;
        std::ranges::set_intersection(from.test.objects, to.test.objects, std::back_inserter(both));
        if (both.size() < 2) continue;
        const auto neighbours = search::nearest(search::unit_rows(prepared(from, both)),
                                                search::unit_rows(prepared(to, both)), depths[2] + 1);
        for (const Wanted& label : wanted) add_agreement(from, to, label, neighbours, both, input, report);
      }
    }
    std::ranges::stable_sort(report.rows, {},
                             [](const Measurement& row) { return std::pair(row.method, row.modality); });
    report.note = "by cosine; the object itself is left out.";
    for (const Wanted& label : wanted) {
      report.note += " " + label.name + ": " + (label.is_relative ? "|Δ|/(1 + " + label.name + ")" : "|Δ|") + " < " +
                     short_number(label.tolerance) + ", as of " + short_number(by_chance(label)) +
                     " of all pairs of objects.";
    }
    return report;
  }

  /// A label of the test objects, and when two agree in it.
  struct Wanted {
    std::string name;
    const std::vector<double>& values;
    double tolerance;
    bool is_relative;

    double largest_difference(double value) const { return tolerance * (is_relative ? 1.0 + value : 1.0); }
  };

  Wanted wanted_of(size_t index, const TaskInput& input) const {
    const std::string& name = p_.labels[index];
    Wanted label{name, input.test_labels.at(name), 0.02, probe::is_redshift(name)};
    if (!p_.tolerances.empty())
      label.tolerance = p_.tolerances[index];
    else if (!label.is_relative)
      label.tolerance = 0.25 * deviation(label.values);
    return label;
  }

  static double deviation(const std::vector<double>& values) {
    double count = 0.0, sum = 0.0, squares = 0.0;
    for (const double value : values) {
      if (!std::isfinite(value)) continue;
      count += 1.0, sum += value;
    }
    for (const double value : values) squares += std::isfinite(value) ? std::pow(value - sum / count, 2) : 0.0;
    return std::sqrt(squares / count);
  }

  /// The share of pairs of different test objects that agree.
  static double by_chance(const Wanted& label) {
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
    return agreeing / (count * (count - 1.0));
  }

  static std::string short_number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
  }

  static void add_agreement(const Representation& from, const Representation& to, const Wanted& label,
                            const search::Neighbours& neighbours, const std::vector<int64_t>& objects,
                            const TaskInput& input, Report& report) {
    const std::vector<Agreement> judged = agreements(neighbours, label, objects);
    if (judged.empty()) return;
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

  /// Of a query: its neighbours with a label up to each depth, and those that agree with it.
  struct Agreement {
    double judged[std::size(depths)] = {}, agreeing[std::size(depths)] = {};
  };

  /// Of the queries that have a label.
  static std::vector<Agreement> agreements(const search::Neighbours& neighbours, const Wanted& label,
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

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Task, astroclip::Retrieval)
