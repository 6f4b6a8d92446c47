#include "probe/spline_flow.h"

#include <fmt/format.h>

#include <cmath>
#include <deque>
#include <numbers>
#include <optional>

#include "autograd/tape.h"
#include "base/error.h"
#include "nn/layers.h"
#include "ops/operators.h"

namespace astroclip::probe {

namespace {

constexpr double smallest_share = 1e-3, smallest_derivative = 1e-3;  // of published splines, as their bounds
const double log_steepest = std::log(1e-3);                          // of zuko's

int64_t spline_parameters(int64_t bins) { return 3 * bins - 1; }

}  // namespace

/// ReLU layers whose units see some units of the layer before.
class MaskedMlp final : public nn::Module {
 public:
  /// `degrees` of the units of each layer, inputs and outputs included: a unit sees those of the layer before of at
  /// most its own degree.
  explicit MaskedMlp(std::vector<std::vector<int64_t>> degrees) : degrees_(std::move(degrees)) {
    for (size_t layer = 0; layer + 1 < degrees_.size(); ++layer) {
      const auto in = std::ssize(degrees_[layer]), out = std::ssize(degrees_[layer + 1]);
      parameter(fmt::format("layers.{}.weight", layer), weights_.emplace_back(), {out, in}, nn::uniform_fan_in(in));
      parameter(fmt::format("layers.{}.bias", layer), biases_.emplace_back(), {out}, nn::uniform_fan_in(in));
    }
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (size_t layer = 0; layer < weights_.size(); ++layer) {
      const bool is_last = layer + 1 == weights_.size();
      y = ops::linear(y, weights_[layer] * mask(layer), biases_[layer],
                      {.activation = is_last ? Activation::none : Activation::relu, .residual = {}});
    }
    return y;
  }

 private:
  Tensor mask(size_t layer) const {
    std::vector<float> sees;
    for (const int64_t own : degrees_[layer + 1]) {
      for (const int64_t before : degrees_[layer]) sees.push_back(before <= own ? 1.0F : 0.0F);
    }
    const Tensor& weight = weights_[layer];
    return Tensor::from_host(sees, weight.shape(), weight.dtype(), weight.device());
  }

  std::vector<std::vector<int64_t>> degrees_;
  std::deque<Tensor> weights_, biases_;
};

namespace {

/// Masked as in MADE (Germain et al. 2015): the splines of a label see the context and the labels before it.
std::vector<std::vector<int64_t>> degrees_of(const FlowOptions& options, bool reversed) {
  const auto rank = [&](int64_t label) { return reversed ? options.labels - 1 - label : label; };
  std::vector<std::vector<int64_t>> degrees(1);
  for (int64_t label = 0; label < options.labels; ++label) degrees[0].push_back(rank(label) + 1);
  degrees[0].insert(degrees[0].end(), static_cast<size_t>(options.context), 0);
  for (const int64_t units : options.hidden) {
    degrees.emplace_back();
    for (int64_t unit = 0; unit < units; ++unit) degrees.back().push_back(unit % options.labels);
  }
  degrees.emplace_back();
  for (int64_t label = 0; label < options.labels; ++label) {
    degrees.back().insert(degrees.back().end(), static_cast<size_t>(spline_parameters(options.bins)), rank(label));
  }
  return degrees;
}

Tensor softplus(const Tensor& x) { return -ops::log_sigmoid(-x); }

/// x within ±limit, the identity near 0.
Tensor softened(const Tensor& x, double limit) { return x / (ops::abs(x) / limit + 1.0); }

}  // namespace

std::string name_of(FlowKind kind) {
  switch (kind) {
    case FlowKind::elementwise:
      return "elementwise";
    case FlowKind::coupling:
      return "coupling";
    case FlowKind::autoregressive:
      return "autoregressive";
  }
  return "?";
}

class SplineFlow::Layer final : public nn::Module {
 public:
  Layer(const FlowOptions& options, int64_t index) : options_(options) {
    for (int64_t label = 0; label < options.labels; ++label) {
      const bool moves = options.kind != FlowKind::coupling || (label + index) % 2 == 1;
      (moves ? moved_ : kept_).push_back(label);
    }
    const auto moved = std::ssize(moved_);
    if (options.kind == FlowKind::autoregressive) {
      child("nn", masked_.emplace(degrees_of(options, index % 2 == 1)));
      return;
    }
    std::vector<int64_t> widths = options.hidden;
    widths.push_back(moved * spline_parameters(options.bins));
    child("nn", network_.emplace(options.context + std::ssize(kept_), widths));
  }

  /// One layer nearer to the latent values.
  Latent towards_latent(const Tensor& x, const Tensor& context) const {
    return apply(x, splines(x, context), options_.kind == FlowKind::elementwise);
  }

  Tensor towards_labels(const Tensor& latent, const Tensor& context) const {
    if (options_.kind != FlowKind::autoregressive) {
      return apply(latent, splines(latent, context), options_.kind != FlowKind::elementwise).values;
    }
    Tensor x = Tensor::zeros(latent.shape(), latent.dtype(), latent.device());
    for (int64_t known = 0; known < options_.labels; ++known) x = apply(latent, splines(x, context), true).values;
    return x;
  }

 private:
  /// A spline for each row of the context and each moved label, [rows · moved, bins].
  struct Parameters {
    Tensor widths, heights, derivatives;
  };

  static Tensor columns(const Tensor& x, const std::vector<int64_t>& which) {
    std::vector<Tensor> all;
    for (const int64_t column : which) all.push_back(ops::narrow(x, 1, column, 1));
    return ops::concat(all, 1);
  }

