// Answers of Galaxy Zoo's volunteers from an embedding: the published protocol of AstroCLIP (Parker et al. 2024,
// section 5.5), and that protocol with its mistakes corrected.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

#include "data/galaxy_zoo.h"
#include "plugin/record.h"
#include "probe/classification.h"
#include "probe/predict.h"

namespace astroclip {
namespace {

enum class Protocol { own, published, corrected };

class Morphology final : public Task {
 public:
  struct Parameters : probe::Options {
    std::string catalogue = "galaxy_zoo_decals";
    std::string votes = "fraction";
    std::vector<std::string> questions;
    int64_t min_votes = 35;
    bool confusion = true;
    Protocol protocol = Protocol::own;
    Parameters() {
      hidden = {256, 256, 256};
      epochs = 25, batch = 256, dropout = 0.2, validation = 0.1;
      draws_by_share = true;
    }
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        probe::with_options(
            config::Schema<Parameters>("Answers to Galaxy Zoo's questions by nearest neighbours or a small network.")
                .field("catalogue", &Parameters::catalogue, "whose questions",
                       config::one_of({"galaxy_zoo_decals", "galaxy_zoo_2"}))
                .field("votes", &Parameters::votes,
                       "which labels: QUESTION_ANSWER_fraction or QUESTION_ANSWER_debiased",
                       config::one_of({"fraction", "debiased"}))
                .field("questions", &Parameters::questions, "which of the catalogue's; none: all")
                .field("min_votes", &Parameters::min_votes,
                       "least number of votes on a question that a test object has; others are left out and counted",
                       config::at_least(1))
                .field("confusion", &Parameters::confusion, "show which answers are taken for which, in the embedding")
                .choice(
                    "protocol", &Parameters::protocol,
                    "published: that of AstroCLIP, with unscaled embeddings, a second softmax in the loss and the last "
                    "epoch's weights; corrected: the same with standardised columns, one softmax and the best epoch's "
                    "weights; own: as the other keys say",
                    {{"own", Protocol::own}, {"published", Protocol::published}, {"corrected", Protocol::corrected}})
                .check([](const Parameters& p) { return refusal(p); }),
            "none: a linear model", probe::Target::shares)
            .example(R"(
[[tasks]]
plugin = "morphology"
min_votes = 20
)");
    return schema;
  }

  explicit Morphology(const Parameters& parameters) : p_(parameters) {
    if (p_.protocol != Protocol::own) p_.Options::protocol = name_of(p_.protocol);
    if (p_.protocol != Protocol::published) return;
    p_.standardisation = probe::Standardisation::none;
    p_.softmax_twice = true, p_.keeps_best = false;
  }

  std::vector<std::string> labels() const override {
    std::vector<std::string> names;
    for (const data::Question& question : questions_of(p_)) {
      names.push_back(data::total_votes(question));
      for (const std::string& share : quantity_of(question).labels) names.push_back(share);
    }
    return names;
  }

  TaskResult run(const TaskInput& given) const override {
    TaskInput input = given;
    TaskResult result;
    Report report, mean;
    report.title = "morphology: answers of test objects from representations of training objects";
    mean.title = "morphology: mean of the questions";
    std::string few, unmeasured;
    for (const data::Question& question : questions_of(p_)) {
      const int64_t left_out = leave_out_few_votes(question, input);
      if (left_out > 0) add_to(few, std::to_string(left_out) + " on " + question.name);
      if (objects_with(question, input.test_labels) < 2 || objects_with(question, input.train_labels) < 2) {
        add_to(unmeasured, question.name);
        continue;
      }
      measure_question(question, input, report, result);
    }
    add_means(report, mean);
    for (Report* one : {&report, &mean}) {
      if (p_.protocol != Protocol::own) one->protocol = name_of(p_.protocol);
      one->better = {{"accuracy", Better::more}, {"balanced", Better::more}, {"F1", Better::more}};
      one->note = note(few, unmeasured);
    }
    mean.note = "Errors are those of questions with the same objects: means of the questions' errors. " + mean.note;
    result.reports.insert(result.reports.begin(), {std::move(report), std::move(mean)});
    return result;
  }

