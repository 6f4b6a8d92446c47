// Answers of Galaxy Zoo's volunteers from an embedding: the published protocol of AstroCLIP (Parker et al. 2024,
// section 5.5), and that protocol with its mistakes corrected.
#include <algorithm>
#include <iterator>
#include <set>

#include "plugin/record.h"
#include "probe/classification.h"
#include "questions.h"
#include "tables.h"

namespace astroclip {
namespace {

using probe::Protocol;

class Morphology final : public Task {
 public:
  struct Parameters : probe::Options, morphology::Poll {
    bool confusion = true;
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
                .field("catalogue", &Parameters::catalogue, "catalogue of the questions",
                       config::one_of({"galaxy_zoo_decals", "galaxy_zoo_2"}))
                .field("votes", &Parameters::votes,
                       "which labels: QUESTION_ANSWER_fraction or QUESTION_ANSWER_debiased",
                       config::one_of({"fraction", "debiased"}))
                .field("questions", &Parameters::questions, "questions of the catalogue; none: all")
                .field("min_votes", &Parameters::min_votes,
                       "least number of votes on a question that a test object has; others are left out and counted",
                       config::at_least(1))
                .field("confusion", &Parameters::confusion, "show which answers are taken for which, in the embedding")
                .choice(
                    "protocol", &Parameters::protocol,
                    "published: that of AstroCLIP, with unscaled embeddings, a second softmax in the loss and the last "
                    "epoch's weights; corrected: the same with standardised columns, one softmax and the best epoch's "
                    "weights; own: as the other keys say",
                    probe::protocols())
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
    if (p_.protocol != Protocol::published) return;
    p_.standardisation = probe::Standardisation::none;
    p_.softmax_twice = true, p_.keeps_best = false;
  }

  std::vector<std::string> labels() const override { return morphology::labels_of(p_); }

  bool reads_tokens() const override { return probe::reads_tokens(p_); }

  TaskResult run(const TaskInput& given) const override {
    TaskInput input = given;
    TaskResult result;
    Report report, mean;
    report.title = "morphology: answers of test objects from representations of training objects";
    mean.title = "morphology: mean of the questions";
    std::string few, unmeasured;
    for (const data::Question& question : morphology::questions_of(p_)) {
      const int64_t left_out = morphology::leave_out_few_votes(question, p_, input);
      if (left_out > 0) morphology::add_to(few, std::to_string(left_out) + " on " + question.name);
      if (!morphology::has_objects(question, p_, input)) {
        morphology::add_to(unmeasured, question.name);
        continue;
      }
      measure_question(question, input, report, result);
    }
    morphology::add_means(report, mean);
    for (Report* one : {&report, &mean}) {
      one->protocol = probe::name_of(p_.protocol);
      one->better = {{"accuracy", Better::more}, {"balanced", Better::more}, {"F1", Better::more}};
      one->note = note(few, unmeasured) + probe::lack_of_tokens(given, p_);
    }
    mean.note = "Errors are those of questions with the same objects: means of the questions' errors. " + mean.note;
    result.reports.insert(result.reports.begin(), {std::move(report), std::move(mean)});
    return result;
  }

 private:
  static std::string refusal(const Parameters& p) {
    if (const std::string wrong = morphology::refusal(p); !wrong.empty()) return wrong;
    const Parameters set;
    const bool differs = !probe::same_training(p, set) || p.min_votes != set.min_votes;
    if (p.protocol == Protocol::own || !differs) return "";
    return "'protocol' sets k = 64, hidden = [256, 256, 256], epochs = 25, batch = 256, lr = 0.001, dropout = 0.2, "
           "validation = 0.1 and min_votes = 35; leave these keys out, or 'protocol'";
  }

  void measure_question(const data::Question& question, const TaskInput& input, Report& report,
                        TaskResult& result) const {
    const probe::Quantity shares = morphology::shares_of(question, p_);
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
      for (probe::BySeed& predictions : probe::predict(from, input, shares, p_)) {
        const std::string method = question.name + " " + predictions.front().method;
        report.rows.push_back(probe::measure(predictions, method, metrics, input));
        if (from.role == Role::model && p_.confusion)
          morphology::add_confusion(question, predictions.front(), confusions);
        std::ranges::move(predictions, std::back_inserter(result.predictions));
      }
      if (!modalities.insert(from.modality).second) continue;
      const probe::BySeed majority = {morphology::majority_answer(from, input, shares)};
      report.rows.push_back(probe::measure(majority, question.name + " majority", metrics, input));
    }
    std::stable_sort(report.rows.begin() + first, report.rows.end(), [](const auto& a, const auto& b) {
      return std::pair(a.method, a.modality) < std::pair(b.method, b.modality);
    });
    if (!confusions.rows.empty()) result.reports.push_back(std::move(confusions));
  }

  std::string note(const std::string& few, const std::string& unmeasured) const {
    std::string text =
        probe::beginning_of_note(p_.protocol) +
        "shares of votes are learnt, the largest one is the answer; balanced: the mean recall of the answers; F1: "
        "weighted by how often an answer is true. Test objects have at least " +
        std::to_string(p_.min_votes) + " votes on a question";
    text += few.empty() ? "." : "; left out with fewer: " + few + ".";
    if (!unmeasured.empty()) text += " Not measured, as fewer than two objects have the votes: " + unmeasured + ".";
    return text;
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Task, astroclip::Morphology)
