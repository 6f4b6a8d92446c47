#include <fmt/format.h>

#include <memory>

#include "autograd/tape.h"
#include "bench/inputs.h"
#include "bench/row.h"
#include "config/toml.h"
#include "ops/operators.h"
#include "optim/adamw.h"
#include "plugin/host.h"
#include "testing/plain_engine.h"

namespace astroclip::bench {

namespace {

using testing_support::PlainEngine;

/// Floating-point operations of the products of one object's forward pass, attention's among them.
struct Operations {
  double backbone = 0.0, reconstruction = 0.0, head = 0.0;
};

/// Of one sequence.
double operations_of_blocks(int64_t blocks, int64_t tokens, int64_t dim) {
  const auto length = static_cast<double>(tokens), width = static_cast<double>(dim);
  return length * static_cast<double>(blocks) * (24.0 * width * width + 4.0 * length * width);
}

Operations operations_of_transformer(const Encoder& encoder, int64_t blocks) {
  const auto tokens = static_cast<double>(encoder.token_shape()[0]);
  const auto features = static_cast<double>(encoder.token_shape()[1]);
  const auto dim = static_cast<double>(encoder.dim()), wide = static_cast<double>(encoder.embedding_width());
  const double scores_and_means = tokens * 4.0 * 4.0 * dim;  // of four heads, without keys and values
  const double value_output_mlp = 2.0 * dim * wide + (2.0 + 16.0) * wide * wide;
  return {tokens * 2.0 * features * dim + operations_of_blocks(blocks, encoder.token_shape()[0], encoder.dim()),
          tokens * 2.0 * dim * features, scores_and_means + value_output_mlp};
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

/// Objects at once: as many as keep the device busy.
struct Batches {
  int64_t on_host, on_card;
  int64_t on_card_f32;  ///< where products are a tenth as fast

  int64_t of(const Settings& settings) const {
    if (settings.batch > 0) return settings.batch;
    if (settings.small) return 2;
    if (!settings.on_card()) return on_host;
    return settings.precision == Precision::f32 ? on_card_f32 : on_card;
  }
};

/// A published tower as its plugin makes it, perhaps with fewer blocks.
struct Tower {
  std::string plugin;
  int64_t blocks, dim, heads;
  Batches batches;
  Operations (*operations)(const Encoder& encoder, int64_t blocks);
  const char* small;  ///< parameters that a test can afford
};

constexpr const char* small_specformer = "depth = 2\ndim = 64\nheads = 2\npixels = 781\nhead = { width = 64 }";
constexpr const char* small_images = "depth = 2\ndim = 64\nheads = 2\nchunks = 1\nimage = 48\nhead = { width = 64 }";
const Tower specformer{"specformer", 6, 768, 6, {8, 128, 16}, operations_of_transformer, small_specformer};
const Tower vit{"vit", 24, 1024, 16, {16, 256, 32}, operations_of_transformer, small_images};
const Tower small_vit{"vit", 12, 384, 6, {16, 256, 32}, operations_of_transformer, small_images};
/// Moments, gradients and two packed copies of all 24 blocks would need more memory than many a machine has.
const Tower short_vit{"vit", 8, 1024, 16, {16, 256, 32}, operations_of_transformer, small_images};
const Tower resnet{"resnet", 8, 64, 0, {32, 256, 64}, operations_of_resnet, "dim = 8\nimage = 48"};

config::Value value(config::Value::Data data) { return {std::move(data), {}}; }

config::Table parameters_of(const Tower& tower, const Settings& settings) {
  if (settings.small) return config::parse_text(tower.small, tower.plugin);
  config::Table table;
  if (tower.heads == 0) return table;  // ResNet-18 is the plugin's default
  table.set("depth", value(tower.blocks));
  table.set("dim", value(tower.dim));
  table.set("heads", value(tower.heads));
  return table;
}

std::shared_ptr<Encoder> make(const Tower& tower, const Settings& settings) {
  auto encoder = plugin::Host::instance().make<Encoder>(tower.plugin, parameters_of(tower, settings), "bench");
  set_weights(*encoder, settings.device);
  return encoder;
}

Operations operations_of(const Tower& tower, const Encoder& encoder, const Settings& settings) {
  return tower.operations(encoder, settings.small ? 2 : tower.blocks);
}

Tensor random(const Shape& shape, const Settings& settings) { return uniform(shape, 0.0, 1.0, settings.device); }

Tensor random_batch(const Encoder& encoder, int64_t batch, const Settings& settings) {
  std::vector<int64_t> extents = {batch};
  for (const int64_t extent : encoder.input_shape()) extents.push_back(extent);
  return random(Shape(extents), settings);
}

Tensor embed(const Encoder& encoder, const Tensor& raw) {
  return encoder.embed(encoder.encode(encoder.tokenize(raw), {}, TokenForm::alignment));
}

std::shared_ptr<optim::Adamw> adamw(std::vector<NamedTensor> weights, double clip_norm) {
  optim::Adamw::Options options;
  options.weight_decay = 0.05;
  options.clip_norm = clip_norm;
  return std::make_shared<optim::Adamw>(std::move(weights), options);
}

/// Without waiting for the device.
void update(optim::Adamw& optimizer) {
  optimizer.queue_step({1e-5});
  optimizer.clear_gradients();
}

/// `operations` are those of one object.
Work of_objects(std::function<void()> run, int64_t batch, double operations, const std::string& what = "") {
  const auto objects = static_cast<double>(batch);
  return {std::move(run), objects * operations, 0.0, objects,
          fmt::format("{}{}batch {}", what, what.empty() ? "" : ", ", batch)};
}

std::string blocks_of(const Tower& tower) { return fmt::format("{} blocks", tower.blocks); }

Work embedding(const Tower& tower, const Settings& settings) {
  const std::shared_ptr<const Encoder> encoder = make(tower, settings);
  const int64_t batch = tower.batches.of(settings);
  const Operations operations = operations_of(tower, *encoder, settings);
  const auto run = [=, raw = random_batch(*encoder, batch, settings)] {
    const autograd::NoGrad no_grad;
    const ops::PrecisionScope scope(settings.precision);
    embed(*encoder, raw);
  };
  return of_objects(run, batch, operations.backbone + operations.head, blocks_of(tower));
}

/// Embedding batches so small that the host's part of a pass may take longer than the card's.
Work small_batch(bool captured, Settings settings) {
  constexpr int64_t few = 4;
  if (settings.batch == 0) settings.batch = few;
  Work work = embedding(vit, settings);
  if (!captured) return work;
  work.run();  // twice, until weights have their forms for products
  work.run();
  const std::shared_ptr<Replay> replay = backend_of(settings.device).capture(work.run);
  if (replay) {
    work.run = [owner_of_inputs = work.run, replay] { replay->run(); };
  } else {
    work.note += ", not captured";
  }
  return work;
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
  const std::shared_ptr<Encoder> encoder = make(tower, settings);
  encoder->set_training(true);
  const int64_t batch = tower.batches.of(settings);
  const Operations operations = operations_of(tower, *encoder, settings);
  const auto optimizer = adamw(encoder->parameters(), 1.0);
  const auto run = [=, raw = random_batch(*encoder, batch, settings)] {
    const ops::PrecisionScope scope(settings.precision);
    autograd::backward(objective(*encoder, raw, reconstructs));
    update(*optimizer);
  };
  const double forward = operations.backbone + (reconstructs ? operations.reconstruction : operations.head);
  return of_objects(run, batch, 3.0 * forward, blocks_of(tower));
}

/// A step with a loss plugin, from the forward pass to what the loss does after the update.
std::function<void()> step_of(const std::shared_ptr<Loss>& loss, const std::shared_ptr<PlainEngine>& engine,
                              const std::shared_ptr<optim::Adamw>& optimizer, Precision precision) {
  return [=] {
    const ops::PrecisionScope scope(precision);
    autograd::backward(loss->forward(*engine).total);
    update(*optimizer);
    loss->after_update(*engine, 0, 1 << 20);
  };
}

std::shared_ptr<Loss> attached(const std::string& plugin, const config::Table& table, PlainEngine& engine,
                               const Settings& settings) {
  const std::shared_ptr<Loss> loss = plugin::Host::instance().make<Loss>(plugin, table, "bench");
  loss->attach(engine);
  set_weights(*loss, settings.device);
  loss->begin();
  return loss;
}

std::vector<NamedTensor> backbone_of(const Encoder& encoder) {
  std::vector<NamedTensor> weights = encoder.parameters();
  std::erase_if(weights, [](const NamedTensor& entry) { return !entry.name.starts_with("backbone."); });
  return weights;
}

/// The published pretraining of spectra: six spans of 50 tokens are hidden.
Work masked_modelling(const Settings& settings) {
  const std::shared_ptr<Encoder> encoder = make(specformer, settings);
  encoder->set_training(true);
  const int64_t batch = Batches{8, 64, 16}.of(settings);
  const auto engine = std::make_shared<PlainEngine>(
      std::vector<std::pair<std::string, PlainEngine::Tower>>{
          {encoder->modality(), {encoder, random_batch(*encoder, batch, settings)}}},
      settings.device);
  config::Table table;
  if (settings.small) table.set("span_length", value(int64_t{5}));
  const std::shared_ptr<Loss> loss = attached("masked_spectrum", table, *engine, settings);
  const Operations operations = operations_of(specformer, *encoder, settings);
  return of_objects(step_of(loss, engine, adamw(backbone_of(*encoder), 1.0), settings.precision), batch,
                    3.0 * (operations.backbone + operations.reconstruction), blocks_of(specformer));
}

/// The weights that train beside a frozen backbone.
std::vector<NamedTensor> freeze_backbone(Encoder& encoder) {
  encoder.set_training(true);
  encoder.set_trainable("backbone", false);
  std::vector<NamedTensor> head = encoder.parameters(encoder.modality());
  std::erase_if(head, [](const NamedTensor& entry) { return !entry.trainable; });
  return head;
}

/// As a backbone gives them for alignment.
Tensor random_tokens(const Encoder& encoder, int64_t batch, const Settings& settings) {
  const Tensor tokens = random({batch, encoder.token_shape()[0], encoder.dim()}, settings);
  return ops::cast(tokens, backend_of(settings.device).pooled_dtype(settings.precision));
}

/// The head alone, on tokens that are there: an embedding, or a training step.
Work head(const Tower& tower, bool trains, const Settings& settings) {
  const std::shared_ptr<Encoder> encoder = make(tower, settings);
  const int64_t batch = tower.batches.of(settings);
  const Operations operations = operations_of(tower, *encoder, settings);
  const auto optimizer = adamw(freeze_backbone(*encoder), 0.0);
  encoder->set_training(trains);
  const auto run = [=, tokens = Encoded{{}, random_tokens(*encoder, batch, settings)}] {
    const ops::PrecisionScope scope(settings.precision);
    if (trains) {
      autograd::backward(ops::mean(ops::square(encoder->embed(tokens))));
      update(*optimizer);
    } else {
      const autograd::NoGrad no_grad;
      encoder->embed(tokens);
    }
  };
  return of_objects(run, batch, (trains ? 3.0 : 1.0) * operations.head);
}

/// A tower whose backbone is a cache: its raw input are tokens.
class CachedTokens final : public Encoder {
 public:
  explicit CachedTokens(std::shared_ptr<const Encoder> tower) : tower_(std::move(tower)) {}
  std::string modality() const override { return tower_->modality(); }
  Shape input_shape() const override { return {tower_->token_shape()[0], tower_->dim()}; }
  Shape token_shape() const override { return tower_->token_shape(); }
  int64_t dim() const override { return tower_->dim(); }
  int64_t embedding_width() const override { return tower_->embedding_width(); }
  Tensor tokenize(const Tensor& raw) const override { return raw; }
  Encoded encode(const Tensor& tokens, const Tensor&, TokenForm) const override { return {{}, tokens}; }
  Tensor embed(const Encoded& encoded) const override { return tower_->embed(encoded); }
  Tensor pool(const Encoded& encoded) const override { return tower_->pool(encoded); }

 private:
  std::shared_ptr<const Encoder> tower_;
};

constexpr Batches pairs{8, 256, 32};

/// Both published towers, for pairs.
struct Pair {
  std::shared_ptr<Encoder> spectrum, image;
  Operations of_spectrum, of_image;

  explicit Pair(const Settings& settings)
      : spectrum(make(specformer, settings)),
        image(make(vit, settings)),
        of_spectrum(operations_of(specformer, *spectrum, settings)),
        of_image(operations_of(vit, *image, settings)) {}
  double backbones() const { return of_spectrum.backbone + of_image.backbone; }
  double heads() const { return of_spectrum.head + of_image.head; }
};

Work pair_embedding(const Settings& settings) {
  const Pair pair(settings);
  const int64_t batch = pairs.of(settings);
  const auto run = [=, spectra = random_batch(*pair.spectrum, batch, settings),
                    images = random_batch(*pair.image, batch, settings)] {
    const autograd::NoGrad no_grad;
    const ops::PrecisionScope scope(settings.precision);
    embed(*pair.spectrum, spectra);
    embed(*pair.image, images);
  };
  return of_objects(run, batch, pair.backbones() + pair.heads(), "both towers");
}

/// What aligning costs beside embedding: the heads alone are trained, with the plugin of the published loss.
Work alignment(const Settings& settings, bool from_cache) {
  const Pair pair(settings);
  const int64_t batch = pairs.of(settings);
  std::vector<NamedTensor> heads;
  std::vector<std::pair<std::string, PlainEngine::Tower>> towers;
  for (const auto& encoder : {pair.spectrum, pair.image}) {
    for (NamedTensor& entry : freeze_backbone(*encoder)) heads.push_back(std::move(entry));
    PlainEngine::Tower tower{encoder, {}};
    if (from_cache) {
      tower = {std::make_shared<CachedTokens>(encoder), random_tokens(*encoder, batch, settings)};
    } else {
      tower.raw = random_batch(*encoder, batch, settings);
    }
    towers.emplace_back(encoder->modality(), std::move(tower));
  }
  const auto engine = std::make_shared<PlainEngine>(std::move(towers), settings.device);
  const std::shared_ptr<Loss> loss = attached("clip", {}, *engine, settings);
  const double operations = from_cache ? 3.0 * pair.heads() : pair.backbones() + pair.heads();
  return of_objects(step_of(loss, engine, adamw(heads, 1.0), settings.precision), batch, operations,
                    from_cache ? "both heads" : "both towers");
}

/// A step of DINOv2 with the published loss: two crops of 144 and eight of 60 pixels, half of the large ones masked by
/// 10 to 50 %, heads of 65,536 prototypes.
struct SelfDistillation {
  Tower tower;
  Batches batches;
  double skipped;           ///< share of the samples that skip each branch
  bool recomputes = false;  ///< blocks are computed again in the backward pass
};

const SelfDistillation distil_small_vit{small_vit, {8, 256, 32}, 0.3};
const SelfDistillation distil_vit{vit, {8, 64, 16}, 0.0};
const SelfDistillation recomputed_vit{vit, {8, 64, 16}, 0.0, true};

Work self_distillation(const SelfDistillation& distilled, const Settings& settings) {
  constexpr int64_t local_crops = 8;
  const Tower& tower = distilled.tower;
  const int64_t local_size = settings.small ? 24 : 60, prototypes = settings.small ? 512 : 65536;
  const std::shared_ptr<Encoder> student = make(tower, settings);
  student->set_training(true);
  student->set_stochastic_depth({.rate = distilled.skipped});
  student->set_recomputation(distilled.recomputes);
  const int64_t batch = distilled.batches.of(settings);
  const auto engine = std::make_shared<PlainEngine>(
      std::vector<std::pair<std::string, PlainEngine::Tower>>{
          {student->modality(), {student, random_batch(*student, batch, settings)}}},
      settings.device);
  const int64_t side = student->input_shape()[-1];
  engine->add_view("global", student->modality(), random({2 * batch, 3, side, side}, settings));
  engine->add_view("local", student->modality(), random({local_crops * batch, 3, local_size, local_size}, settings));
  engine->set_rebuilt(make(tower, settings));
  engine->set_step(0, 1 << 20);
  config::Table table;
  table.set("prototypes", value(prototypes));
  if (settings.small) {
    table.set("hidden", value(int64_t{64}));
    table.set("bottleneck", value(int64_t{32}));
  }
  const std::shared_ptr<Loss> loss = attached("dinov2", table, *engine, settings);
  std::vector<NamedTensor> weights = backbone_of(*student);
  for (NamedTensor& entry : loss->parameters("loss")) {
    if (entry.trainable) weights.push_back(std::move(entry));
  }
  // Of a crop of which `read` tokens are read: the last block's output projection and MLP are of those alone.
  const auto of_crop = [&](int64_t pixels, double read) {
    const int64_t length = pixels / 12 * (pixels / 12) + 1;
    const auto width = static_cast<double>(student->dim());
    return operations_of_blocks(settings.small ? 2 : tower.blocks, length, student->dim()) -
           (static_cast<double>(length) - read) * (2.0 + 16.0) * width * width;
  };
  const double kept = 1.0 - distilled.skipped;
  const double masked = 0.5 * 0.3 * 2.0 * static_cast<double>(student->token_shape()[0]);
  const double of_head = 2.0 * (static_cast<double>(student->dim()) * 2048.0 + 2048.0 * 2048.0 + 2048.0 * 256.0 +
                                256.0 * static_cast<double>(prototypes));
  const double of_student = kept * (2.0 * of_crop(side, 1.0 + masked / 2.0) + local_crops * of_crop(local_size, 1.0)) +
                            (2.0 + local_crops + masked) * of_head;
  const double of_teacher = 2.0 * of_crop(side, 1.0 + masked / 2.0) + (2.0 + masked) * of_head;
  return of_objects(step_of(loss, engine, adamw(std::move(weights), 3.0), settings.precision), batch,
                    3.0 * of_student + of_teacher, "2 + 8 crops");
}

/// Clip and update of all its weights.
Work clip_and_update(const Tower& tower, const Settings& settings) {
  const std::shared_ptr<Encoder> encoder = make(tower, settings);
  std::vector<std::pair<Tensor, Tensor>> gradients;
  double elements = 0.0;
  for (const NamedTensor& entry : encoder->parameters()) {
    gradients.emplace_back(entry.tensor, uniform(entry.tensor.shape(), -1.0, 1.0, settings.device));
    elements += static_cast<double>(entry.tensor.numel());
  }
  const auto run = [=, optimizer = adamw(encoder->parameters(), 1.0)]() mutable {
    for (auto& [weight, gradient] : gradients) weight.set_grad(gradient);
    update(*optimizer);
  };
  return {run, 0.0, 32.0 * elements};
}

std::vector<Row> card_rows() {
  using S = Settings;
  return {{"embedding vit-l/12", [](const S& s) { return embedding(vit, s); }, {"pytorch"}},
          {"embedding specformer", [](const S& s) { return embedding(specformer, s); }, {"pytorch"}},
          {"small batch vit-l/12", [](const S& s) { return small_batch(false, s); }},
          {"small batch vit-l/12, captured", [](const S& s) { return small_batch(true, s); }},
          {"training step specformer, masked modelling", masked_modelling, {"pytorch"}},
          {"training step dinov2, vit-l/12", [](const S& s) { return self_distillation(distil_vit, s); }, {"pytorch"}},
          {"dinov2, vit-l/12, blocks recomputed", [](const S& s) { return self_distillation(recomputed_vit, s); }},
          {"pairs: training the heads on frozen towers", [](const S& s) { return alignment(s, false); }, {"pytorch"}},
          {"pairs: training the heads on cached tokens", [](const S& s) { return alignment(s, true); }, {"pytorch"}},
          {"pairs: embedding", pair_embedding},
          {"embedding resnet-18", [](const S& s) { return embedding(resnet, s); }, {"pytorch"}},
          {"training step resnet-18", [](const S& s) { return training(resnet, false, s); }, {"pytorch"}},
          {"clip + adamw vit-l/12", [](const S& s) { return clip_and_update(vit, s); }, {"pytorch"}}};
}

}  // namespace

std::vector<Row> tower_rows(bool on_card) {
  if (on_card) return card_rows();
  using S = Settings;
  return {{"embedding specformer", [](const S& s) { return embedding(specformer, s); }, {"pytorch"}},
          {"training step specformer", [](const S& s) { return training(specformer, true, s); }, {"pytorch"}},
          {"embedding vit-l/12", [](const S& s) { return embedding(vit, s); }, {"pytorch"}},
          {"training step vit-l/12", [](const S& s) { return training(short_vit, false, s); }, {"pytorch"}},
          {"embedding resnet-18", [](const S& s) { return embedding(resnet, s); }, {"pytorch"}},
          {"training step resnet-18", [](const S& s) { return training(resnet, false, s); }, {"pytorch"}},
          {"training step dinov2, vit-s/12",
           [](const S& s) { return self_distillation(distil_small_vit, s); },
           {"pytorch"}},
          {"head specformer, embedding", [](const S& s) { return head(specformer, false, s); }, {"pytorch"}},
          {"head specformer, training step", [](const S& s) { return head(specformer, true, s); }, {"pytorch"}},
          {"head vit-l/12, embedding", [](const S& s) { return head(vit, false, s); }, {"pytorch"}},
          {"head vit-l/12, training step", [](const S& s) { return head(vit, true, s); }, {"pytorch"}},
          {"pairs: embedding", pair_embedding},
          {"pairs: training the heads on frozen towers", [](const S& s) { return alignment(s, false); }}};
}

}  // namespace astroclip::bench
