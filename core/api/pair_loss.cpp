#include "api/pair_loss.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>

#include "ops/operators.h"

namespace astroclip {

namespace {

/// Shorter embeddings are not stretched to unit length; published.
constexpr double smallest_norm = 1e-3;

/// Adds weight · value, term by term.
void add(LossValue& sum, const LossValue& value, double weight) {
  sum.total = add_weighted(sum.total, weight, value.total);
  sum.terms.resize(value.terms.size());
  for (size_t i = 0; i < value.terms.size(); ++i) {
    const auto& [name, term] = value.terms[i];
    sum.terms[i] = {name, add_weighted(sum.terms[i].second, weight, term)};
  }
}

}  // namespace

std::vector<ViewRequest> PairLoss::views(const LossSetup& setup) const {
  std::vector<ViewRequest> requests;
  for (const std::string& tower : setup.towers()) {
    requests.push_back({.name = tower, .tower = tower, .augment = parameters_.augment, .embedding_only = true});
  }
  return requests;
}

void PairLoss::attach(LossSetup& setup) {
  towers_ = setup.towers();
  if (towers_.size() < 2) fail(fmt::format("needs two encoders or more, the stage has {}", towers_.size()));
  const int64_t first = setup.encoder(towers_[0]).embedding_width();
  for (const std::string& tower : towers_) {
    const int64_t width = setup.encoder(tower).embedding_width();
    if (width != first) {
      fail(fmt::format("the heads of the encoders must be equally wide, found {} ({}) and {} ({})", first, towers_[0],
                       width, tower));
    }
  }
  const size_t pairs = towers_.size() * (towers_.size() - 1) / 2;
  weights_ = parameters_.pair_weights;
  if (weights_.empty()) weights_.assign(pairs, 1.0);
  const double sum = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  if (weights_.size() != pairs || sum == 0.0) {
    fail(fmt::format("'pair_weights' must hold one number for each of the {} pairs of {}, not all 0, found [{}]", pairs,
                     fmt::join(towers_, ", "), fmt::join(weights_, ", ")));
  }
  for (double& weight : weights_) weight /= sum;
}

LossValue PairLoss::forward(LossContext& context) {
  std::vector<Tower> towers;
  for (const std::string& name : towers_) {
    towers.push_back(tower(towers.size(), context.embed(name), context.communicator()));
  }
  LossValue mean;
  auto weight = weights_.begin();
  for (size_t a = 0; a < towers.size(); ++a) {
    for (size_t b = a + 1; b < towers.size(); ++b) add(mean, pair_loss(towers[a], towers[b], context), *weight++);
  }
  return mean;
}

Tower PairLoss::tower(size_t index, const Tensor& embeddings, Communicator& communicator) const {
  const Tensor own = ops::normalize_rows(embeddings, smallest_norm);
  return {towers_[index], own, ops::all_gather(own, communicator)};
}

void PairLoss::need_objects(int64_t count, const Tower& tower) const {
  const int64_t found = tower.all.size(0);
  if (found < count) fail(fmt::format("needs a batch of at least {} objects, found {}", count, found));
}

void ProjectedPairLoss::attach(LossSetup& setup) {
  PairLoss::attach(setup);
  for (const std::string& tower : towers()) {
    networks_.push_back(std::make_unique<nn::Mlp>(setup.encoder(tower).embedding_width(), widths_,
                                                  nn::MlpOptions{.batch_norm = batch_norm_}));
    child(name_ + "." + tower, *networks_.back());
  }
}

Tower ProjectedPairLoss::tower(size_t index, const Tensor& embeddings, Communicator& communicator) const {
  const int64_t rows = embeddings.size(0);
  const Tensor all = (*networks_[index])(ops::all_gather(embeddings, communicator));
  return {towers()[index], ops::narrow(all, 0, communicator.rank() * rows, rows), all};
}

Tensor own_or_other(const LossContext& context, int64_t rows, int64_t columns, float own, float other) {
  std::vector<float> values(static_cast<size_t>(rows * columns), other);
  const int64_t first = context.communicator().rank() * rows;
  for (int64_t i = 0; i < rows; ++i) values[static_cast<size_t>(i * columns + first + i)] = own;
  return context.upload(values, {rows, columns});
}

}  // namespace astroclip
