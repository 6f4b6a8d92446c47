#include "backend/cpu/onednn_product.h"

#include <fmt/format.h>

#include <vector>

#include "backend/cpu/kernel.h"
#include "backend/cpu/onednn_internal.h"
#include "base/error.h"

namespace astroclip::cpu::onednn {

namespace {

using dnnl::memory;

/// A stored matrix seen as [rows, columns], or a contiguous batch of them.
memory::desc matrix(int64_t batch, int64_t rows, int64_t columns, int64_t pitch, bool transposed, DType dtype) {
  const memory::dims strides = transposed ? memory::dims{1, pitch} : memory::dims{pitch, 1};
  if (batch == 1) return {{rows, columns}, type_of(dtype), strides};
  return {{batch, rows, columns}, type_of(dtype), {rows * columns, strides[0], strides[1]}};
}

/// Layouts of packed matrices, numbered from 1; the list stays short (one entry for each shape of weight).
std::vector<memory::desc>& layouts() {
  static std::vector<memory::desc> all;
  return all;
}

int number_of(const memory::desc& layout) {
  std::vector<memory::desc>& all = layouts();
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i] == layout) return static_cast<int>(i) + 1;
  }
  all.push_back(layout);
  return static_cast<int>(all.size());
}

/// Numbers for each column: a bias, a scale.
memory::desc row_of(int64_t columns) { return {{1, columns}, memory::data_type::f32, memory::format_tag::ab}; }

dnnl::primitive_attr attributes_of(const ProductSpec& spec) {
  dnnl::post_ops last;
  using dnnl::algorithm;
  if (spec.alpha != 1.0f) last.append_eltwise(1.0f, algorithm::eltwise_linear, spec.alpha, 0.0f);
  if (spec.gelu) last.append_eltwise(1.0f, algorithm::eltwise_gelu_erf, 0.0f, 0.0f);
  if (spec.scale) {
    last.append_binary(algorithm::binary_mul, row_of(spec.n));
  }
  if (spec.sum == Sum::itself) last.append_sum(1.0f);
  if (spec.sum == Sum::residual) {
    last.append_binary(algorithm::binary_add, matrix(1, spec.m, spec.n, spec.c_pitch, false, DType::f32));
  }
  return scratch_given(last);
}

dnnl::matmul::primitive_desc plan(const ProductSpec& spec, const memory::desc& b) {
  const memory::desc a = matrix(spec.batch, spec.m, spec.k, spec.a_pitch, spec.transpose_a, spec.operand);
  const memory::desc c = matrix(spec.batch, spec.m, spec.n, spec.c_pitch, false, DType::f32);
  if (!spec.bias) return {dnnl::matmul::desc(a, b, c), attributes_of(spec), engine()};
  return {dnnl::matmul::desc(a, b, row_of(spec.n), c), attributes_of(spec), engine()};
}

memory::desc stored_b(const ProductSpec& spec, DType dtype) {
  if (spec.layout > 0) return layouts()[static_cast<size_t>(spec.layout - 1)];
  return matrix(spec.batch, spec.k, spec.n, spec.b_pitch, spec.transpose_b, dtype);
}

class MatmulProduct final : public Product {
 public:
  explicit MatmulProduct(const ProductSpec& spec)
      : plan_(plan(spec, stored_b(spec, spec.operand))), matmul_(plan_), spec_(spec) {}

  int64_t scratch_bytes() const override { return static_cast<int64_t>(plan_.scratchpad_desc().get_size()); }

  void run(const void* a, const void* b, void* c, const ProductExtras& extras, void* scratch) const override {
    std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, at(plan_.src_desc(), a)},
                                                 {DNNL_ARG_WEIGHTS, at(plan_.weights_desc(), b)},
                                                 {DNNL_ARG_DST, at(plan_.dst_desc(), c)},
                                                 {DNNL_ARG_SCRATCHPAD, at(plan_.scratchpad_desc(), scratch)}};
    if (spec_.bias) arguments.emplace(DNNL_ARG_BIAS, at(plan_.bias_desc(), extras.bias));
    int position = plan_.get_primitive_attr().get_post_ops().len() - 1;
    const auto of_position = [&] { return DNNL_ARG_ATTR_MULTIPLE_POST_OP(position) | DNNL_ARG_SRC_1; };
    if (spec_.sum == Sum::residual) arguments.emplace(of_position(), at(plan_.dst_desc(), extras.residual));
    if (spec_.sum != Sum::nothing) --position;
    if (spec_.scale) arguments.emplace(of_position(), at(row_of(spec_.n), extras.scale));
    const OneThread running(spec_.serial);
    matmul_.execute(stream(), arguments);
    stream().wait();
  }

 private:
  dnnl::matmul::primitive_desc plan_;
  dnnl::matmul matmul_;
  ProductSpec spec_;
};

