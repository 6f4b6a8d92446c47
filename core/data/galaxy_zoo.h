#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace astroclip::data {

/// A question of Galaxy Zoo and its answers, named as in the columns of its catalogue.
struct Question {
  std::string name;
  std::vector<std::string> answers;
};
/// The ten questions of Galaxy Zoo DECaLS (Walmsley et al. 2022).
std::span<const Question> galaxy_zoo_decals();
/// The eleven questions of Galaxy Zoo 2 (Willett et al. 2013).
std::span<const Question> galaxy_zoo_2();

/// Labels of a question: its number of votes, and of an answer the share of them ("fraction", or "debiased" by the
/// catalogue for what distance hides).
std::string total_votes(const Question& question);
std::string vote_share(const Question& question, size_t answer, const std::string& kind);

}  // namespace astroclip::data
