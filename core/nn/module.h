#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "nn/stochastic_depth.h"
#include "tensor/named_tensor.h"

namespace astroclip::nn {

/// The initial distribution of a parameter. Truncated normal: a normal of the standard deviation `value` cut at ±limit,
/// by default as torch.nn.init.trunc_normal_ does, whose limits are absolute whatever the deviation.
struct Init {
  enum class Kind { zeros, constant, normal, truncated_normal, uniform };
  Kind kind = Kind::zeros;
  double value = 0.0;  ///< the constant, the standard deviation, or the half-width of the uniform
  double limit = 2.0;

  static Init zeros() { return {}; }
  static Init constant(double value) { return {Kind::constant, value}; }
  static Init normal(double std) { return {Kind::normal, std}; }
  static Init truncated_normal(double std, double limit = 2.0) { return {Kind::truncated_normal, std, limit}; }
  static Init uniform(double half_width) { return {Kind::uniform, half_width}; }
};

/// How batch norms use the batch in training.
struct BatchStatistics {
  int64_t groups = 1;      ///< equal parts of the batch, each normalised by itself, as on as many devices
  bool of_frozen = false;  ///< frozen norms use the batch, too, and follow it without a tape (a momentum encoder's)
};

/// Named parameters, buffers and children. Names are those of the published files, so that weights load by
/// name. Tensors are handles: a list of NamedTensor shares storage with the module.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// Creates parameter and buffer storage on `device` in its backend's dtype and draws initial values, each
  /// from a stream keyed by (seed, full name). Call once, on the outermost module.
  void materialize(Device device, uint64_t seed, const std::string& prefix = "");
  /// The same without initial values, for a module whose weights are loaded next.
  void materialize_empty(Device device);
  /// Parameters in order of declaration, children after own, names under `prefix`.
  std::vector<NamedTensor> parameters(const std::string& prefix = "") const;
  /// Parameters and buffers: everything a checkpoint of the module holds.
  std::vector<NamedTensor> state(const std::string& prefix = "") const;
  int64_t parameter_count() const;
  /// Freezes (or unfreezes) every parameter at or below a dotted name ("" for all).
  /// Throws Error listing the existing names if nothing matches.
  void set_trainable(const std::string& name, bool trainable);
  /// Training mode enables dropout and stochastic depth; off by default.
  void set_training(bool training);
  bool training() const { return training_; }
  void set_batch_statistics(BatchStatistics how);
  /// The key that dropout streams of this step derive from.
  void set_step_seed(uint64_t seed);
  /// Gives the modules below that declared it stochastic depth in training mode, in the order of their declaration.
  /// Throws Error when there is none and the rate is not 0.
  void set_stochastic_depth(const StochasticDepth& options);
  /// Has the modules below that declared it compute again in the backward pass what they would otherwise keep for it,
  /// or not. Throws Error when there is none and it is wanted.
  void set_recomputation(bool wanted);
  /// Whether training mode drops units at random in the module or below, at or below the dotted name `part`.
  bool has_dropout(const std::string& part = "", const std::string& prefix = "") const;

 protected:
  /// Declares a parameter; `slot` becomes valid at materialize and stays in place with the module.
  void parameter(const std::string& name, Tensor& slot, const Shape& shape, Init init);
  void buffer(const std::string& name, Tensor& slot, const Shape& shape, Init init);
  void child(const std::string& name, Module& module);
  /// Declares that training mode drops units with the probability `rate`.
  void declare_dropout(double rate) { dropout_rate_ = rate; }
  const BatchStatistics& batch_statistics() const { return batch_statistics_; }
  /// Declares that the module takes stochastic depth; `stochastic_depth` is what it was given.
  void declare_stochastic_depth() { stochastic_depth_.emplace(); }
  const StochasticDepth& stochastic_depth() const { return *stochastic_depth_; }
  /// Declares that the module's forward pass goes through `recomputed`.
  void declare_recomputation() { recomputes_.emplace(false); }
  /// forward(), by ops::recompute where set_recomputation said so; when it is called again, `dropout_seed` of this
  /// module and of those below gives the same words. It captures by value what it reads.
  Tensor recomputed(std::function<Tensor()> forward) const;
  /// A word for one dropout site, different for each call within a step. Throws Error unless dropout was declared.
  uint64_t dropout_seed() const;

 private:
  struct Slot {
    std::string name;
    Tensor* tensor;
    Shape shape;
    Init init;
    bool is_buffer;
    bool trainable;
  };
  struct Child {
    std::string name;
    Module* module;
  };
  /// Where a module is in its dropout streams.
  struct DropoutState {
    uint64_t step_seed = 0, calls = 0;
  };
  void collect(const std::string& prefix, bool with_buffers, std::vector<NamedTensor>& out) const;
  void collect_stochastic_depth(std::vector<Module*>& out);
  void collect_dropout(std::vector<DropoutState*>& out) const;
  /// Returns how many modules declared it.
  int64_t mark_recomputation(bool wanted);
  /// Returns how many parameters matched.
  int64_t mark_trainable(const std::string& prefix, const std::string& name, bool trainable);

  std::vector<Slot> slots_;
  std::vector<Child> children_;
  bool training_ = false;
  BatchStatistics batch_statistics_;
  std::optional<double> dropout_rate_;
  std::optional<StochasticDepth> stochastic_depth_;
  std::optional<bool> recomputes_;
  mutable DropoutState dropout_;
};

/// Appends tensors to others, their names under `prefix`.
void append_state(std::vector<NamedTensor>& all, std::vector<NamedTensor> more, const std::string& prefix = "");

/// The result of matching a file's tensors with a module's.
struct LoadReport {
  std::vector<std::string> missing;     ///< in the module, not in the source
  std::vector<std::string> unexpected;  ///< in the source, not in the module
  std::vector<std::string> misshapen;   ///< "name: expected [..], found [..]"; integers for floats, too
  bool complete() const { return missing.empty() && misshapen.empty(); }
};

/// Matches a source's tensors with a module's state, or a part of it, by name; writes nothing.
LoadReport compare_state(const std::vector<NamedTensor>& state, const std::vector<NamedTensor>& source);
/// Whether a module copies given tensors into its own storage, or shares them if dtype and device match.
enum class Loading { copied, shared };
/// Loads the source's tensors into a state by name, converting float types. Nothing is written unless all tensors
/// match.
LoadReport load_state(std::vector<NamedTensor> state, const std::vector<NamedTensor>& source,
                      Loading how = Loading::copied);

}  // namespace astroclip::nn
