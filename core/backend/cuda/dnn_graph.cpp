#include "backend/cuda/dnn_graph.h"

#include <algorithm>
#include <array>

namespace astroclip::cuda::dnn {

namespace {

std::vector<Descriptor> engine_configs(const Target& target, const Descriptor& graph, cudnnBackendHeurMode_t mode) {
  Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
  if (target.handle == nullptr) heuristic.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, target.properties);
  heuristic.finalize();
  const auto results = [&](int64_t count, void* to) {
    return heuristic.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, to);
  };
  std::vector<Descriptor> found;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int64_t count = results(0, nullptr); count > 0; --count) {
    found.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    raw.push_back(found.back().raw());
  }
  found.resize(static_cast<size_t>(results(static_cast<int64_t>(raw.size()), raw.data())));
  return found;
}

}  // namespace

Extents packed_strides(const Extents& extents) {
  Extents strides(extents.size(), 1);
  for (size_t axis = extents.size() - 1; axis > 0; --axis) strides[axis - 1] = strides[axis] * extents[axis];
  return strides;
}

cudnnDataType_t type_of(DType dtype) { return dtype == DType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT; }

Engine::Engine(Descriptor config) : config_(std::move(config)), notes_(CUDNN_NUMERICAL_NOTE_TYPE_COUNT) {
  const Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t raw = engine.raw();
  (void)config_.get(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &raw);
  (void)engine.get(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &number_);
  notes_.resize(static_cast<size_t>(
      engine.get(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, std::ssize(notes_), notes_.data())));
}

bool Engine::has(cudnnBackendNumericalNote_t note) const { return std::ranges::find(notes_, note) != notes_.end(); }

Plan::Plan(const Target& target, Engine engine)
    : engine_(std::move(engine)), plan_(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
  if (target.handle != nullptr) {
    plan_.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  } else {
    plan_.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, target.properties);
  }
  plan_.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, engine_.config());
  plan_.finalize();
  (void)plan_.get(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &workspace_bytes_);
}

void Plan::run(cudnnHandle_t handle, const Pointers& pointers, void* workspace) const {
  std::vector<int64_t> ids;
  std::vector<const void*> values;
  for (const auto& [id, pointer] : pointers) {
    ids.push_back(id);
    values.push_back(pointer);
  }
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, static_cast<int64_t>(ids.size()), ids.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, static_cast<int64_t>(values.size()),
           values.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace);
  pack.finalize();
  ASTROCLIP_CUDA(cudnnBackendExecute(handle, plan_.raw(), pack.raw()));
}

int64_t Graph::add_tensor(cudnnDataType_t type, const Extents& extents, const Extents& strides, bool is_virtual,
                          bool by_value) {
  const auto id = static_cast<int64_t>(tensors_.size()) + 1, rank = static_cast<int64_t>(extents.size());
  Descriptor d(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id);
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type);
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, rank, extents.data());
  d.set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, rank, strides.data());
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, int64_t{16});
  d.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, is_virtual);
  d.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, by_value);
  d.finalize();
  tensors_.emplace(id, std::move(d));
  return id;
}
int64_t Graph::tensor(cudnnDataType_t type, const Extents& extents, const Extents& strides) {
  return add_tensor(type, extents, strides, false, false);
}
int64_t Graph::between(cudnnDataType_t type, const Extents& extents, const Extents& strides) {
  return add_tensor(type, extents, strides, true, false);
}
int64_t Graph::scalar(size_t rank) {
  return add_tensor(CUDNN_DATA_FLOAT, Extents(rank, 1), Extents(rank, 1), false, true);
}

void Graph::add(Descriptor operation, Descriptor math) {
  operation.finalize();
  operations_.push_back(std::move(operation));
  maths_.push_back(std::move(math));
}

void Graph::matmul(int64_t a, int64_t b, int64_t c) {
  Descriptor math(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  math.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  math.finalize();
  Descriptor operation(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, tensors_.at(a));
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, tensors_.at(b));
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, tensors_.at(c));
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_DESC, math);
  add(std::move(operation), std::move(math));
}

