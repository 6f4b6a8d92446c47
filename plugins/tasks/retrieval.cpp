// Similarity search between and within modalities.
#include <algorithm>
#include <cmath>
#include <iterator>

#include "api/task.h"
#include "plugin/record.h"
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
            .field("tolerance", &Parameters::tolerance, "largest difference over 1 + label that counts as agreement",
                   config::above(0.0))
            .example(R"(
[[tasks]]
plugin = "retrieval"
)");
    return schema;
  }

  explicit Retrieval(const Parameters& parameters) : p_(parameters) {}

  std::vector<std::string> labels() const override { return {p_.label}; }

  TaskResult run(const TaskInput& input) const override { return {{across(input), within(input)}}; }

 private:
  /// Columns with units of their own are standardised; embeddings are taken as they are.
  static Matrix prepared(const Representation& from, const std::vector<int64_t>& rows) {
    const Matrix test = select_rows(from.test, rows);
    if (!from.has_units) return test;
    return probe::Standardiser(select_rows(from.train, present_rows(from.train)))(test);
  }

  static Report across(const TaskInput& input) {
    Report report;
    report.title = "retrieval across modalities: rank of each test object's own partner by cosine";
    report.better["median rank"] = Better::less;
    for (const int64_t depth : depths) report.better[recall_at(depth)] = Better::more;
    size_t count = 0;
    for (auto from = input.representations.begin(); from != input.representations.end(); ++from) {
      for (auto to = std::next(from); to != input.representations.end(); ++to) {
        const bool pair = from->cross_modal && to->cross_modal && from->name == to->name &&
                          from->modality != to->modality && from->test.columns == to->test.columns;
        if (!pair) continue;
        std::vector<int64_t> both;
        std::ranges::set_intersection(present_rows(from->test), present_rows(to->test), std::back_inserter(both));
        if (both.empty()) continue;
        const search::PartnerRanks ranks = search::partner_ranks(prepared(*from, both), prepared(*to, both));
        report.rows.push_back(recall(*from, *to, ranks.in_queries));
        report.rows.push_back(recall(*to, *from, ranks.in_among));
        count = both.size();
      }
    }
    std::ranges::stable_sort(report.rows, {}, &Measurement::modality);
    report.note = "among " + std::to_string(count) + " test objects; by chance the median rank is " +
                  std::to_string((count + 1) / 2) + ". Magnitudes are standardised per column in each modality.";
    return report;
  }

  static Measurement recall(const Representation& from, const Representation& to, const std::vector<int64_t>& ranks) {
    Measurement row{from.name, from.modality + " → " + to.modality, "cosine", from.role, {}};
    for (const int64_t depth : depths) row.values.emplace_back(recall_at(depth), share_up_to(ranks, depth));
    row.values.emplace_back("median rank", probe::median({ranks.begin(), ranks.end()}));
    return row;
  }

  /// Within a modality the object itself is always nearest, so what counts is whether the others are like it.
  Report within(const TaskInput& input) const {
    Report report;
    report.title = "retrieval within a modality: share of the nearest other test objects that agree in " + p_.label;
    for (const int64_t depth : depths) report.better[agree_at(depth)] = Better::more;
    const auto& all_labels = input.test_labels.at(p_.label);
    for (const Representation& from : input.representations) {
      const std::vector<int64_t> there = present_rows(from.test);
      if (there.size() < 2) continue;
      std::vector<double> labels;
      for (const int64_t row : there) labels.push_back(all_labels[static_cast<size_t>(row)]);
      const Matrix rows = search::unit_rows(prepared(from, there));
      const auto neighbours = search::nearest(rows, rows, depths[2] + 1);
      Measurement row{from.name, from.modality + " → " + from.modality, "cosine", from.role, {}};
      for (const int64_t depth : depths) {
        row.values.emplace_back(agree_at(depth), agreement(neighbours, labels, depth));
      }
      report.rows.push_back(std::move(row));
    }
    std::ranges::stable_sort(report.rows, {}, &Measurement::modality);
    report.note = "agreement: |Δ|/(1 + " + p_.label + ") < " + std::to_string(p_.tolerance).substr(0, 5) +
                  "; the object itself is left out.";
    return report;
  }

  double agreement(const search::Neighbours& neighbours, const std::vector<double>& labels, int64_t depth) const {
    double agreeing = 0.0, judged = 0.0;
    for (size_t query = 0; query < labels.size(); ++query) {
      if (!std::isfinite(labels[query])) continue;
      int64_t taken = 0;
      for (int64_t i = 0; i < neighbours.k && taken < depth; ++i) {
        const size_t at = query * static_cast<size_t>(neighbours.k) + static_cast<size_t>(i);
        const auto found = static_cast<size_t>(neighbours.index[at]);
        if (found == query) continue;
        ++taken;
        if (!std::isfinite(labels[found])) continue;
        judged += 1.0;
        const bool agrees = std::abs(labels[found] - labels[query]) < p_.tolerance * (1.0 + labels[query]);
        agreeing += agrees && std::isfinite(neighbours.distance[at]) ? 1.0 : 0.0;
      }
    }
    return agreeing / judged;
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Task, astroclip::Retrieval)