 private:
  using Labels = std::map<std::string, std::vector<double>>;

  static std::string name_of(Protocol protocol) { return protocol == Protocol::published ? "published" : "corrected"; }

  static std::string refusal(const Parameters& p) {
    const auto all = p.catalogue == "galaxy_zoo_2" ? data::galaxy_zoo_2() : data::galaxy_zoo_decals();
    for (const std::string& name : p.questions) {
      if (std::ranges::find(all, name, &data::Question::name) != all.end()) continue;
      std::string known;
      for (const data::Question& question : all) add_to(known, question.name);
      return "'questions' names '" + name + "'; the questions of '" + p.catalogue + "' are " + known;
    }
    const Parameters set;
    const bool differs = p.k != set.k || p.hidden != set.hidden || p.epochs != set.epochs || p.batch != set.batch ||
                         p.lr != set.lr || p.dropout != set.dropout || p.validation != set.validation ||
                         p.min_votes != set.min_votes;
    if (p.protocol == Protocol::own || !differs) return "";
    return "'protocol' sets k = 64, hidden = [256, 256, 256], epochs = 25, batch = 256, lr = 0.001, dropout = 0.2, "
           "validation = 0.1 and min_votes = 35; leave these keys out, or 'protocol'";
  }

  static void add_to(std::string& list, const std::string& item) { list += (list.empty() ? "" : ", ") + item; }

  static std::vector<data::Question> questions_of(const Parameters& p) {
    const auto all = p.catalogue == "galaxy_zoo_2" ? data::galaxy_zoo_2() : data::galaxy_zoo_decals();
    std::vector<data::Question> chosen;
    std::ranges::copy_if(all, std::back_inserter(chosen), [&](const data::Question& question) {
      return p.questions.empty() || std::ranges::find(p.questions, question.name) != p.questions.end();
    });
    return chosen;
  }

  probe::Quantity quantity_of(const data::Question& question) const {
    probe::Quantity quantity{question.name, {}, probe::Quantity::Kind::shares};
    for (size_t a = 0; a < question.answers.size(); ++a)
      quantity.labels.push_back(data::vote_share(question, a, p_.votes));
    return quantity;
  }

  /// Whether all shares of the question's answers are known.
  bool has_shares(const data::Question& question, const Labels& labels, size_t object) const {
    return std::ranges::all_of(quantity_of(question).labels,
                               [&](const std::string& name) { return std::isfinite(labels.at(name)[object]); });
  }

  int64_t objects_with(const data::Question& question, const Labels& labels) const {
    int64_t count = 0;
    const size_t objects = labels.at(data::total_votes(question)).size();
    for (size_t object = 0; object < objects; ++object) count += has_shares(question, labels, object) ? 1 : 0;
    return count;
  }

  /// Takes the shares from test objects with too few votes; gives how many had some.
  int64_t leave_out_few_votes(const data::Question& question, TaskInput& input) const {
    int64_t left_out = 0;
    const std::vector<double>& total = input.test_labels.at(data::total_votes(question));
    for (size_t object = 0; object < total.size(); ++object) {
      if (total[object] >= static_cast<double>(p_.min_votes)) continue;
      left_out += has_shares(question, input.test_labels, object) ? 1 : 0;
      for (const std::string& name : quantity_of(question).labels) input.test_labels.at(name)[object] = std::nan("");
    }
    return left_out;
  }