class ReorderPacker final : public Packer {
 public:
  ReorderPacker(const ProductSpec& spec, DType source)
      : ReorderPacker(
            stored_b(spec, source),
            plan(spec, memory::desc({spec.k, spec.n}, type_of(spec.operand), memory::format_tag::any)).weights_desc(),
            spec.serial) {}

  int layout() const override { return layout_; }
  int64_t bytes() const override { return static_cast<int64_t>(plan_.dst_desc().get_size()); }
  int64_t scratch_bytes() const override { return static_cast<int64_t>(plan_.scratchpad_desc().get_size()); }

  void run(const void* b, void* packed, void* scratch) const override {
    const OneThread running(serial_);
    reorder_.execute(stream(), {{DNNL_ARG_FROM, at(plan_.src_desc(), b)},
                                {DNNL_ARG_TO, at(plan_.dst_desc(), packed)},
                                {DNNL_ARG_SCRATCHPAD, at(plan_.scratchpad_desc(), scratch)}});
    stream().wait();
  }

 private:
  ReorderPacker(const memory::desc& from, const memory::desc& to, bool serial)
      : plan_(engine(), from, engine(), to, scratch_given()),
        reorder_(plan_),
        layout_(number_of(to)),
        serial_(serial) {}

  dnnl::reorder::primitive_desc plan_;
  dnnl::reorder reorder_;
  int layout_;
  bool serial_;
};

/// What a primitive is made for; the number of threads is part of its plan.
struct Key {
  ProductSpec spec;
  DType source;
  int threads;
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  size_t operator()(const Key& key) const {
    const ProductSpec& s = key.spec;
    Hash hash;
    for (const int64_t value : {s.batch, s.m, s.n, s.k, s.a_pitch, s.b_pitch, s.c_pitch}) hash.mix(value);
    hash.mix(static_cast<int64_t>(s.layout) << 2 | static_cast<int64_t>(s.scale) << 1 | static_cast<int64_t>(s.serial));
    hash.mix(static_cast<int64_t>(s.transpose_a) << 1 | static_cast<int64_t>(s.transpose_b));
    hash.mix(static_cast<int64_t>(s.sum) << 2 | static_cast<int64_t>(s.gelu) << 1 | static_cast<int64_t>(s.bias));
    return hash.mix(key.threads).value();
  }
};

/// The spec, to be run by one thread if `grains` of work are too few for two.
ProductSpec for_threads(ProductSpec spec, int64_t grains) {
  spec.serial = spec.serial || grains < 2;
  return spec;
}

/// Looks a primitive up or makes it.
template <class Kind, class Make>
std::shared_ptr<const Kind> keep(const Key& key, Make make) {
  static Table<Key, Kind, KeyHash> table;
  try {
    return table.get(key, [&] {
      const OneThread planning(key.spec.serial);
      return make();
    });
  } catch (const dnnl::error& failure) {
    throw Error(fmt::format("[cpu] oneDNN has no product of [{}, {}] and [{}, {}] in {}: {}", key.spec.m, key.spec.k,
                            key.spec.k, key.spec.n, name_of(key.spec.operand), failure.what()));
  }
}

/// oneDNN's own view: its ceiling on instruction sets can be set from outside, and it asks the system for AMX.
bool has_instructions(dnnl::cpu_isa wanted) {
  const auto bits = static_cast<unsigned>(wanted);
  static const auto present = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  return (present & bits) == bits;
}

}  // namespace

std::shared_ptr<const Product> product_of(const ProductSpec& spec) {
  const ProductSpec planned = for_threads(spec, spec.batch * spec.m * spec.n * spec.k / product_grain);
  return keep<Product>({planned, spec.operand, omp_get_max_threads()},
                       [&] { return std::make_shared<MatmulProduct>(planned); });
}

std::shared_ptr<const Packer> packer_of(const ProductSpec& spec, DType source) {
  const ProductSpec planned = for_threads(spec, spec.k * spec.n / elementwise_grain);
  return keep<Packer>({planned, source, omp_get_max_threads()},
                      [&] { return std::make_shared<ReorderPacker>(planned, source); });
}

bool has_bf16() { return has_instructions(dnnl::cpu_isa::avx512_core_bf16); }

bool has_amx() { return has_instructions(dnnl::cpu_isa::avx512_core_amx); }

}  // namespace astroclip::cpu::onednn
