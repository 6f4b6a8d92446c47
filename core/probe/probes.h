#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "probe/sample.h"
#include "search/knn.h"

/// Probes: small models that predict a number from frozen vectors.
namespace astroclip::probe {

/// What a probe predicts of each test object, and its fitted numbers by name.
struct Fit {
  std::vector<double> predicted;
  std::map<std::string, Matrix> fitted;
};

/// Mean of the neighbours' targets, weighted by inverse distance; neighbours at distance 0 decide alone.
/// NaN where all are infinitely far. `targets` has one entry for each row that was searched.
std::vector<double> knn_regression(const search::Neighbours& neighbours, std::span<const double> targets);

/// The k nearest training objects; nothing is fitted.
Fit knn(const Sample& train, const Sample& test, int64_t k);

/// The least |y − X w − b|² + penalty · |w|², in closed form (Hoerl & Kennard 1970): "weight" [1, columns], "bias" [1,
/// 1]. `penalty` is above 0.
Fit ridge(const Sample& train, const Sample& test, double penalty);

struct MlpOptions {
  std::vector<int64_t> hidden;  ///< widths of hidden layers; none: a linear model
  int64_t epochs = 10;
  int64_t batch = 64;
  double lr = 1e-3;
  double dropout = 0.1;
  double validation =
      0.0;  ///< share of the training objects set apart to choose the best epoch; 0: the last one is kept
};

/// A network with ReLU, trained by Adam on the mean squared error of standardised labels; with `validation`, the
/// weights of the epoch with the least error on the objects set apart: "layers.N.weight" [out, in], "layers.N.bias" [1,
/// out], "label_mean" and "label_deviation" [1, 1]. `name` and `seed` key the random streams.
Fit mlp(const Sample& train, const Sample& test, const MlpOptions& options, const std::string& name, uint64_t seed);

}  // namespace astroclip::probe
