#include "probe/classification.h"

#include <algorithm>
#include <cmath>

namespace astroclip::probe {

Answers largest_shares(std::span<const double> shares, int64_t count, Ties ties) {
  Answers answers{count, std::vector<uint8_t>(shares.size(), 0)};
  const auto width = static_cast<size_t>(count);
  for (size_t begin = 0; begin < shares.size(); begin += width) {
    const auto of_object = shares.subspan(begin, width);
    const auto largest = std::ranges::max_element(of_object);
    answers.given[begin + static_cast<size_t>(largest - of_object.begin())] = 1;
    for (size_t answer = 0; ties == Ties::all && answer < width; ++answer) {
      if (of_object[answer] == *largest) answers.given[begin + answer] = 1;
    }
  }
  return answers;
}

namespace {

/// Of one answer over all objects.
struct Counts {
  double both = 0.0, predicted = 0.0, truth = 0.0;
};

std::vector<Counts> counts_of(const Answers& predicted, const Answers& truth) {
  std::vector<Counts> counts(static_cast<size_t>(truth.count));
  for (size_t i = 0; i < truth.given.size(); ++i) {
    Counts& of_answer = counts[i % counts.size()];
    of_answer.both += predicted.given[i] * truth.given[i];
    of_answer.predicted += predicted.given[i];
    of_answer.truth += truth.given[i];
  }
  return counts;
}

}  // namespace

double accuracy(const Answers& predicted, const Answers& truth) {
  const auto width = static_cast<std::ptrdiff_t>(truth.count);
  double right = 0.0, objects = 0.0;
  for (auto found = predicted.given.begin(), true_one = truth.given.begin(); true_one != truth.given.end();
       found += width, true_one += width) {
    right += std::equal(true_one, true_one + width, found) ? 1.0 : 0.0;
    objects += 1.0;
  }
  return right / objects;
}

double balanced_accuracy(const Answers& predicted, const Answers& truth) {
  double recalls = 0.0, answers = 0.0;
  for (const Counts& one : counts_of(predicted, truth)) {
    if (one.truth == 0.0) continue;
    recalls += one.both / one.truth;
    answers += 1.0;
  }
  return recalls / answers;
}

double weighted_f1(const Answers& predicted, const Answers& truth) {
  double sum = 0.0, weights = 0.0;
  for (const Counts& one : counts_of(predicted, truth)) {
    if (one.truth > 0.0) sum += one.truth * 2.0 * one.both / (one.predicted + one.truth);
    weights += one.truth;
  }
  return sum / weights;
}

std::vector<int64_t> confusion(const Answers& predicted, const Answers& truth) {
  const auto width = static_cast<size_t>(truth.count);
  std::vector<int64_t> objects(width * width, 0);
  for (size_t begin = 0; begin < truth.given.size(); begin += width) {
    for (size_t row = 0; row < width; ++row) {
      for (size_t column = 0; column < width; ++column) {
        objects[row * width + column] += truth.given[begin + row] * predicted.given[begin + column];
      }
    }
  }
  return objects;
}

}  // namespace astroclip::probe
