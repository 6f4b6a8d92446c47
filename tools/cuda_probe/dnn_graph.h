// cuDNN's graphs through its backend interface: tensors, operations, plans.
//
// Made for a card's handle, plans run. Made for a card's description (h100.json), they are only compiled, on a machine
// without a GPU too: what a plan refuses there, it refuses on the card.
#pragma once

#include <map>

#include "device.h"

namespace dnn {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(cudnnBackendDescriptorType_t type) { check(cudnnBackendCreateDescriptor(type, &raw_)); }
  Descriptor(Descriptor&& other) noexcept { std::swap(raw_, other.raw_); }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~Descriptor() {
    if (raw_ != nullptr) cudnnBackendDestroyDescriptor(raw_);
  }
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count, const void* values) {
    check(cudnnBackendSetAttribute(raw_, name, type, count, values));
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const T& value) {
    set(name, type, 1, &value);
  }
  void set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.raw_);
  }
  void finalize() { check(cudnnBackendFinalize(raw_)); }
  cudnnBackendDescriptor_t raw() const { return raw_; }

 private:
  cudnnBackendDescriptor_t raw_ = nullptr;
};

/// Where plans are made: a card by its handle, or only its description.
struct Target {
  cudnnHandle_t handle = nullptr;
  Descriptor properties = {};

  static Target card(cudnnHandle_t handle) { return {handle}; }
  /// By a file, as CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION gives it.
  static Target described_in(const std::string& path);
};

using Extents = std::vector<int64_t>;
/// Memory of tensors by id; of a scalar, the host's.
using Pointers = std::map<int64_t, void*>;

using Notes = std::vector<cudnnBackendNumericalNote_t>;
bool contains(const Notes& notes, cudnnBackendNumericalNote_t note);

/// One way to run a graph.
class Plan {
 public:
  int64_t engine() const { return engine_; }
  int64_t workspace_bytes() const { return workspace_bytes_; }
  const Notes& notes() const { return notes_; }
  /// "engine 6 (tensor cores, rounds its inputs), 12.3 MB".
  std::string words() const;
  void run(cudnnHandle_t handle, const Pointers& pointers, void* workspace) const;

 private:
  friend class Graph;
  Descriptor config_, plan_;
  int64_t engine_ = -1, workspace_bytes_ = 0;
  Notes notes_;
};

/// Of a convolution over two axes, the same in both.
struct Window {
  int64_t stride = 1, padding = 0;
};

class Graph {
 public:
  /// A tensor in memory; returns its id.
  int64_t tensor(cudnnDataType_t type, const Extents& extents, const Extents& strides);
  /// A tensor that no memory holds.
  int64_t between(cudnnDataType_t type, const Extents& extents, const Extents& strides);
  int64_t between(const Extents& extents) { return between(CUDNN_DATA_FLOAT, extents, packed(extents)); }
  /// A float that the host gives at each run.
  int64_t scalar(size_t rank);

  void matmul(int64_t a, int64_t b, int64_t c);
  /// y = mode(x) or, with b not −1, mode(x, b).
  void pointwise(cudnnPointwiseMode_t mode, int64_t x, int64_t b, int64_t y);
  /// y = max(x, 0), with NaN for NaN.
  void relu(int64_t x, int64_t y);
  void reduction(cudnnReduceTensorOp_t mode, int64_t x, int64_t y);
  void reshape(int64_t x, int64_t y);
  /// Attention as one operation (cuDNN 9.13 and later); `stats` may be −1.
  void attention(int64_t q, int64_t k, int64_t v, int64_t scale, int64_t y, int64_t stats);
  void convolution(const Window& window, int64_t x, int64_t weight, int64_t y);
  void convolution_dx(const Window& window, int64_t dy, int64_t weight, int64_t dx);
  void convolution_dw(const Window& window, int64_t x, int64_t dy, int64_t dw);

  /// Up to `limit` plans in the order of the heuristic, its fallbacks where it knows none, of engines whose numerical
  /// notes `admits` accepts. What is refused is added to `refusals`.
  std::vector<Plan> plans(const Target& target, size_t limit, std::vector<std::string>* refusals = nullptr,
                          const std::function<bool(const Notes&)>& admits = nullptr);

  static Extents packed(const Extents& extents);

 private:
  int64_t add_tensor(cudnnDataType_t type, const Extents& extents, const Extents& strides, bool is_virtual,
                     bool by_value);
  void add(Descriptor operation, Descriptor math = {});
  void add_pointwise(Descriptor math, int64_t x, int64_t b, int64_t y);
  void add_convolution(cudnnBackendDescriptorType_t type, const Window& window,
                       const std::map<cudnnBackendAttributeName_t, int64_t>& tensors,
                       cudnnBackendAttributeName_t math_name, cudnnBackendAttributeName_t alpha,
                       cudnnBackendAttributeName_t beta);
  std::vector<Descriptor> configs(const Target& target, cudnnBackendHeurMode_t mode) const;
  /// Without its plan: engine and notes.
  static Plan described(Descriptor config);
  static void build(const Target& target, Plan& plan);

  std::map<int64_t, Descriptor> tensors_;
  std::vector<Descriptor> operations_, maths_;
  Descriptor graph_;
};

}  // namespace dnn
