#include "run/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <type_traits>

#include "autograd/tape.h"
#include "backend/devices.h"
#include "base/error.h"
#include "base/text.h"
#include "ops/ops.h"
#include "optim/optimizer.h"
#include "plugin/guarded.h"
#include "record/metrics.h"
#include "train/collapse_watch.h"
#include "train/selection.h"
#include "train/stage_parameters.h"
#include "train/stage_rows.h"
#include "train/step_context.h"

namespace astroclip::run {

namespace {

void check_weights(const Stage& stage) {
  const Experiment& experiment = stage.experiment;
  for (const InitSpec& init : stage.spec.init) {
    if (init.is_stage) continue;
    Model({experiment.encoder(init.encoder)}, experiment.run_device(), std::nullopt).load(init.encoder, init.source);
  }
}

/// A tensor under two names would be trained twice, and two under one name cannot be saved.
void check_names(const std::string& owner, const std::vector<NamedTensor>& tensors) {
  std::set<std::string> names;
  std::map<const void*, std::string> seen;
  for (const NamedTensor& entry : tensors) {
    if (!names.insert(entry.name).second) throw Error(fmt::format("{}: two tensors are named '{}'", owner, entry.name));
    if (!entry.tensor.defined()) continue;  // of an encoder without weights
    const auto [known, is_new] = seen.emplace(entry.tensor.id(), entry.name);
    if (!is_new) throw Error(fmt::format("{}: '{}' and '{}' are the same tensor", owner, known->second, entry.name));
  }
}

/// What an encoder's functions give of a few objects, compared with what it declares.
class EncoderCheck {
 public:
  EncoderCheck(const EncoderSpec& spec, Encoder& encoder, Device device)
      : spec_(spec), encoder_(encoder), device_(device), dtype_(backend_of(device).compute_dtype()) {}

  void run() const {
    encoder_.set_training(false);
    const Shape tokens_of_one = encoder_.token_shape();
    const Tensor raw = Tensor::zeros(HostArray::rows_of(encoder_.input_shape(), objects), dtype_, device_);
    const Tensor tokens = call("tokenize", [&] { return encoder_.tokenize(raw); });
    expect("tokenize", tokens, HostArray::rows_of(tokens_of_one, objects), "objects, token_shape()");
    const Encoded aligned = features(tokens, TokenForm::alignment), plain = features(tokens, TokenForm::pretraining);
    const Tensor embedding = call("embed", [&] { return encoder_.embed(aligned); });
    expect("embed", embedding, {objects, encoder_.embedding_width()}, "objects, embedding_width()");
    const Tensor pooled = call("pool", [&] { return encoder_.pool(plain); });
    expect("pool", pooled, {objects, encoder_.dim()}, "objects, dim()");
  }

 private:
  static constexpr int64_t objects = 2;

  Encoded features(const Tensor& tokens, TokenForm form) const {
    Encoded encoded = call("encode", [&] { return encoder_.encode(tokens, {}, form); });
    const bool is_sequence = encoded.tokens.defined() && encoded.tokens.rank() == 3;
    const int64_t length = is_sequence ? encoded.tokens.size(1) : tokens.size(1);
    expect("encode", encoded.tokens, {objects, length, encoder_.dim()}, "objects, tokens, dim()");
    if (encoded.cls_token.defined()) expect("encode", encoded.cls_token, {objects, encoder_.dim()}, "objects, dim()");
    return encoded;
  }

  template <class F>
  std::invoke_result_t<F> call(const char* function, const F& code) const {
    return plugin::traced(fmt::format("{} of encoder '{}' of [encoders.{}]", function, spec_.plugin.plugin, spec_.name),
                          code);
  }

  void expect(const char* function, const Tensor& found, const Shape& shape, const char* meaning) const {
    const DType pooled = backend_of(device_).pooled_dtype(ops::current_precision());  // tokens for alignment
    const bool fits = found.defined() && found.shape() == shape;
    if (fits && (found.dtype() == dtype_ || found.dtype() == pooled)) return;
    throw Error(fmt::format(
        "[encoders.{}] {} of encoder '{}' gives {}, expected {} {} ({})", spec_.name, function, spec_.plugin.plugin,
        found.defined() ? fmt::format("{} {}", name_of(found.dtype()), found.shape().str()) : "an undefined tensor",
        name_of(dtype_), shape.str(), meaning));
  }

