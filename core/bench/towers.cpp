#include <fmt/format.h>

#include <memory>

#include "autograd/tape.h"
#include "base/rng.h"
#include "bench/row.h"
#include "ops/operators.h"
#include "optim/adamw.h"
#include "plugin/host.h"
#include "testing/plain_engine.h"

namespace astroclip::bench {

namespace {

/// Floating-point operations of the products of one object's forward pass, attention's among them.
struct Operations {
  double backbone = 0.0, reconstruction = 0.0, head = 0.0;
};

Operations operations_of_transformer(const Encoder& encoder, int64_t blocks) {
  const auto tokens = static_cast<double>(encoder.token_shape()[0]);
  const auto features = static_cast<double>(encoder.token_shape()[1]);
  const auto dim = static_cast<double>(encoder.dim()), wide = static_cast<double>(encoder.embedding_width());
  const double block = 24.0 * dim * dim + 4.0 * tokens * dim;  // of one token; the MLP is four times as wide
  const double scores_and_means = tokens * 4.0 * 4.0 * dim;    // of four heads, without keys and values
  const double value_output_mlp = 2.0 * dim * wide + (2.0 + 16.0) * wide * wide;
  return {tokens * (2.0 * features * dim + static_cast<double>(blocks) * block), tokens * 2.0 * dim * features,
          scores_and_means + value_output_mlp};
}

/// ResNet-18: the stem, pooled, and two blocks in each of four stages; from the second on a stage begins with a
/// shortcut of its own.
Operations operations_of_resnet(const Encoder& encoder, int64_t) {
  const auto convolution = [](int64_t side, int64_t in, int64_t out, int64_t window) {
    return 2.0 * static_cast<double>(side * side * in * out * window * window);
  };
  int64_t dim = 64, side = (encoder.input_shape()[-1] + 1) / 2;
  double total = convolution(side, encoder.input_shape()[0], dim, 7);
  side = (side + 1) / 2;
  total += 4.0 * convolution(side, dim, dim, 3);
  for (int stage = 1; stage < 4; ++stage, dim *= 2) {
    side = (side + 1) / 2;
    total += convolution(side, dim, 2 * dim, 1) + convolution(side, dim, 2 * dim, 3) +
             3.0 * convolution(side, 2 * dim, 2 * dim, 3);
  }
  return {total, 0.0, 0.0};
}

/// A published tower as its plugin makes it, perhaps with fewer blocks.
struct Tower {
  std::string plugin;
  int64_t blocks;
  int64_t batch;
  Operations (*operations)(const Encoder& encoder, int64_t blocks);
};

const Tower specformer{"specformer", 6, 8, operations_of_transformer};
const Tower vit{"vit", 24, 16, operations_of_transformer};
/// Moments, gradients and two packed copies of all 24 blocks would need more memory than many a machine has.
const Tower short_vit{"vit", 8, 16, operations_of_transformer};
const Tower resnet{"resnet", 8, 32, operations_of_resnet};

std::shared_ptr<Encoder> make(const Tower& tower) {
  config::Table table;
  if (tower.operations == operations_of_transformer) table.set("depth", config::Value(tower.blocks, {}));
  auto encoder = plugin::Host::instance().make<Encoder>(tower.plugin, table, "bench");
  encoder->materialize(device(), 1);
  return encoder;
}

Tensor uniform(const Shape& shape) {
  Tensor tensor = Tensor::empty(shape, DType::f32, device());
  Rng rng(2, RngStream::tests);
  auto* values = tensor.mutable_data_as<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) values[i] = static_cast<float>(rng.uniform());
  return tensor;
}

Tensor random_batch(const Encoder& encoder, int64_t batch) {
  std::vector<int64_t> extents = {batch};
  for (const int64_t extent : encoder.input_shape()) extents.push_back(extent);
  return uniform(Shape(extents));
}

int64_t batch_of(const Tower& tower, const Settings& settings) {
  return settings.batch > 0 ? settings.batch : tower.batch;
}

std::string note_of(const Tower& tower, int64_t batch) {
  return fmt::format("{} blocks, batch {}", tower.blocks, batch);
}

Tensor embed(const Encoder& encoder, const Tensor& raw) {
  return encoder.embed(encoder.encode(encoder.tokenize(raw), {}, TokenForm::alignment));
}

Work embedding(const Tower& tower, const Settings& settings) {
  const std::shared_ptr<const Encoder> encoder = make(tower);
  const int64_t batch = batch_of(tower, settings);
  const Operations operations = tower.operations(*encoder, tower.blocks);
  const auto run = [=, raw = random_batch(*encoder, batch), precision = settings.precision] {
    const autograd::NoGrad no_grad;
    const ops::PrecisionScope scope(precision);
    embed(*encoder, raw);
  };
  const auto objects = static_cast<double>(batch);
  return {run, objects * (operations.backbone + operations.head), 0.0, objects, note_of(tower, batch)};
}

/// Mean square of what the tower gives: its reconstruction's error, or its embedding.
Tensor objective(const Encoder& encoder, const Tensor& raw, bool reconstructs) {
  if (!reconstructs) return ops::mean(ops::square(embed(encoder, raw)));
  const Tensor tokens = encoder.tokenize(raw);
  const Tensor made = ability<Reconstruction>(encoder).reconstruct(encoder.encode(tokens, {}, TokenForm::pretraining));
  return ops::mean(ops::square(made - tokens));
}

/// Backward counts twice the forward's operations; scores that attention computes anew do not count.
Work training(const Tower& tower, bool reconstructs, const Settings& settings) {
  const std::shared_ptr<Encoder> encoder = make(tower);
  encoder->set_training(true);
  const int64_t batch = batch_of(tower, settings);
  const Operations operations = tower.operations(*encoder, tower.blocks);
  optim::Adamw::Options options;
  options.weight_decay = 0.05;
  options.clip_norm = 1.0;
  const auto optimizer = std::make_shared<optim::Adamw>(encoder->parameters(), options);
  const auto run = [=, raw = random_batch(*encoder, batch), precision = settings.precision] {
    const ops::PrecisionScope scope(precision);
    autograd::backward(objective(*encoder, raw, reconstructs));
    optimizer->step({1e-5});
  };
  const auto objects = static_cast<double>(batch);
  const double forward = operations.backbone + (reconstructs ? operations.reconstruction : operations.head);
  return {run, 3.0 * objects * forward, 0.0, objects, note_of(tower, batch)};
}

/// The weights that train beside a frozen backbone.
std::vector<NamedTensor> freeze_backbone(Encoder& encoder) {
  encoder.set_training(true);
  encoder.set_trainable("backbone", false);
  std::vector<NamedTensor> head = encoder.parameters(encoder.modality());
  std::erase_if(head, [](const NamedTensor& entry) { return !entry.trainable; });
  return head;
}

/// The head alone, on tokens that are there: an embedding, or a training step.
Work head(const Tower& tower, bool trains, const Settings& settings) {
  const std::shared_ptr<Encoder> encoder = make(tower);
  const int64_t batch = batch_of(tower, settings);
  const Operations operations = tower.operations(*encoder, tower.blocks);
  const auto optimizer = std::make_shared<optim::Adamw>(freeze_backbone(*encoder), optim::Adamw::Options());
  encoder->set_training(trains);
  const auto run = [=, tokens = Encoded{{}, uniform({batch, encoder->token_shape()[0], encoder->dim()})},
                    precision = settings.precision] {
    const ops::PrecisionScope scope(precision);
    if (trains) {
      autograd::backward(ops::mean(ops::square(encoder->embed(tokens))));
      optimizer->step({1e-5});
    } else {
      const autograd::NoGrad no_grad;
      encoder->embed(tokens);
    }
  };
  const auto objects = static_cast<double>(batch);
  return {run, (trains ? 3.0 : 1.0) * objects * operations.head, 0.0, objects, fmt::format("batch {}", batch)};
}

/// Both published towers, for pairs.
struct Pair {
  std::shared_ptr<Encoder> spectrum = make(specformer), image = make(vit);
  Operations of_spectrum = specformer.operations(*spectrum, specformer.blocks);
  Operations of_image = vit.operations(*image, vit.blocks);
  double operations = of_spectrum.backbone + of_spectrum.head + of_image.backbone + of_image.head;
};

constexpr int64_t pairs_at_once = 8;

Work pair_embedding(const Settings& settings) {
  const Pair pair;
  const int64_t batch = settings.batch > 0 ? settings.batch : pairs_at_once;
  const auto run = [=, spectra = random_batch(*pair.spectrum, batch), images = random_batch(*pair.image, batch),
                    precision = settings.precision] {
    const autograd::NoGrad no_grad;
    const ops::PrecisionScope scope(precision);
    embed(*pair.spectrum, spectra);
    embed(*pair.image, images);
  };
  const auto objects = static_cast<double>(batch);
  return {run, objects * pair.operations, 0.0, objects, fmt::format("both towers, batch {}", batch)};
}

/// What aligning costs beside embedding: the heads alone are trained, with the plugin of the published loss.
Work alignment(const Settings& settings) {
  const Pair pair;
  const int64_t batch = settings.batch > 0 ? settings.batch : pairs_at_once;
  std::vector<NamedTensor> heads;
  for (const auto& encoder : {pair.spectrum, pair.image}) {
    for (NamedTensor& entry : freeze_backbone(*encoder)) heads.push_back(std::move(entry));
  }
  const auto engine = std::make_shared<testing_support::PlainEngine>(
      std::vector<std::pair<std::string, testing_support::PlainEngine::Tower>>{
          {pair.spectrum->modality(), {pair.spectrum, random_batch(*pair.spectrum, batch)}},
          {pair.image->modality(), {pair.image, random_batch(*pair.image, batch)}}},
      device());
  const std::shared_ptr<Loss> loss = plugin::Host::instance().make<Loss>("clip", {}, "bench");
  loss->attach(*engine);
  loss->materialize(device(), 1);
  optim::Adamw::Options options;
  options.clip_norm = 1.0;
  const auto optimizer = std::make_shared<optim::Adamw>(heads, options);
  const auto run = [=, precision = settings.precision] {
    const ops::PrecisionScope scope(precision);
    autograd::backward(loss->forward(*engine).total);
    optimizer->step({1e-5});
  };
  const auto objects = static_cast<double>(batch);
  return {run, objects * pair.operations, 0.0, objects, fmt::format("both towers, batch {}", batch)};
}

/// A step of DINOv2 as published on ViT-S/12: two crops of 144 and eight of 60 pixels, half of the large ones masked by
/// 10 to 50 %, heads of 65,536 prototypes, 30 % of the samples skipping each branch.
Work self_distillation(const Settings& settings) {
  constexpr int64_t blocks = 12, dim = 384, local_crops = 8, local_size = 60, prototypes = 65536;
  constexpr double kept = 0.7;
  const auto make_vit = [=] {
    config::Table table;
    for (const auto& [key, value] : {std::pair{"depth", blocks}, {"dim", dim}, {"heads", int64_t{6}}}) {
      table.set(key, config::Value(value, {}));
    }
    auto encoder = plugin::Host::instance().make<Encoder>("vit", table, "bench");
    encoder->materialize(device(), 1);
    return encoder;
  };
  const std::shared_ptr<Encoder> student = make_vit();
  student->set_training(true);
  student->set_stochastic_depth({.rate = 1.0 - kept});
  const int64_t batch = settings.batch > 0 ? settings.batch : 8;
  const auto engine = std::make_shared<testing_support::PlainEngine>(
      std::vector<std::pair<std::string, testing_support::PlainEngine::Tower>>{
          {student->modality(), {student, random_batch(*student, batch)}}},
      device());
  const int64_t side = student->input_shape()[-1];
  engine->add_view("global", student->modality(), uniform({2 * batch, 3, side, side}));
  engine->add_view("local", student->modality(), uniform({local_crops * batch, 3, local_size, local_size}));
  engine->set_rebuilt(make_vit());
  engine->set_step(0, 1 << 20);
  const std::shared_ptr<Loss> loss = plugin::Host::instance().make<Loss>("dinov2", {}, "bench");
  loss->attach(*engine);
  loss->materialize(device(), 1);
  loss->begin();
  std::vector<NamedTensor> weights = student->parameters();
  std::erase_if(weights, [](const NamedTensor& entry) { return !entry.name.starts_with("backbone."); });
  for (NamedTensor& entry : loss->parameters("loss")) {
    if (entry.trainable) weights.push_back(std::move(entry));
  }
  optim::Adamw::Options options;
  options.clip_norm = 3.0;
  const auto optimizer = std::make_shared<optim::Adamw>(weights, options);
  const auto run = [=, precision = settings.precision] {
    const ops::PrecisionScope scope(precision);
    autograd::backward(loss->forward(*engine).total);
    optimizer->step({1e-5});
    loss->after_update(*engine, 0, 1 << 20);
  };
  const auto of_crop = [&](int64_t pixels) {
    const int64_t patches = pixels / 12 * (pixels / 12);
    const auto tokens = static_cast<double>(patches + 1), width = static_cast<double>(dim);
    return tokens * static_cast<double>(blocks) * (24.0 * width * width + 4.0 * tokens * width);
  };
  const double masked = 0.5 * 0.3 * 2.0 * static_cast<double>(student->token_shape()[0]);
  const double head =
      2.0 * (384.0 * 2048.0 + 2048.0 * 2048.0 + 2048.0 * 256.0 + 256.0 * static_cast<double>(prototypes));
  const double of_student =
      kept * (2.0 * of_crop(side) + local_crops * of_crop(local_size)) + (2.0 + local_crops + masked) * head;
  const double of_teacher = 2.0 * of_crop(side) + (2.0 + masked) * head;
  const auto objects = static_cast<double>(batch);
  return {run, objects * (3.0 * of_student + of_teacher), 0.0, objects, fmt::format("2 + 8 crops, batch {}", batch)};
}

}  // namespace

