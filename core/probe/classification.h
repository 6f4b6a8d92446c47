#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// How well answers to a question are predicted.
namespace astroclip::probe {

/// Answers given of some objects: for each object and answer whether it is given.
struct Answers {
  int64_t count = 0;                ///< of answers that there are
  std::vector<uint8_t> given = {};  ///< [objects, count]
};

enum class Ties {
  first,  ///< the first of equal shares is the answer
  all,    ///< each of equal shares is, as in the published morphology
};
/// The answer with the largest share of each object; `shares` [objects, count].
Answers largest_shares(std::span<const double> shares, int64_t count, Ties ties = Ties::first);

// Predicted and true answers are of the same objects; of none, the metrics are NaN. They are scikit-learn's.

/// The share of objects whose answers are the true ones.
double accuracy(const Answers& predicted, const Answers& truth);
/// The mean recall of the answers that are true of an object.
double balanced_accuracy(const Answers& predicted, const Answers& truth);
/// The mean F1 of the answers, each as often as it is true; 0 of an answer that is never predicted rightly.
double weighted_f1(const Answers& predicted, const Answers& truth);
/// How many objects have the one true answer (row) and the one predicted answer (column): [count, count].
std::vector<int64_t> confusion(const Answers& predicted, const Answers& truth);

}  // namespace astroclip::probe
