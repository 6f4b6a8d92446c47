#include "backend/cpu/onednn_convolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "backend/cpu/kernel.h"
#include "backend/cpu/onednn_internal.h"
#include "base/error.h"

namespace astroclip::cpu::onednn {

namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Arguments = std::unordered_map<int, memory>;

int64_t aligned(size_t bytes) { return static_cast<int64_t>((bytes + 63) / 64 * 64); }

/// Operands in oneDNN's terms: extents (batch, channels, height, width), activations with channels last, weights in
/// the layout that the primitive likes best.
struct Operands {
  explicit Operands(const ConvolutionSpec& s)
      : x({s.batch, s.in, s.height, s.width}, of_x(s), Tag::nhwc),
        weight(weight_extents(s), s.pass == Pass::backward_weight ? memory::data_type::f32 : type_of(s.operand),
               Tag::any),
        y({s.batch, s.out, s.windows.count(0, s.height), s.windows.count(1, s.width)}, of_y(s), Tag::nhwc),
        bias(s.bias ? memory::desc({s.out}, memory::data_type::f32, Tag::a) : memory::desc()),
        strides{s.windows.stride[0], s.windows.stride[1]},
        padding{s.windows.padding[0], s.windows.padding[1]},
        padding_behind{behind(s, 0, s.height), behind(s, 1, s.width)} {}

  static memory::dims weight_extents(const ConvolutionSpec& s) {
    return {s.out, s.in, s.windows.size[0], s.windows.size[1]};
  }
  static memory::data_type of_x(const ConvolutionSpec& s) {
    return s.pass == Pass::backward_input ? memory::data_type::f32 : type_of(s.operand);
  }
  static memory::data_type of_y(const ConvolutionSpec& s) {
    return type_of(s.pass == Pass::forward ? s.result : s.operand);
  }
  /// Padding that makes the last window end where it does.
  static int64_t behind(const ConvolutionSpec& s, size_t axis, int64_t extent) {
    const Windows& w = s.windows;
    return (w.count(axis, extent) - 1) * w.stride[axis] + w.size[axis] - extent - w.padding[axis];
  }

  memory::desc x, weight, y, bias;
  memory::dims strides, padding, padding_behind;
};

dnnl::convolution_forward::primitive_desc plan_forward(const Operands& o, const dnnl::post_ops& last = {}) {
  using Forward = dnnl::convolution_forward;
  const auto kind = dnnl::prop_kind::forward_training;
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const auto description =
      o.bias.is_zero()
          ? Forward::desc(kind, algorithm, o.x, o.weight, o.y, o.strides, o.padding, o.padding_behind)
          : Forward::desc(kind, algorithm, o.x, o.weight, o.bias, o.y, o.strides, o.padding, o.padding_behind);
  return {description, scratch_given(last), engine()};
}

dnnl::post_ops last_of(const ConvolutionSpec& spec) {
  dnnl::post_ops last;
  if (spec.adds) last.append_sum(1.0f);
  return last;
}

/// The forward pass that a backward one is planned beside, with its operand type.
dnnl::convolution_forward::primitive_desc hint(ConvolutionSpec spec) {
  spec.pass = Pass::forward;
  return plan_forward(Operands(spec));
}

template <class Primitive>
typename Primitive::primitive_desc plan_backward(const ConvolutionSpec& spec) {
  const Operands o(spec);
  const typename Primitive::desc description(dnnl::algorithm::convolution_direct, o.x, o.weight, o.y, o.strides,
                                             o.padding, o.padding_behind);
  return {description, scratch_given(), engine(), hint(spec)};
}

/// Whether one thread runs it: sharing so little work would cost more.
bool is_small(const ConvolutionSpec& s) {
  const int64_t windows = s.batch * s.windows.count(0, s.height) * s.windows.count(1, s.width);
  return windows * s.in * s.out * s.windows.size[0] * s.windows.size[1] < 2 * product_grain;
}

/// What the three passes share: the weight goes through a layout of oneDNN's own, in scratch.
class Planned : public Convolution {
 public:
  Planned(const ConvolutionSpec& spec, memory::desc weight, memory::desc own)
      : stored_(Operands::weight_extents(spec), memory::data_type::f32, Tag::oihw),
        weight_(std::move(weight)),
        own_(std::move(own)),
        reorder_plan_(reorder(spec)),
        reorder_(reorder_plan_),
        serial_(is_small(spec)) {}

  void run(const void* a, const void* b, void* c, const float* bias, void* scratch) const final {
    const OneThread running(serial_);
    execute(a, b, c, bias, scratch);
  }
  int64_t scratch_bytes() const final {
    return aligned(weight_.get_size()) + aligned(std::max(own_.get_size(), reorder_plan_.scratchpad_desc().get_size()));
  }

 protected:
  virtual void execute(const void* a, const void* b, void* c, const float* bias, void* scratch) const = 0;
  memory packed(void* scratch) const { return at(weight_, scratch); }
  memory own_scratch(void* scratch) const { return at(own_, behind_weight(scratch)); }
  void pack(const void* weight, void* scratch) const { convert(at(stored_, weight), packed(scratch), scratch); }
  void unpack(void* weight, void* scratch) const { convert(packed(scratch), at(stored_, weight), scratch); }

