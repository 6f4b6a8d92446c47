#pragma once

#include "data/galaxy_zoo.h"
#include "probe/predict.h"

namespace astroclip::morphology {

/// Which questions are measured, and by which votes.
struct Poll {
  std::string catalogue = "galaxy_zoo_decals";
  std::string votes = "fraction";
  std::vector<std::string> questions;  ///< by name; none: all of the catalogue
  int64_t min_votes = 35;
};

/// What is wrong with the names of the questions; "" for nothing.
std::string refusal(const Poll& poll);

std::vector<data::Question> questions_of(const Poll& poll);

/// Every label that the questions read.
std::vector<std::string> labels_of(const Poll& poll);

/// The shares of a question's answers.
probe::Quantity shares_of(const data::Question& question, const Poll& poll);

/// Whether at least two training and two test objects have all shares of a question.
bool has_objects(const data::Question& question, const Poll& poll, const TaskInput& input);

/// Takes the shares from test objects with too few votes; gives how many had some.
int64_t leave_out_few_votes(const data::Question& question, const Poll& poll, TaskInput& input);

/// "a, b".
void add_to(std::string& list, const std::string& item);

}  // namespace astroclip::morphology