void Graph::add_pointwise(Descriptor math, int64_t x, int64_t b, int64_t y) {
  math.finalize();
  Descriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, math);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, tensors_.at(x));
  if (b >= 0) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, tensors_.at(b));
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, tensors_.at(y));
  add(std::move(operation), std::move(math));
}
void Graph::pointwise(cudnnPointwiseMode_t mode, int64_t x, int64_t b, int64_t y) {
  Descriptor math(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  math.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode);
  math.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  add_pointwise(std::move(math), x, b, y);
}
void Graph::relu(int64_t x, int64_t y) {
  Descriptor math(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  math.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, CUDNN_POINTWISE_RELU_FWD);
  math.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  math.set(CUDNN_ATTR_POINTWISE_NAN_PROPAGATION, CUDNN_TYPE_NAN_PROPOGATION, CUDNN_PROPAGATE_NAN);
  add_pointwise(std::move(math), x, -1, y);
}

void Graph::reduction(cudnnReduceTensorOp_t mode, int64_t x, int64_t y) {
  Descriptor math(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  math.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, mode);
  math.set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  math.finalize();
  Descriptor operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, tensors_.at(x));
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, tensors_.at(y));
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, math);
  add(std::move(operation), std::move(math));
}

void Graph::reshape(int64_t x, int64_t y) {
  operation(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR,
            {{CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x}, {CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y}});
}

void Graph::operation(cudnnBackendDescriptorType_t type, const Tensors& tensors) {
  Descriptor operation(type);
  for (const auto& [name, id] : tensors) operation.set(name, tensors_.at(id));
  add(std::move(operation));
}

void Graph::convolution(cudnnBackendDescriptorType_t type, const Windows& windows, const Tensors& tensors,
                        cudnnBackendAttributeName_t settings, cudnnBackendAttributeName_t alpha,
                        cudnnBackendAttributeName_t beta) {
  const std::array<int64_t, 2> ones = {1, 1};
  Descriptor math(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  math.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  math.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION);
  math.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, int64_t{2});
  math.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, ones.data());
  math.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, windows.stride.data());
  math.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, windows.padding.data());
  math.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, windows.padding.data());
  math.finalize();
  Descriptor operation(type);
  for (const auto& [name, id] : tensors) operation.set(name, tensors_.at(id));
  operation.set(settings, math);
  operation.set(alpha, CUDNN_TYPE_FLOAT, 1.0F);
  operation.set(beta, CUDNN_TYPE_FLOAT, 0.0F);
  add(std::move(operation), std::move(math));
}
void Graph::convolution(const Windows& windows, int64_t x, int64_t weight, int64_t y) {
  convolution(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, windows,
              {{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x},
               {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, weight},
               {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y}},
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
}
void Graph::convolution_dx(const Windows& windows, int64_t dy, int64_t weight, int64_t dx) {
  convolution(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, windows,
              {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, dy},
               {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, weight},
               {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, dx}},
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA);
}

std::vector<Plan> Graph::plans(const Target& target, size_t most, const std::function<bool(const Engine&)>& admits,
                               std::vector<std::string>* refusals) {
  std::vector<cudnnBackendDescriptor_t> operations;
  for (const Descriptor& operation : operations_) operations.push_back(operation.raw());
  graph_ = Descriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(operations.size()),
             operations.data());
  if (target.handle != nullptr) graph_.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  graph_.finalize();
  const auto refuse = [&](const Error& error) {
    if (refusals != nullptr) refusals->emplace_back(error.what());
  };
  std::vector<Plan> made;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    std::vector<Descriptor> configs;
    try {
      configs = engine_configs(target, graph_, mode);
    } catch (const Error& error) {  // this mode knows no engine for the graph
      refuse(error);
    }
    for (Descriptor& config : configs) {
      if (made.size() == most) return made;
      try {
        Engine engine(std::move(config));
        if (admits(engine)) made.emplace_back(target, std::move(engine));
      } catch (const Error& error) {  // the next one may support it
        refuse(error);
      }
    }
    if (!made.empty()) break;
  }
  return made;
}

std::optional<Plan> Graph::plan(const Target& target) {
  std::vector<Plan> made = plans(target, 1, &is_repeatable);
  if (made.empty()) return std::nullopt;
  return std::move(made.front());
}

}  // namespace astroclip::cuda::dnn
