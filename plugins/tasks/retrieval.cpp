// Similarity search between and within modalities.
#include <algorithm>
#include <cmath>
#include <iterator>

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
    std::string label = "redshift";
    double tolerance = 0.02;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        config::Schema<Parameters>("Finds each object's partner in the other modality, and its like in its own.")
            .field("label", &Parameters::label, "what neighbours within a modality should agree in")
            .field("tolerance", &Parameters::tolerance,
                   "largest difference that counts as agreement; of redshifts, over 1 + label", config::above(0.0))
            .example(R"(
[[tasks]]
plugin = "retrieval"
)");
    return schema;
  }

  explicit Retrieval(const Parameters& parameters) : p_(parameters) {}

  std::vector<std::string> labels() const override { return {p_.label}; }

  TaskResult run(const TaskInput& input) const override {
    TaskResult result;
    if (has_pair(input)) result.reports.push_back(across(input));
    result.reports.push_back(within(input));
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

  static Measurement line(const Representation& from, const Representation& to, std::vector<Metric> values,
                          int64_t n_test) {
    const int64_t n_train = from.has_units ? from.train.values.rows : 0;
    return {from.name, from.modality + " → " + to.modality, "cosine", from.role, std::move(values), n_train, n_test};
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
    return line(from, to, probe::with_errors({of_ranks}, std::ssize(all), input), std::ssize(all));
  }

  /// Within a modality the object itself is always nearest, so what counts is whether the others are like it.
  Report within(const TaskInput& input) const {
    Report report;
    report.title = "retrieval within a modality: share of the nearest other test objects that agree in " + p_.label;
    for (const int64_t depth : depths) report.better[agree_at(depth)] = Better::more;
    for (const Representation& from : input.representations) {
      const std::vector<int64_t>& there = from.test.objects;
      if (there.size() < 2) continue;
      std::vector<double> labels;
      for (const int64_t object : there) labels.push_back(input.test_labels.at(p_.label)[static_cast<size_t>(object)]);
      const Matrix rows = search::unit_rows(prepared(from, there));
      const auto neighbours = search::nearest(rows, rows, depths[2] + 1);
      const std::vector<Agreement> judged = agreements(neighbours, labels);
      if (judged.empty()) continue;
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
      report.rows.push_back(line(from, from, probe::with_errors({shares}, count, input), count));
    }
    std::ranges::stable_sort(report.rows, {}, &Measurement::modality);
    const std::string difference = probe::is_redshift(p_.label) ? "|Δ|/(1 + " + p_.label + ")" : "|Δ " + p_.label + "|";
    report.note = "agreement: " + difference + " < " + std::to_string(p_.tolerance).substr(0, 5) +
                  "; the object itself is left out.";
    return report;
  }

  /// Of a query: its neighbours with a label up to each depth, and those that agree with it.
  struct Agreement {
    double judged[std::size(depths)] = {}, agreeing[std::size(depths)] = {};
  };

  /// Of the queries that have a label.
  std::vector<Agreement> agreements(const search::Neighbours& neighbours, const std::vector<double>& labels) const {
    std::vector<Agreement> all;
    const auto k = static_cast<size_t>(neighbours.k);
    for (size_t query = 0; query < labels.size(); ++query) {
      if (!std::isfinite(labels[query])) continue;
      const double scale = probe::is_redshift(p_.label) ? 1.0 + labels[query] : 1.0;
      Agreement& agreement = all.emplace_back();
      int64_t taken = 0;
      for (size_t i = query * k; i < (query + 1) * k; ++i) {
        const auto found = static_cast<size_t>(neighbours.index[i]);
        if (found == query) continue;
        ++taken;
        if (!std::isfinite(labels[found])) continue;
        const bool agrees =
            std::isfinite(neighbours.distance[i]) && std::abs(labels[found] - labels[query]) < p_.tolerance * scale;
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