  Parameters splines(const Tensor& x, const Tensor& context) const {
    const int64_t bins = options_.bins, moved = std::ssize(moved_), count = context.size(0) * moved;
    if (options_.kind == FlowKind::elementwise) {
      const Tensor all = (*network_)(context);
      const auto part = [&](int64_t begin, int64_t each) {
        return ops::reshape(ops::narrow(all, 1, begin * moved, each * moved), {count, each});
      };
      return normalised(part(0, bins), part(bins, bins), part(2 * bins, bins - 1));
    }
    const bool is_masked = options_.kind == FlowKind::autoregressive;
    Tensor seen = context;
    if (is_masked) seen = ops::concat({x, context}, 1);
    if (!is_masked && !kept_.empty()) seen = ops::concat({columns(x, kept_), context}, 1);
    const Tensor all = ops::reshape(is_masked ? (*masked_)(seen) : (*network_)(seen), {count, spline_parameters(bins)});
    return normalised(ops::narrow(all, 1, 0, bins), ops::narrow(all, 1, bins, bins),
                      ops::narrow(all, 1, 2 * bins, bins - 1));
  }

  Parameters normalised(const Tensor& widths, const Tensor& heights, const Tensor& derivatives) const {
    if (options_.kind == FlowKind::autoregressive) {
      return {ops::softmax(softened(widths, -0.5 * log_steepest)), ops::softmax(softened(heights, -0.5 * log_steepest)),
              ops::exp(softened(derivatives, -log_steepest))};
    }
    const double rest = 1.0 - smallest_share * static_cast<double>(options_.bins);
    return {rest * ops::softmax(widths) + smallest_share, rest * ops::softmax(heights) + smallest_share,
            softplus(derivatives) + smallest_derivative};
  }

  Latent apply(const Tensor& x, const Parameters& splines, bool inverse) const {
    const int64_t moved = std::ssize(moved_), rows = splines.widths.size(0) / moved, repeats = x.size(0) / rows;
    SplineOptions how{.inverse = inverse};
    if (options_.kind == FlowKind::autoregressive) how.bound = 5.0;
    if (options_.kind == FlowKind::elementwise) {
      how.knot_shift = 1e-6;
      how.edge_derivative = 1.0 - smallest_derivative;
    }
    // Values of one spline stand in a row.
    const Tensor those = kept_.empty() ? x : columns(x, moved_);
    const Tensor by_spline = ops::permute(ops::reshape(those, {rows, repeats, moved}), {0, 2, 1});
    const Tensor found = rational_quadratic(ops::reshape(by_spline, {rows * moved * repeats}), splines.widths,
                                            splines.heights, splines.derivatives, how);
    const auto part = [&](int64_t which) {
      const Tensor own = ops::reshape(ops::narrow(found, 1, which, 1), {rows, moved, repeats});
      return with_kept(ops::reshape(ops::permute(own, {0, 2, 1}), {rows * repeats, moved}),
                       which == 0 ? x : Tensor::zeros(x.shape(), x.dtype(), x.device()));
    };
    return {part(0), part(1)};
  }

  /// Columns of the moved labels, with those of the others between.
  Tensor with_kept(const Tensor& moved, const Tensor& all) const {
    if (kept_.empty()) return moved;
    std::vector<Tensor> columns;
    int64_t next = 0;
    for (int64_t label = 0; label < options_.labels; ++label) {
      const bool is_moved = next < std::ssize(moved_) && moved_[static_cast<size_t>(next)] == label;
      columns.push_back(is_moved ? ops::narrow(moved, 1, next++, 1) : ops::narrow(all, 1, label, 1));
    }
    return ops::concat(columns, 1);
  }

  FlowOptions options_;
  std::vector<int64_t> moved_, kept_;  ///< labels that the layer changes, and those that it does not
  std::optional<nn::Mlp> network_;
  std::optional<MaskedMlp> masked_;
};

SplineFlow::SplineFlow(const FlowOptions& options) : options_(options) {
  if (options.kind == FlowKind::coupling && options.labels < 2) {
    throw Error("a coupling flow is of two labels or more");
  }
  for (int64_t layer = 0; layer < options.layers; ++layer) {
    child(fmt::format("{}", layer), *layers_.emplace_back(std::make_unique<Layer>(options, layer)));
  }
}

SplineFlow::~SplineFlow() = default;

SplineFlow::Latent SplineFlow::latent(const Tensor& labels, const Tensor& context) const {
  Latent result{labels, {}};
  for (size_t i = 0; i < layers_.size(); ++i) {
    // An elementwise layer is published as a map from latent values to labels.
    const size_t layer = options_.kind == FlowKind::elementwise ? layers_.size() - 1 - i : i;
    const Latent next = layers_[layer]->towards_latent(result.values, context);
    result = {next.values, result.log_slope.defined() ? result.log_slope + next.log_slope : next.log_slope};
  }
  return result;
}

Tensor SplineFlow::log_density(const Tensor& labels, const Tensor& context) const {
  const Latent found = latent(labels, context);
  return found.log_slope - (0.5 * ops::square(found.values) + 0.5 * std::log(2.0 * std::numbers::pi));
}

Tensor SplineFlow::sample(const Tensor& latent, const Tensor& context) const {
  const autograd::NoGrad guard;
  Tensor labels = latent;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const size_t layer = options_.kind == FlowKind::elementwise ? i : layers_.size() - 1 - i;
    labels = layers_[layer]->towards_labels(labels, context);
  }
  return labels;
}

}  // namespace astroclip::probe
