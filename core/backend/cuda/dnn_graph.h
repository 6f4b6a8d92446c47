#pragma once

#include <cudnn.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/card.h"
#include "backend/cuda/check.h"
#include "base/error.h"

/// Graphs of operations that cuDNN compiles, by its backend interface.
namespace astroclip::cuda::dnn {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(cudnnBackendDescriptorType_t type) { ASTROCLIP_CUDA(cudnnBackendCreateDescriptor(type, &raw_)); }
  Descriptor(Descriptor&& other) noexcept { std::swap(raw_, other.raw_); }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~Descriptor() {
    if (raw_ != nullptr) (void)cudnnBackendDestroyDescriptor(raw_);
  }
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count, const void* values) {
    ASTROCLIP_CUDA(cudnnBackendSetAttribute(raw_, name, type, count, values));
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const T& value) {
    set(name, type, 1, &value);
  }
  void set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.raw_);
  }
  /// Attributes of that type; returns how many there are.
  int64_t get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count, void* values) const {
    ASTROCLIP_CUDA(cudnnBackendGetAttribute(raw_, name, type, count, &count, values));
    return count;
  }
  void finalize() { ASTROCLIP_CUDA(cudnnBackendFinalize(raw_)); }
  cudnnBackendDescriptor_t raw() const { return raw_; }

 private:
  cudnnBackendDescriptor_t raw_ = nullptr;
};

/// What plans are made for: a card by its handle, or one that is not there by its properties
/// (CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR), whose plans cannot run.
struct Target {
  cudnnHandle_t handle = nullptr;
  Descriptor properties = {};
};

using Extents = std::vector<int64_t>;
Extents packed_strides(const Extents& extents);
cudnnDataType_t type_of(DType dtype);

/// Memory of a tensor; of a scalar, the host's.
using Pointers = std::vector<std::pair<int64_t, const void*>>;

/// An engine that cuDNN proposes for a graph, with its settings.
class Engine {
 public:
  explicit Engine(Descriptor config);
  int64_t number() const { return number_; }
  bool has(cudnnBackendNumericalNote_t note) const;
  const Descriptor& config() const { return config_; }

 private:
  Descriptor config_;
  int64_t number_ = -1;
  std::vector<cudnnBackendNumericalNote_t> notes_;
};

/// Whether it gives the same bits each time.
inline bool is_repeatable(const Engine& engine) { return !engine.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC); }

/// One way to run a graph.
class Plan {
 public:
  /// Throws Error if the engine does not support the graph on the target.
  Plan(const Target& target, Engine engine);
  const Engine& engine() const { return engine_; }
  int64_t workspace_bytes() const { return workspace_bytes_; }
  void run(cudnnHandle_t handle, const Pointers& pointers, void* workspace) const;

 private:
  Engine engine_;
  Descriptor plan_;
  int64_t workspace_bytes_ = 0;
};

/// Tensors of an operation, under the names that cuDNN has for them.
using Tensors = std::map<cudnnBackendAttributeName_t, int64_t>;

class Graph {
 public:
  /// A tensor in memory, aligned to 16 bytes; returns its id.
  int64_t tensor(cudnnDataType_t type, const Extents& extents, const Extents& strides);
  /// A tensor that no memory holds.
  int64_t between(cudnnDataType_t type, const Extents& extents, const Extents& strides);
  int64_t between(const Extents& extents) { return between(CUDNN_DATA_FLOAT, extents, packed_strides(extents)); }
  /// A float that the host gives at each run.
  int64_t scalar(size_t rank);

  void matmul(int64_t a, int64_t b, int64_t c);
  /// y = mode(x) or, with b not −1, mode(x, b).
  void pointwise(cudnnPointwiseMode_t mode, int64_t x, int64_t b, int64_t y);
  /// y = max(x, 0), with NaN for NaN.
  void relu(int64_t x, int64_t y);
  void reduction(cudnnReduceTensorOp_t mode, int64_t x, int64_t y);
  void reshape(int64_t x, int64_t y);
  void convolution(const Windows& windows, int64_t x, int64_t weight, int64_t y);
  void convolution_dx(const Windows& windows, int64_t dy, int64_t weight, int64_t dx);
  /// Another operation, which has no settings.
  void operation(cudnnBackendDescriptorType_t type, const Tensors& tensors);
  /// Another convolution; its settings, alpha and beta under the names that cuDNN has for them.
  void convolution(cudnnBackendDescriptorType_t type, const Windows& windows, const Tensors& tensors,
                   cudnnBackendAttributeName_t settings, cudnnBackendAttributeName_t alpha,
                   cudnnBackendAttributeName_t beta);

  /// The first in the order of cuDNN's heuristic, so the same at each run, whose engine gives the same bits each time;
  /// none if cuDNN has no such engine.
  std::optional<Plan> plan(const Target& target);
  /// Up to `most` in that order, of the engines that `admits` takes. Why others cannot be used is added to `refusals`.
  std::vector<Plan> plans(const Target& target, size_t most, const std::function<bool(const Engine&)>& admits,
                          std::vector<std::string>* refusals = nullptr);

 private:
  int64_t add_tensor(cudnnDataType_t type, const Extents& extents, const Extents& strides, bool is_virtual,
                     bool by_value);
  void add(Descriptor operation, Descriptor math = {});
  void add_pointwise(Descriptor math, int64_t x, int64_t b, int64_t y);

  std::map<int64_t, Descriptor> tensors_;
  std::vector<Descriptor> operations_, maths_;
  Descriptor graph_;
};

/// Plans of graphs that are made from Arguments, each kept under what it depends on. G has the member `graph`.
template <class G>
class Plans {
 public:
  struct Planned {
    template <class Arguments>
    explicit Planned(const Arguments& arguments) : graph(arguments) {}
    G graph;
    std::optional<Plan> plan;
  };

  /// Null if cuDNN cannot be loaded or has no engine that repeats its bits.
  template <class Arguments>
  const Planned* find(const std::vector<int64_t>& key, const Arguments& arguments) {
    const std::lock_guard lock(mutex_);
    const auto [at, is_new] = planned_.try_emplace(key);
    if (is_new) at->second = make(arguments);
    return at->second.get();
  }

 private:
  template <class Arguments>
  static std::unique_ptr<Planned> make(const Arguments& arguments) {
    try {
      const Target target{Card::get().networks()};
      auto made = std::make_unique<Planned>(arguments);
      made->plan = made->graph.graph.plan(target);
      if (made->plan) return made;
    } catch (const Error&) {  // left to the kernels of the backend
    }
    return nullptr;
  }

  std::mutex mutex_;
  std::map<std::vector<int64_t>, std::unique_ptr<Planned>> planned_;
};

}  // namespace astroclip::cuda::dnn
