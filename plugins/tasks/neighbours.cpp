// The nearest neighbours of each object, by name: what an embedding takes for alike.
#include <algorithm>
#include <cmath>
#include <span>

#include "api/task.h"
#include "plugin/record.h"
#include "search/knn.h"

namespace astroclip {
namespace {

class Neighbours final : public Task {
 public:
  struct Parameters {
    int64_t k = 3;
    std::string queries = "test";
    int64_t limit = 100;
    std::vector<std::string> modalities;
    bool references = false;
    std::string label = "redshift";
  };

  static const config::Schema<Parameters>& schema() {
    using config::at_least;
    static const auto schema =
        config::Schema<Parameters>("Lists the nearest neighbours of each object among all others, by cosine.")
            .field("k", &Parameters::k, "neighbours of an object", at_least(1))
            .field("queries", &Parameters::queries, "whose neighbours are listed", config::one_of({"test", "all"}))
            .field("limit", &Parameters::limit, "objects whose neighbours are listed at most", at_least(1))
            .field("modalities", &Parameters::modalities, "within which to search; none: within each there is")
            .field("references", &Parameters::references, "search within floors and baselines, too")
            .renamed("baselines", "references")
            .field("label", &Parameters::label, "label shown for object and neighbour")
            .example(R"(
[[tasks]]
plugin = "neighbours"
k = 5
limit = 100
)");
    return schema;
  }

  explicit Neighbours(const Parameters& parameters) : p_(parameters) {}

  std::vector<std::string> labels() const override { return {p_.label}; }

  TaskResult run(const TaskInput& input) const override {
    TaskResult result;
    for (const Representation& from : input.representations) {
      const bool wanted =
          p_.modalities.empty() || std::ranges::find(p_.modalities, from.modality) != p_.modalities.end();
      if (wanted && (p_.references || from.role == Role::model)) result.reports.push_back(within(from, input));
    }
    return result;
  }

 private:
  /// What is embedded, training objects before test objects.
  struct Objects {
    Matrix embeddings;
    std::vector<int64_t> ids;
    std::vector<double> labels;
    std::vector<int64_t> queries;  ///< rows of embeddings

    void add(const Vectors& vectors, const std::vector<int64_t>& all_ids, const std::vector<double>& all_labels,
             bool are_queries) {
      embeddings.append(vectors.values);
      for (const int64_t object : vectors.objects) {
        if (are_queries) queries.push_back(static_cast<int64_t>(ids.size()));
        ids.push_back(all_ids[static_cast<size_t>(object)]);
        labels.push_back(all_labels[static_cast<size_t>(object)]);
      }
    }
  };

  Report within(const Representation& from, const TaskInput& input) const {
    Objects objects;
    objects.add(from.train, input.train_ids, input.train_labels.at(p_.label), p_.queries == "all");
    objects.add(from.test, input.test_ids, input.test_labels.at(p_.label), true);
    Report report;
    report.title = "neighbours: nearest objects by " + from.modality + ", " + from.name;
    report.note = "nearest first, among " + std::to_string(objects.ids.size()) + " objects with this modality";
    if (objects.ids.size() < 2) {
      report.note += "; two are needed";
      return report;
    }
    const size_t count = std::min(objects.queries.size(), static_cast<size_t>(p_.limit));
    const std::span<const int64_t> queries(objects.queries.data(), count);
    const Matrix unit = search::unit_rows(objects.embeddings);
    const search::Neighbours found = search::nearest(select_rows(unit, queries), unit, p_.k + 1);
    for (size_t i = 0; i < count; ++i) list(from, input.id_names, objects, found, i, report);
    if (count < objects.queries.size()) {
      report.note +=
          "; the first " + std::to_string(count) + " of " + std::to_string(objects.queries.size()) + " are listed";
    }
    return report;
  }

  /// One line for each neighbour of query `number` but the object itself and those that are not finite.
  void list(const Representation& from, const IdNames& names, const Objects& objects, const search::Neighbours& found,
            size_t number, Report& report) const {
    const auto query = static_cast<size_t>(objects.queries[number]), k = static_cast<size_t>(found.k);
    int64_t listed = 0;
    for (size_t i = number * k; i < (number + 1) * k && listed < p_.k; ++i) {
      const auto other = static_cast<size_t>(found.index[i]);
      if (other == query || !std::isfinite(found.distance[i])) continue;
      ++listed;
      const double cosine = 1.0 - 0.5 * found.distance[i] * found.distance[i];
      report.rows.push_back(
          {from.name,
           from.modality,
           names(objects.ids[query]) + " → " + names(objects.ids[other]),
           from.role,
           {{"cosine", cosine}, {p_.label, objects.labels[query]}, {"its " + p_.label, objects.labels[other]}},
           from.train.values.rows,
           from.test.values.rows});
    }
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Task, astroclip::Neighbours)