  const EncoderSpec& spec_;
  Encoder& encoder_;
  Device device_;
  DType dtype_;
};

/// A few objects; with `micro_batch` enough to split.
data::Batch first_batch(const train::StageSetup& setup, const Dataset& dataset, std::vector<int64_t> rows) {
  constexpr int64_t few = 4;
  const StageSpec& spec = setup.stage().spec;
  data::LoaderOptions options = setup.stage().loader_options(
      std::min({std::max(few, spec.micro_batch + 1), spec.batch, static_cast<int64_t>(rows.size())}));
  options.steps = 1;
  options.shuffle = false;
  rows.resize(static_cast<size_t>(options.batch));
  return data::Loader(dataset, std::move(rows), setup.views(), setup.loss().labels(), options).next();
}

/// Names of the parameters with a gradient, which goes.
std::vector<std::string> take_gradients(const std::vector<NamedTensor>& parameters) {
  std::vector<std::string> reached;
  for (NamedTensor entry : parameters) {
    if (!entry.tensor.grad().defined()) continue;
    reached.push_back(entry.name);
    entry.tensor.set_grad({});
  }
  return reached;
}

/// What the total and each term must be, and names that lines of metrics.jsonl take themselves.
void check_value(const StageSpec& stage, const LossValue& value) {
  const std::string title = fmt::format("[stages.{}] loss '{}'", stage.name, stage.loss.plugin);
  const auto expect_number = [&](const std::string& what, const Tensor& tensor) {
    if (tensor.defined() && tensor.numel() == 1) return;
    throw Error(fmt::format("{}: the {} is {}, expected one number", title, what,
                            tensor.defined() ? "of shape " + tensor.shape().str() : "an undefined tensor"));
  };
  expect_number("total", value.total);
  std::set<std::string> taken = {
      "stage", "step", "time", "loss", "learning_rate", "gradient_norm", "objects_per_second", "wait_share"};
  for (const auto& [name, term] : value.terms) {
    expect_number("term '" + name + "'", term);
    if (!taken.insert(name).second) {
      throw Error(fmt::format("{}: a term is named '{}', as another term or entry of metrics.jsonl", title, name));
    }
  }
}

/// How much memory of a card a stage needs, by what a small batch takes.
class MemoryNeed {
 public:
  explicit MemoryNeed(const Stage& stage)
      : stage_(stage), device_(stage.experiment.run_device()), memory_(memory_of(device_)) {
    memory_.trim();
    before_ = memory_.statistics().used_bytes;
  }
  /// Between forward and backward pass. What the forward pass has given back counts, too: of blocks that are recomputed
  /// the backward pass takes as much again.
  void note_activations() { taken_ = memory_.statistics().reserved_bytes; }

  /// What `objects` objects tell when all they took is free again, but for packed weights. Throws Error when the device
  /// has too little; "" where only the system knows.
  std::string tell(int64_t objects, const std::vector<NamedTensor>& parameters) const {
    const std::optional<int64_t> available = available_memory(device_);
    if (!available) return "";
    const StageSpec& spec = stage_.spec;
    const int64_t packed = memory_.statistics().used_bytes - before_;
    int64_t trained = 0;
    for (const NamedTensor& entry : parameters) trained += entry.trainable ? entry.tensor.bytes() : 0;
    // Gradient and moments; an average of the weights.
    const int64_t copies = 1 + optim::moments_of(spec.optimizer.name) + (spec.ema > 0.0 ? 1 : 0);
    const int64_t weights = before_ + packed + copies * trained;
    // Of micro-batches one at a time keeps activations, and this one was whole.
    const bool splits = spec.micro_batch > 0 && spec.micro_batch < spec.batch;
    const auto share = static_cast<double>(spec.batch) / static_cast<double>(objects);
    const int64_t activations =
        splits ? memory_.statistics().peak_used_bytes - before_ - packed
               : static_cast<int64_t>(share * static_cast<double>(std::max<int64_t>(0, taken_ - before_ - packed)));
    const std::string need = fmt::format(
        "stage {} needs about {} for weights, gradients and optimiser and {} for the activations of {} objects; {} has "
        "{}",
        spec.name, size_text(weights), size_text(activations), splits ? spec.micro_batch : spec.batch, device_.str(),
        size_text(*available + memory_.statistics().used_bytes));
    if (weights + activations > *available + memory_.statistics().used_bytes) {
      throw Error(need +
                  ": 'recompute' keeps less of blocks, and 'accumulate' makes a step of several smaller batches");
    }
    return need;
  }

