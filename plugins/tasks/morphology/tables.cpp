#include "tables.h"

#include <algorithm>
#include <map>
#include <utility>

#include "probe/classification.h"

namespace astroclip::morphology {

Prediction majority_answer(const Representation& from, const TaskInput& input, const probe::Quantity& shares) {
  const auto [train, test, outputs, standardise] = probe::samples_of(from, input, shares, probe::Standardisation::none);
  std::vector<double> counts(outputs.size());
  const probe::Answers answers = probe::largest_shares(train.labels, std::ssize(outputs));
  for (size_t i = 0; i < answers.given.size(); ++i) counts[i % counts.size()] += answers.given[i];
  const auto most = static_cast<size_t>(std::ranges::max_element(counts) - counts.begin());
  std::vector<double> predicted(test.labels.size());
  for (size_t i = most; i < predicted.size(); i += counts.size()) predicted[i] = 1.0;
  return {"majority answer", from.modality, "majority",           Role::floor,  shares.name, std::ssize(train.ids),
          test.ids,          test.labels,   std::move(predicted), test.objects, outputs};
}

void add_confusion(const data::Question& question, const Prediction& one, Report& report) {
  const auto answers = question.answers.size();
  const auto count = static_cast<int64_t>(answers);
  const std::vector<int64_t> objects =
      probe::confusion(probe::largest_shares(one.predicted, count), probe::largest_shares(one.truth, count));
  for (size_t truth = 0; truth < answers; ++truth) {
    Measurement row{one.representation, one.modality, one.method + ", true: " + question.answers[truth], one.role, {}};
    row.n_train = one.trained_on;
    for (size_t found = 0; found < answers; ++found) row.n_test += objects[truth * answers + found];
    for (size_t found = 0; found < answers; ++found) {
      row.values.push_back({question.answers[found],
                            static_cast<double>(objects[truth * answers + found]) / static_cast<double>(row.n_test)});
    }
    report.rows.push_back(std::move(row));
  }
}

void add_means(const Report& report, Report& mean) {
  std::map<std::pair<std::string, std::string>, std::pair<Measurement, double>> sums;
  std::vector<std::pair<std::string, std::string>> order;
  for (const Measurement& row : report.rows) {
    const std::string method = row.method.substr(row.method.rfind(' ') + 1);
    const std::pair key(row.modality + " " + method, row.representation);
    const auto [entry, is_new] = sums.try_emplace(key, row, 1.0);
    auto& [sum, count] = entry->second;
    if (is_new) {
      order.push_back(key);
      sum.method = method;
      continue;
    }
    count += 1.0;
    sum.n_train = std::max(sum.n_train, row.n_train), sum.n_test = std::max(sum.n_test, row.n_test);
    for (size_t i = 0; i < row.values.size(); ++i) {
      sum.values[i].value += row.values[i].value;
      sum.values[i].object_error += row.values[i].object_error;
      sum.values[i].seed_error += row.values[i].seed_error;
    }
  }
  for (const auto& key : order) {
    auto& [sum, count] = sums.at(key);
    for (Metric& metric : sum.values) metric.value /= count, metric.object_error /= count, metric.seed_error /= count;
    mean.rows.push_back(sum);
  }
  std::ranges::stable_sort(mean.rows, {}, [](const Measurement& row) { return std::pair(row.method, row.modality); });
}

}  // namespace astroclip::morphology
