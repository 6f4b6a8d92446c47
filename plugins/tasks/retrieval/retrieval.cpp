// Similarity search between and within modalities.
#include <algorithm>
#include <iterator>
#include <utility>

#include "agreement.h"
#include "api/task.h"
#include "pairs.h"
#include "plugin/record.h"
#include "probe/bootstrap.h"
#include "probe/metrics.h"
#include "search/knn.h"

namespace astroclip {
namespace {

std::string recall_at(int64_t depth) { return "recall@" + std::to_string(depth); }

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
            .field("labels", &Parameters::labels, "labels in which neighbours should agree")
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
    std::vector<retrieval::Tolerance> tolerances;
    for (size_t i = 0; i < p_.labels.size(); ++i) {
      tolerances.push_back({p_.labels[i], p_.tolerances.empty() ? 0.0 : p_.tolerances[i]});
    }
    result.reports.push_back(retrieval::agreement(input, tolerances));
    return result;
  }

 private:
  static bool has_pair(const TaskInput& input) {
    return std::ranges::any_of(input.representations, [&](const Representation& from) {
      return std::ranges::any_of(input.representations,
                                 [&](const Representation& to) { return retrieval::are_pair(from, to); });
    });
  }

  static Report across(const TaskInput& input) {
    Report report;
    report.title = "retrieval across modalities: rank of each test object's own partner by cosine";
    report.better["median rank"] = Better::less;
    for (const int64_t depth : retrieval::depths) report.better[recall_at(depth)] = Better::more;
    for (auto from = input.representations.begin(); from != input.representations.end(); ++from) {
      for (auto to = std::next(from); to != input.representations.end(); ++to) {
        if (!retrieval::are_pair(*from, *to)) continue;
        const std::vector<int64_t> both = retrieval::objects_of_both(*from, *to);
        if (both.empty()) continue;
        const search::PartnerRanks ranks =
            search::partner_ranks(retrieval::prepared(*from, both), retrieval::prepared(*to, both));
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
      for (const int64_t depth : retrieval::depths) metrics.push_back({recall_at(depth), share_up_to(ranks, depth)});
      metrics.push_back({"median rank", probe::median({ranks.begin(), ranks.end()})});
      return metrics;
    };
    return retrieval::line(from, to, "cosine", probe::with_errors({of_ranks}, std::ssize(all), input), std::ssize(all));
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Task, astroclip::Retrieval)