 private:
  static std::string size_text(int64_t bytes) {
    constexpr double mega = 1e6, giga = 1e9;
    const auto size = static_cast<double>(bytes);
    return size < giga ? fmt::format("{:.0f} MB", size / mega) : fmt::format("{:.1f} GB", size / giga);
  }

  const Stage& stage_;
  Device device_;
  Memory& memory_;
  int64_t before_ = 0, taken_ = 0;
};

/// Of a loss that trains the stage: what it gives for a batch, and what its gradient reaches.
std::vector<std::string> check_loss(const Stage& stage, const Model& model, const train::StageSetup& setup,
                                    const data::Batch& batch, MemoryNeed& need) {
  const train::FrozenViews none;
  train::StepContext context(setup, none, batch, 0, train::Mode::validation);
  const LossValue loss = setup.forward(context);
  need.note_activations();
  check_value(stage.spec, loss);
  context.backward(loss.total, 1.0);
  const std::vector<std::string> reached = take_gradients(train::stage_parameters(stage.spec, model, setup.loss()));
  record::Metrics metrics = record::metrics_of(loss);
  // What the tasks add is known when they have run.
  const ValidationSpec& validation = stage.spec.validation;
  if (validation.every == 0 || validation.tasks > 0) return reached;
  for (auto& [name, value] : metrics) name = "validation." + name;
  train::Selection(validation).offer(0, metrics);
  return reached;
}

StageCheck check_batch(const Stage& stage, const Model& model, const Dataset& dataset) {
  const train::StageSetup setup(stage, model);
  data::RowSplit rows = train::stage_rows(setup, dataset);
  if (stage.spec.steps == 0) return {};
  const ops::PrecisionScope precision(stage.experiment.run_precision());
  const data::Batch batch = first_batch(setup, dataset, std::move(rows.training));
  if (stage.spec.watch.every > 0) {
    const train::FrozenViews none;
    (void)train::CollapseWatch(setup, none, {}, dataset, rows.validation);
  }
  MemoryNeed need(stage);
  StageCheck found;
  found.reached = check_loss(stage, model, setup, batch, need);
  found.memory = need.tell(std::ssize(batch.rows), train::stage_parameters(stage.spec, model, setup.loss()));
  return found;
}

/// A group that nobody asks for is a name that was not meant.
void check_groups(const Experiment& experiment, std::vector<std::string> used) {
  const std::vector<std::string> known = data::known_view_groups();
  used.insert(used.end(), known.begin(), known.end());
  for (const data::ViewGroup& group : experiment.dataset.views) {
    if (std::ranges::find(used, group.name) != used.end()) continue;
    throw Error(fmt::format("[dataset.views] '{}' is the name of no encoder, and no loss asks for it{}", group.name,
                            suggestion(group.name, used)));
  }
}

}  // namespace

void check_stages(const Experiment& experiment, const Model& model, size_t first) {
  std::vector<std::string> used = model.names();
  for (const std::string& name : model.names()) {
    check_names(fmt::format("[encoders.{}]", name), model.encoder(name).state());
  }
  for (size_t index = first; index < experiment.stages.size(); ++index) {
    const Stage stage(experiment, index);
    check_weights(stage);
    const train::StageSetup setup(stage, model);
    check_names(fmt::format("[stages.{}] loss", stage.spec.name), setup.state());
    (void)train::optimizer_scales(stage.spec, train::stage_parameters(stage.spec, model, setup.loss()));
    for (const data::ViewPlan& view : setup.views()) {
      for (const data::ViewGroup& group : view.groups) used.push_back(group.name);
    }
  }
  if (first == 0) check_groups(experiment, std::move(used));
}

void check_encoders(const Experiment& experiment, const Model& model) {
  const autograd::NoGrad no_grad;
  const ops::PrecisionScope precision(experiment.run_precision());
  for (const EncoderSpec& spec : experiment.encoders) {
    EncoderCheck(spec, model.encoder(spec.name), experiment.run_device()).run();
  }
}

std::vector<StageCheck> check_batches(const Experiment& experiment, const Model& model, const Dataset& dataset) {
  std::vector<StageCheck> checks;
  for (size_t index = 0; index < experiment.stages.size(); ++index) {
    checks.push_back(check_batch({experiment, index}, model, dataset));
  }
  // Weights packed for a few objects, and stages that train much later, would stay.
  for (const NamedTensor& entry : model.state()) entry.tensor.storage()->drop_derived();
  memory_of(experiment.run_device()).trim();
  return checks;
}

}  // namespace astroclip::run
