#include "probe/attentive.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "base/error.h"
#include "probe/network_training.h"
#include "probe/restore_internal.h"

namespace astroclip::probe {

namespace {

constexpr double norm_epsilon = 1e-6;
constexpr int64_t most_tokens = 1 << 16;  // of an object, in a file

/// From tokens [objects, tokens, columns].
class Attentive final : public nn::Module {
 public:
  Attentive(int64_t tokens, int64_t columns, const std::vector<int64_t>& widths, double dropout)
      : norm_(columns, norm_epsilon), mlp_(columns, widths, {.dropout = dropout}) {
    parameter("query", query_, {1, columns}, nn::Init::zeros());
    buffer("tokens", tokens_, {1}, nn::Init::constant(static_cast<double>(tokens)));
    child("norm", norm_);
    child("mlp", mlp_);
  }

  Tensor operator()(const Tensor& tokens) const {
    const Tensor found = ops::attention_pool(tokens, query_);
    return mlp_(norm_(ops::reshape(found, {tokens.size(0), tokens.size(2)})));
  }

 private:
  Tensor query_, tokens_;
  nn::LayerNorm norm_;
  nn::Mlp mlp_;
};

Network attentive_network(int64_t tokens, int64_t columns, const std::vector<int64_t>& widths, double dropout) {
  auto attentive = std::make_unique<Attentive>(tokens, columns, widths, dropout);
  const auto forward = [tokens, &own = std::as_const(*attentive)](const Tensor& features) {
    return own(features.view_as({features.size(0) / tokens, tokens, features.size(1)}));
  };
  return {std::move(attentive), forward, tokens};
}

/// Calls `use(tokens)` with those of some objects of the sample at a time, in order.
template <class Use>
void by_objects(const Sample& sample, int64_t at_once, Use use) {
  const std::span<const int64_t> all(sample.objects);
  for (size_t begin = 0; begin < all.size(); begin += static_cast<size_t>(at_once)) {
    use(sample.tokens->read(all.subspan(begin, std::min(static_cast<size_t>(at_once), all.size() - begin))));
  }
}

}  // namespace

Standardiser token_standardiser(const Sample& train, Standardisation how, int64_t at_once) {
  ColumnMoments moments;
  by_objects(train, at_once, [&](const Matrix& tokens) { moments.add(tokens); });
  return moments.standardiser(how);
}

std::unique_ptr<Probe> fit_attentive(const Sample& train, const Standardiser& standardise, const MlpOptions& options,
                                     const std::string& name, uint64_t seed) {
  std::vector<int64_t> widths = options.hidden;
  widths.push_back(train.outputs);
  const Features features = [&](std::span<const int64_t> rows) {
    std::vector<int64_t> objects;
    for (const int64_t row : rows) objects.push_back(train.objects[static_cast<size_t>(row)]);
    return standardise(train.tokens->read(objects));
  };
  const auto columns = std::ssize(standardise.means());
  NetworkTraining training(train, features, attentive_network(train.tokens->tokens(), columns, widths, options.dropout),
                           options, name, seed);
  training.run();
  return std::move(training).probe();
}

std::vector<double> predict_from_tokens(const FittedProbe& fitted, const Sample& test, int64_t at_once) {
  std::vector<double> predicted;
  by_objects(test, at_once,
             [&](const Matrix& tokens) { std::ranges::copy(fitted.predict(tokens), std::back_inserter(predicted)); });
  return predicted;
}

std::unique_ptr<Probe> restore_attentive(const Tensors& tensors, Target target) {
  const double tokens = tensor_of(tensors, "tokens", 1).item();
  if (!(tokens >= 1.0 && tokens <= most_tokens)) {
    throw Error(fmt::format("the probe's tensor 'tokens' is {}, expected 1 to {}", tokens, most_tokens));
  }
  const std::vector<int64_t> widths = layer_widths(tensors, "mlp.");
  return restore_network(
      attentive_network(static_cast<int64_t>(tokens), widths.front(), {widths.begin() + 1, widths.end()}, 0.0), tensors,
      target);
}

}  // namespace astroclip::probe