 private:
  dnnl::reorder::primitive_desc reorder(const ConvolutionSpec& spec) const {
    if (spec.pass == Pass::backward_weight) return {engine(), weight_, engine(), stored_, scratch_given()};
    return {engine(), stored_, engine(), weight_, scratch_given()};
  }
  std::byte* behind_weight(void* scratch) const {
    return static_cast<std::byte*>(scratch) + aligned(weight_.get_size());
  }
  void convert(const memory& from, const memory& to, void* scratch) const {
    const memory room = at(reorder_plan_.scratchpad_desc(), behind_weight(scratch));
    reorder_.execute(stream(), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_SCRATCHPAD, room}});
    stream().wait();
  }

  memory::desc stored_, weight_, own_;
  dnnl::reorder::primitive_desc reorder_plan_;
  dnnl::reorder reorder_;
  bool serial_;
};

class Forward final : public Planned {
 public:
  explicit Forward(const ConvolutionSpec& spec) : Forward(spec, plan_forward(Operands(spec), last_of(spec))) {}
  void execute(const void* x, const void* weight, void* y, const float* bias, void* scratch) const override {
    pack(weight, scratch);
    Arguments arguments = {{DNNL_ARG_SRC, at(plan_.src_desc(), x)},
                           {DNNL_ARG_WEIGHTS, packed(scratch)},
                           {DNNL_ARG_DST, at(plan_.dst_desc(), y)},
                           {DNNL_ARG_SCRATCHPAD, own_scratch(scratch)}};
    if (bias != nullptr) arguments.emplace(DNNL_ARG_BIAS, at(plan_.bias_desc(), bias));
    primitive_.execute(stream(), arguments);
    stream().wait();
  }

 private:
  Forward(const ConvolutionSpec& spec, const dnnl::convolution_forward::primitive_desc& plan)
      : Planned(spec, plan.weights_desc(), plan.scratchpad_desc()), plan_(plan), primitive_(plan) {}
  dnnl::convolution_forward::primitive_desc plan_;
  dnnl::convolution_forward primitive_;
};

class BackwardInput final : public Planned {
 public:
  explicit BackwardInput(const ConvolutionSpec& spec) : BackwardInput(spec, plan_backward<Primitive>(spec)) {}
  void execute(const void* dy, const void* weight, void* dx, const float*, void* scratch) const override {
    pack(weight, scratch);
    primitive_.execute(stream(), {{DNNL_ARG_DIFF_DST, at(plan_.diff_dst_desc(), dy)},
                                  {DNNL_ARG_WEIGHTS, packed(scratch)},
                                  {DNNL_ARG_DIFF_SRC, at(plan_.diff_src_desc(), dx)},
                                  {DNNL_ARG_SCRATCHPAD, own_scratch(scratch)}});
    stream().wait();
  }

 private:
  using Primitive = dnnl::convolution_backward_data;
  BackwardInput(const ConvolutionSpec& spec, const Primitive::primitive_desc& plan)
      : Planned(spec, plan.weights_desc(), plan.scratchpad_desc()), plan_(plan), primitive_(plan) {}
  Primitive::primitive_desc plan_;
  Primitive primitive_;
};

class BackwardWeight final : public Planned {
 public:
  explicit BackwardWeight(const ConvolutionSpec& spec) : BackwardWeight(spec, plan_backward<Primitive>(spec)) {}
  void execute(const void* dy, const void* x, void* dweight, const float*, void* scratch) const override {
    primitive_.execute(stream(), {{DNNL_ARG_DIFF_DST, at(plan_.diff_dst_desc(), dy)},
                                  {DNNL_ARG_SRC, at(plan_.src_desc(), x)},
                                  {DNNL_ARG_DIFF_WEIGHTS, packed(scratch)},
                                  {DNNL_ARG_SCRATCHPAD, own_scratch(scratch)}});
    stream().wait();
    unpack(dweight, scratch);
  }

 private:
  using Primitive = dnnl::convolution_backward_weights;
  BackwardWeight(const ConvolutionSpec& spec, const Primitive::primitive_desc& plan)
      : Planned(spec, plan.diff_weights_desc(), plan.scratchpad_desc()), plan_(plan), primitive_(plan) {}
  Primitive::primitive_desc plan_;
  Primitive primitive_;
};

struct Key {
  ConvolutionSpec spec;
  int threads;
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  size_t operator()(const Key& key) const {
    const ConvolutionSpec& s = key.spec;
    Hash hash;
    for (const int64_t value : {s.batch, s.height, s.width, s.in, s.out}) hash.mix(value);
    for (const auto& pair : {s.windows.size, s.windows.stride, s.windows.padding}) hash.mix(pair[0]).mix(pair[1]);
    hash.mix(static_cast<int64_t>(s.pass) << 3 | static_cast<int64_t>(s.result == DType::bf16) << 2 |
             static_cast<int64_t>(s.adds) << 1 | static_cast<int64_t>(s.bias));
    return hash.mix(key.threads).value();
  }
};

std::shared_ptr<const Convolution> make(const ConvolutionSpec& spec) {
  if (spec.pass == Pass::forward) return std::make_shared<Forward>(spec);
  if (spec.pass == Pass::backward_input) return std::make_shared<BackwardInput>(spec);
  return std::make_shared<BackwardWeight>(spec);
}

}  // namespace

std::shared_ptr<const Convolution> convolution_of(const ConvolutionSpec& spec) {
  static Table<Key, Convolution, KeyHash> table;
  try {
    return table.get({spec, omp_get_max_threads()}, [&] {
      const OneThread planning(is_small(spec));
      return make(spec);
    });
  } catch (const dnnl::error& failure) {
    throw Error(fmt::format("[cpu] oneDNN has no convolution of {} to {} channels by {} x {} windows in {}: {}",
                            spec.in, spec.out, spec.windows.size[0], spec.windows.size[1], name_of(spec.operand),
                            failure.what()));
  }
}

}  // namespace astroclip::cpu::onednn
