#include "probe/network_training.h"
#include "probe/restore_internal.h"

namespace astroclip::probe {

namespace {

Network mlp_network(int64_t in, const std::vector<int64_t>& widths, double dropout) {
  auto mlp = std::make_unique<nn::Mlp>(in, widths, nn::MlpOptions{.dropout = dropout});
  const nn::Mlp& own = *mlp;
  return {std::move(mlp), [&own](const Tensor& features) { return own(features); }};
}

}  // namespace

NetworkTraining mlp_training(const Sample& train, const MlpOptions& options, const std::string& name, uint64_t seed) {
  std::vector<int64_t> widths = options.hidden;
  widths.push_back(train.outputs);
  const Features features = [&train](std::span<const int64_t> rows) { return select_rows(train.features, rows); };
  return {train, features, mlp_network(train.features.columns, widths, options.dropout), options, name, seed};
}

std::unique_ptr<Probe> fit_mlp(const Sample& train, const MlpOptions& options, const std::string& name, uint64_t seed) {
  NetworkTraining training = mlp_training(train, options, name, seed);
  training.run();
  return std::move(training).probe();
}

std::unique_ptr<Probe> restore_mlp(const Tensors& tensors, Target target) {
  const std::vector<int64_t> widths = layer_widths(tensors, "");
  return restore_network(mlp_network(widths.front(), {widths.begin() + 1, widths.end()}, 0.0), tensors, target);
}

}  // namespace astroclip::probe
