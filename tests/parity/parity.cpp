// Embeddings and gradients of a model file for given inputs, for parity.py to compare with PyTorch's.
//
//     parity ARCHITECTURE.toml WEIGHTS INPUTS.safetensors OUT.safetensors
//
// INPUTS holds `image`, `spectrum` [B, …] and `image_cotangent`, `spectrum_cotangent` [B, E]. OUT gets
// `MODALITY_embedding` and `gradient.NAME` of every parameter that has one.
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "autograd/tape.h"
#include "base/error.h"
#include "io/weights/safetensors.h"
#include "model/model.h"
#include "model/model_file.h"

namespace {

using namespace astroclip;

void compare(const std::string& architecture, const std::string& weights, const std::string& inputs,
             const std::string& to) {
  const Model model(load_architecture(architecture), {DeviceKind::cpu}, 0);
  const auto given = io::SafetensorsFile::open(inputs);
  const Device cpu{DeviceKind::cpu};
  std::vector<NamedTensor> found;
  for (const std::string& name : model.names()) {
    if (!model.load(name, weights).has_head) throw Error(fmt::format("{}: encoder '{}' has no head", weights, name));
    Encoder& encoder = model.encoder(name);
    encoder.set_training(false);
    const Tensor raw = given.read(name, DType::f32, cpu);
    const Tensor embedding = encoder.embed(encoder.encode(encoder.tokenize(raw), {}, TokenForm::alignment));
    found.push_back({name + "_embedding", embedding.detach()});
    autograd::backward(embedding, given.read(name + "_cotangent", DType::f32, cpu));
    for (const NamedTensor& entry : encoder.parameters(encoder_prefix(name))) {
      if (entry.tensor.grad().defined()) found.push_back({"gradient." + entry.name, entry.tensor.grad()});
    }
  }
  io::write_safetensors(to, found);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) {
    fmt::print(stderr, "usage: parity ARCHITECTURE.toml WEIGHTS INPUTS.safetensors OUT.safetensors\n");
    return 2;
  }
  try {
    compare(arguments[1], arguments[2], arguments[3], arguments[4]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "parity: error: {}\n", error.what());
    return 1;
  }
  return 0;
}