std::vector<Row> tower_rows() {
  using S = Settings;
  return {{"embedding specformer", [](const S& s) { return embedding(specformer, s); }, {"pytorch"}},
          {"training step specformer", [](const S& s) { return training(specformer, true, s); }, {"pytorch"}},
          {"embedding vit-l/12", [](const S& s) { return embedding(vit, s); }, {"pytorch"}},
          {"training step vit-l/12", [](const S& s) { return training(short_vit, false, s); }, {"pytorch"}},
          {"embedding resnet-18", [](const S& s) { return embedding(resnet, s); }, {"pytorch"}},
          {"training step resnet-18", [](const S& s) { return training(resnet, false, s); }, {"pytorch"}},
          {"training step dinov2, vit-s/12", self_distillation, {"pytorch"}},
          {"head specformer, embedding", [](const S& s) { return head(specformer, false, s); }, {"pytorch"}},
          {"head specformer, training step", [](const S& s) { return head(specformer, true, s); }, {"pytorch"}},
          {"head vit-l/12, embedding", [](const S& s) { return head(vit, false, s); }, {"pytorch"}},
          {"head vit-l/12, training step", [](const S& s) { return head(vit, true, s); }, {"pytorch"}},
          {"pairs: embedding", pair_embedding},
          {"pairs: training the heads on frozen towers", alignment}};
}

}  // namespace astroclip::bench
