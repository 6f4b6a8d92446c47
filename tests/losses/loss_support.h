#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "models/model_support.h"
#include "plugin/host.h"
#include "testing/gradient_check.h"
#include "testing/plain_engine.h"

/// What the tests of losses share: embeddings that are free tensors in place of two encoders' results, and sums
/// written out in doubles to compare with.
namespace astroclip::testing_support {

using Rows = std::vector<std::vector<double>>;

inline Rows rows_of(const Tensor& tensor) {
  const std::vector<double> values = tensor.to_doubles();
  Rows rows;
  for (auto begin = values.begin(); begin != values.end(); begin += tensor.size(1)) {
    rows.emplace_back(begin, begin + tensor.size(1));
  }
  return rows;
}

inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

inline double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

/// Cosine of each row of `a` with each of `b`.
inline Rows cosines(const Rows& a, const Rows& b) {
  Rows all;
  for (const auto& row : a) {
    all.emplace_back();
    for (const auto& column : b) all.back().push_back(cosine(row, column));
  }
  return all;
}

inline double square(double x) { return x * x; }

using Labels = std::map<std::string, Tensor>;

/// A loss attached to both towers, with storage.
inline std::shared_ptr<Loss> ready_loss(const std::string& name, const std::string& toml, PlainEngine& engine) {
  auto loss = make_loss(name, toml);
  loss->attach(engine);
  loss->materialize(reference_device, 1);
  loss->begin();
  return loss;
}

/// The loss on float64 embeddings.
inline double loss_value(const std::string& name, const std::string& toml, const Tensor& a, const Tensor& b) {
  PlainEngine engine = engine_of(a, b);
  return ready_loss(name, toml, engine)->forward(engine).total.item();
}

/// Compares the gradients of a loss with central differences: of the tensors that `engine_at` makes an engine from, and
/// of the loss's parameters.
inline void expect_loss_gradients(const std::string& name, Loss& loss, const std::vector<Tensor>& inputs,
                                  const std::function<PlainEngine(const std::vector<Tensor>&)>& engine_at, Rng& rng) {
  std::vector<NamedTensor> named = loss.parameters();
  for (const Tensor& input : inputs) named.push_back({"input", input});
  const auto forward = [&] {
    PlainEngine engine = engine_at(inputs);
    return loss.forward(engine).total;
  };
  EXPECT_EQ(gradient_errors(forward, named, rng), "") << name;
}

/// The same for a loss of two towers' embeddings.
inline void expect_loss_gradients(const std::string& name, const std::string& toml, const Tensor& a, const Tensor& b,
                                  Rng& rng) {
  PlainEngine setup = engine_of(a, b);
  const auto loss = ready_loss(name, toml, setup);
  const auto engine_at = [](const std::vector<Tensor>& at) { return engine_of(at[0], at[1]); };
  expect_loss_gradients(name, *loss, {a.clone(), b.clone()}, engine_at, rng);
}

/// Parameters at which a loss shows more of itself than at its defaults.
inline std::string telling_parameters(const std::string& loss) {
  const std::map<std::string, std::string> of_each = {
      {"barlow_twins", "redundancy = 0.3\nprojector = [5, 3]"},
      {"clip", "logit_scale = 4.0\nlearn_logit_scale = true"},
      {"cwcl", "logit_scale = 4.0"},
      {"cyclip", "logit_scale = 4.0"},
      {"hard_negatives", "logit_scale = 4.0\nbeta = 1.5\ntau_plus = 0.05"},
      {"moco", "queue = 8\nwidth = 3\ntemperature = 0.5"},
      {"siglip", "logit_scale = 2.0\nlogit_bias = -1.0"},
      {"supervised", "hidden = [5]"},
      {"vicreg", "expander = [5, 3]"},
  };
  const auto found = of_each.find(loss);
  return found == of_each.end() ? "" : found->second;
}

/// Every loss there is, those of some names excepted.
inline std::vector<std::string> losses_but(const std::vector<std::string>& excepted) {
  std::vector<std::string> names;
  for (const plugin::Listing& one : plugin::Host::instance().list()) {
    if (one.kind == plugin::Kind::loss && std::ranges::count(excepted, one.name) == 0) names.push_back(one.name);
  }
  return names;
}

/// The message with which a parameter is refused.
inline std::string refusal(const std::string& name, const std::string& toml) {
  try {
    make_loss(name, toml);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace astroclip::testing_support
