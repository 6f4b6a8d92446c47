#include "questions.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <span>

namespace astroclip::morphology {

namespace {

std::span<const data::Question> all_questions(const Poll& poll) {
  return poll.catalogue == "galaxy_zoo_2" ? data::galaxy_zoo_2() : data::galaxy_zoo_decals();
}

using Labels = std::map<std::string, std::vector<double>>;

bool has_shares(const probe::Quantity& shares, const Labels& labels, size_t object) {
  return std::ranges::all_of(shares.labels,
                             [&](const std::string& name) { return std::isfinite(labels.at(name)[object]); });
}

int64_t objects_with(const probe::Quantity& shares, const Labels& labels) {
  int64_t count = 0;
  const size_t objects = labels.at(shares.labels.front()).size();
  for (size_t object = 0; object < objects; ++object) count += has_shares(shares, labels, object) ? 1 : 0;
  return count;
}

}  // namespace

void add_to(std::string& list, const std::string& item) { list += (list.empty() ? "" : ", ") + item; }

std::string refusal(const Poll& poll) {
  const auto all = all_questions(poll);
  for (const std::string& name : poll.questions) {
    if (std::ranges::find(all, name, &data::Question::name) != all.end()) continue;
    std::string known;
    for (const data::Question& question : all) add_to(known, question.name);
    return "'questions' names '" + name + "'; the questions of '" + poll.catalogue + "' are " + known;
  }
  return "";
}

std::vector<data::Question> questions_of(const Poll& poll) {
  std::vector<data::Question> chosen;
  std::ranges::copy_if(all_questions(poll), std::back_inserter(chosen), [&](const data::Question& question) {
    return poll.questions.empty() || std::ranges::find(poll.questions, question.name) != poll.questions.end();
  });
  return chosen;
}

std::vector<std::string> labels_of(const Poll& poll) {
  std::vector<std::string> names;
  for (const data::Question& question : questions_of(poll)) {
    names.push_back(data::total_votes(question));
    for (const std::string& share : shares_of(question, poll).labels) names.push_back(share);
  }
  return names;
}

probe::Quantity shares_of(const data::Question& question, const Poll& poll) {
  probe::Quantity shares{question.name, {}, probe::Quantity::Kind::shares};
  for (size_t a = 0; a < question.answers.size(); ++a) {
    shares.labels.push_back(data::vote_share(question, a, poll.votes));
  }
  return shares;
}

bool has_objects(const data::Question& question, const Poll& poll, const TaskInput& input) {
  const probe::Quantity shares = shares_of(question, poll);
  return objects_with(shares, input.test_labels) >= 2 && objects_with(shares, input.train_labels) >= 2;
}

int64_t leave_out_few_votes(const data::Question& question, const Poll& poll, TaskInput& input) {
  const probe::Quantity shares = shares_of(question, poll);
  int64_t left_out = 0;
  const std::vector<double>& total = input.test_labels.at(data::total_votes(question));
  for (size_t object = 0; object < total.size(); ++object) {
    if (total[object] >= static_cast<double>(poll.min_votes)) continue;
    left_out += has_shares(shares, input.test_labels, object) ? 1 : 0;
    for (const std::string& name : shares.labels) input.test_labels.at(name)[object] = std::nan("");
  }
  return left_out;
}

}  // namespace astroclip::morphology