  void measure_question(const data::Question& question, const TaskInput& input, Report& report,
                        TaskResult& result) const {
    const probe::Quantity quantity = quantity_of(question);
    const auto answers = std::ssize(question.answers);
    const probe::Ties ties = p_.protocol == Protocol::published ? probe::Ties::all : probe::Ties::first;
    const probe::PredictionMetrics metrics = [&](std::span<const double> predicted, std::span<const double> truth) {
      const probe::Answers found = probe::largest_shares(predicted, answers, ties);
      const probe::Answers expected = probe::largest_shares(truth, answers, ties);
      return std::vector<Metric>{{"accuracy", probe::accuracy(found, expected)},
                                 {"balanced", probe::balanced_accuracy(found, expected)},
                                 {"F1", probe::weighted_f1(found, expected)}};
    };
    const auto first = static_cast<std::ptrdiff_t>(report.rows.size());
    Report confusions;
    confusions.title = "morphology: what is taken for what on " + question.name;
    confusions.note = "Shares of the test objects with each true answer.";
    std::set<std::string> modalities;
    for (const Representation& from : input.representations) {
      for (probe::BySeed& predictions : probe::predict(from, input, quantity, p_)) {
        const std::string method = question.name + " " + predictions.front().method;
        report.rows.push_back(probe::measure(predictions, method, metrics, input));
        if (from.role == Role::model && p_.confusion) add_confusion(question, predictions.front(), confusions);
        std::ranges::move(predictions, std::back_inserter(result.predictions));
      }
      if (!modalities.insert(from.modality).second) continue;
      const probe::BySeed majority = {majority_answer(from, input, quantity)};
      report.rows.push_back(probe::measure(majority, question.name + " majority", metrics, input));
    }
    std::stable_sort(report.rows.begin() + first, report.rows.end(), [](const auto& a, const auto& b) {
      return std::pair(a.method, a.modality) < std::pair(b.method, b.modality);
    });
    if (!confusions.rows.empty()) result.reports.push_back(std::move(confusions));
  }

  /// For every test object the answer that most training objects have.
  static Prediction majority_answer(const Representation& from, const TaskInput& input,
                                    const probe::Quantity& quantity) {
    const auto [train, test, outputs, standardise] =
        probe::samples_of(from, input, quantity, probe::Standardisation::none);
    std::vector<double> counts(outputs.size());
    const probe::Answers answers = probe::largest_shares(train.labels, std::ssize(outputs));
    for (size_t i = 0; i < answers.given.size(); ++i) counts[i % counts.size()] += answers.given[i];
    const auto most = static_cast<size_t>(std::ranges::max_element(counts) - counts.begin());
    std::vector<double> predicted(test.labels.size());
    for (size_t i = most; i < predicted.size(); i += counts.size()) predicted[i] = 1.0;
    return {"majority answer", from.modality, "majority",           Role::floor,  quantity.name, std::ssize(train.ids),
            test.ids,          test.labels,   std::move(predicted), test.objects, outputs};
  }

  static void add_confusion(const data::Question& question, const Prediction& one, Report& report) {
    const auto answers = question.answers.size();
    const auto count = static_cast<int64_t>(answers);
    const std::vector<int64_t> objects =
        probe::confusion(probe::largest_shares(one.predicted, count), probe::largest_shares(one.truth, count));
    for (size_t truth = 0; truth < answers; ++truth) {
      Measurement row{
          one.representation, one.modality, one.method + ", true: " + question.answers[truth], one.role, {}};
      row.n_train = one.trained_on;
      for (size_t found = 0; found < answers; ++found) row.n_test += objects[truth * answers + found];
      for (size_t found = 0; found < answers; ++found) {
        row.values.push_back({question.answers[found],
                              static_cast<double>(objects[truth * answers + found]) / static_cast<double>(row.n_test)});
      }
      report.rows.push_back(std::move(row));
    }
  }

  /// A line for each representation and probe: the mean over the questions.
  static void add_means(const Report& report, Report& mean) {
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

  std::string note(const std::string& few, const std::string& unmeasured) const {
    std::string text = p_.protocol == Protocol::own ? "" : "protocol " + name_of(p_.protocol) + "; ";
    text +=
        "shares of votes are learnt, the largest one is the answer; balanced: the mean recall of the answers; F1: "
        "weighted by how often an answer is true.";
    if (!few.empty())
      text += " Test objects left out with fewer than " + std::to_string(p_.min_votes) + " votes: " + few + ".";
    if (!unmeasured.empty()) text += " Not measured, as fewer than two objects have the votes: " + unmeasured + ".";
    return text;
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Task, astroclip::Morphology)
