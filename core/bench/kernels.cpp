#include <cmath>

#include "autograd/tape.h"
#include "bench/inputs.h"
#include "bench/row.h"
#include "ops/ops.h"
#include "optim/adamw.h"

namespace astroclip::bench {

namespace {

/// Sizes of one tower's blocks for a batch.
struct Blocks {
  int64_t batch, tokens, heads, width;  ///< width of one head
  int64_t rows() const { return batch * tokens; }
  int64_t dim() const { return heads * width; }
};

Tensor random(const Settings& settings, const Shape& shape) { return uniform(shape, -1.0, 1.0, settings.device); }

/// As what only products read is kept.
Tensor operand(const Settings& settings, const Shape& shape) {
  return ops::cast(random(settings, shape), backend_of(settings.device).stored_dtype(settings.precision));
}

double product_operations(int64_t rows, int64_t in, int64_t out) {
  return 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
}

double bytes_of(std::initializer_list<const Tensor*> tensors) {
  double sum = 0.0;
  for (const Tensor* tensor : tensors) sum += static_cast<double>(tensor->bytes());
  return sum;
}

struct Product {
  int64_t rows, in, out;
};

/// Such that a product with it keeps the size of what is multiplied: GELU of large numbers takes another time.
Tensor random_weight(const Settings& settings, int64_t out, int64_t in) {
  const double bound = std::sqrt(3.0 / static_cast<double>(in));
  return uniform({out, in}, -bound, bound, settings.device);
}

/// Of x [rows, in] with a weight [out, in]. When x requires a gradient, what it needs is written, too.
Work linear(const Settings& settings, const Tensor& x, int64_t out, const ops::LinearOptions& options) {
  const int64_t rows = x.size(0), in = x.size(1);
  const auto run = [=, weight = random_weight(settings, out, in), bias = random(settings, {out})] {
    const ops::PrecisionScope scope(settings.precision);
    ops::linear(x, weight, bias, options);
  };
  return {run, product_operations(rows, in, out)};
}

/// The gradients of the op that gave `y`, as the tape asks for them when others have delivered `gathered`.
std::function<void()> gradients(const Settings& settings, const Tensor& y, const Tensor& gathered = {}) {
  return [y, gathered, dy = ops::cast(random(settings, y.shape()), y.dtype())] {
    const autograd::Node::Rule& rule = y.node()->backward;
    if (const auto* adds = std::get_if<autograd::AddingBackward>(&rule)) {
      (*adds)(dy, gathered);
    } else {
      std::get<autograd::Backward>(rule)(dy);
    }
  };
}

/// Of the input alone, or of weight and bias.
Work linear_gradient(const Settings& settings, const Product& p, bool of_weight) {
  const ops::PrecisionScope scope(settings.precision);
  Tensor x = operand(settings, {p.rows, p.in});
  Tensor weight = random_weight(settings, p.out, p.in), bias = random(settings, {p.out});
  x.set_requires_grad(!of_weight);
  weight.set_requires_grad(of_weight);
  bias.set_requires_grad(of_weight);
  const Tensor y = ops::linear(x, weight, bias, {.readers = ops::Readers::products});
  return {gradients(settings, y), product_operations(p.rows, p.in, p.out)};
}

/// Of one product of queries with keys over all heads.
double operations_of_scores(const Blocks& b) {
  return static_cast<double>(b.batch) * product_operations(b.tokens, b.dim(), b.tokens);
}

Tensor queries_keys_values(const Settings& settings, const Blocks& b) {
  Tensor qkv = operand(settings, {b.batch, b.tokens, 3 * b.dim()});
  qkv.set_requires_grad(true);
  return qkv;
}

/// With what the gradient needs.
Work attention(const Settings& settings, const Blocks& b) {
  const auto run = [=, qkv = queries_keys_values(settings, b)] {
    const ops::PrecisionScope scope(settings.precision);
    ops::self_attention(qkv, b.heads);
  };
  return {run, 2.0 * operations_of_scores(b)};
}

Work attention_gradient(const Settings& settings, const Blocks& b) {
  const ops::PrecisionScope scope(settings.precision);
  const Tensor y = ops::self_attention(queries_keys_values(settings, b), b.heads);
  return {gradients(settings, y), 5.0 * operations_of_scores(b)};
}

Work layer_norm(const Settings& settings, const Blocks& b, bool backward) {
  Tensor x = random(settings, {b.rows(), b.dim()});
  x.set_requires_grad(true);
  const auto norm = [=, weight = random(settings, {b.dim()}), bias = random(settings, {b.dim()})] {
    const ops::PrecisionScope scope(settings.precision);
    return ops::layer_norm(x, weight, bias, 1e-6, ops::Readers::products);
  };
  const Tensor y = norm();
  if (!backward) return {[=] { norm(); }, 0.0, bytes_of({&x, &y})};
  if (!settings.on_card()) return {gradients(settings, y), 0.0, bytes_of({&x, &x, &y})};
  // As in a block: the sum with the residual's gradient, once more as products read it.
  const Tensor gathered = random(settings, x.shape());
  const double rounded = y.dtype() == x.dtype() ? 0.0 : bytes_of({&y});
  return {gradients(settings, y, gathered), 0.0, bytes_of({&x, &x, &gathered, &y}) + rounded};
}

/// The published heads: four learned queries for all objects. The gradient is that of frozen tokens.
Work attention_pool(const Settings& settings, const Blocks& b, bool backward) {
  const ops::PrecisionScope scope(settings.precision);
  const DType pooled = backend_of(settings.device).pooled_dtype(settings.precision);
  const Tensor tokens = ops::cast(random(settings, {b.batch, b.tokens, b.dim()}), pooled);
  Tensor queries = random(settings, {4, b.dim()});
  queries.set_requires_grad(true);
  const auto pool = [=] { return ops::attention_pool(tokens, queries); };
  if (backward) return {gradients(settings, pool()), 0.0, bytes_of({&tokens})};
  const auto run = [=] {
    const ops::PrecisionScope precision(settings.precision);
    pool();
  };
  return {run, 0.0, bytes_of({&tokens})};
}

Work gelu(const Settings& settings, const Blocks& b) {
  const Tensor x = random(settings, {b.rows(), 4 * b.dim()});
  return {[=] { ops::gelu(x); }, 0.0, 2.0 * bytes_of({&x})};
}

/// Between the gradients of two products.
Work gelu_gradient(const Settings& settings, const Blocks& b) {
  const Shape shape = {b.rows(), 4 * b.dim()};
  const Tensor x = operand(settings, shape), dy = operand(settings, shape);
  const auto run = [=, dx = x.clone()]() mutable {
    backend_of(settings.device).unary_backward(UnaryOp::gelu, x, x, dy, dx);
  };
  return {run, 0.0, 3.0 * bytes_of({&x})};
}

/// The products of a block and their gradients for two global crops of 144 pixels and eight local ones of 60: for
/// either size by itself, which adds to the gradients of the weights, or for the tokens of both at once.
Work products_of_crops(const Settings& settings, int64_t dim, bool packed) {
  constexpr int64_t objects = 8, tokens_of_global = 145, tokens_of_local = 26;
  const int64_t width = settings.small ? 32 : dim;
  std::vector<int64_t> rows = {2 * objects * tokens_of_global, 8 * objects * tokens_of_local};
  if (packed) rows = {rows[0] + rows[1]};
  double operations = 0.0;
  std::vector<std::function<void()>> products;
  for (const auto& [in, out] : {std::pair{1, 3}, {1, 1}, {1, 4}, {4, 1}}) {
    Tensor weight = random(settings, {out * width, in * width}), bias = random(settings, {out * width});
    weight.set_requires_grad(true);
    bias.set_requires_grad(true);
    for (const int64_t count : rows) {
      Tensor x = operand(settings, {count, in * width});
      x.set_requires_grad(true);
      const Tensor dy = operand(settings, {count, out * width});
      operations += 3.0 * product_operations(count, in * width, out * width);
      products.emplace_back([=]() mutable {
        autograd::backward(ops::linear(x, weight, bias, {.readers = ops::Readers::products}), dy);
        x.set_grad({});
      });
    }
    products.emplace_back([=]() mutable {
      weight.mutable_data();  // as an update, after which it is packed anew
      weight.set_grad({});
      bias.set_grad({});
    });
  }
  const auto run = [=, precision = settings.precision]() mutable {
    const ops::PrecisionScope scope(precision);
    for (auto& each : products) each();
  };
  return {run, operations, 0.0, static_cast<double>(objects), "2 + 8 crops"};
}

Work pack(const Settings& settings, WeightUse use, int64_t in, int64_t out) {
  const Tensor weight = random(settings, {out, in});
  return {[=] { backend_of(settings.device).prepare(weight, use, settings.precision, 6224); }, 0.0,
          2.0 * bytes_of({&weight})};
}

Work adamw(const Settings& settings, int64_t size) {
  const NamedTensor weights{"weights", random(settings, {size})};
  optim::Adamw::Options options;
  options.weight_decay = 0.1;
  options.clip_norm = 1.0;
  const auto optimizer = std::make_shared<optim::Adamw>(std::vector{weights}, options);
  const auto run = [=, weight = weights.tensor, gradient = random(settings, {size})]() mutable {
    weight.set_grad(gradient);
    optimizer->queue_step({1e-4});
  };
  return {run, 0.0, 8.0 * bytes_of({&weights.tensor})};
}

using Make = std::function<Work(const Settings&, const Blocks&)>;

/// Adds a row of one tower, whose blocks are made small when the settings say so.
class Adding {
 public:
  Adding(std::vector<Row>& rows, bool on_card, std::string tower, const Blocks& blocks)
      : rows_(rows), on_card_(on_card), tower_(std::move(tower)), blocks_(blocks) {}
  /// `has_peer`: PyTorch has such a kernel, which is measured on cards.
  void operator()(const std::string& kernel, const std::string& variant, const Make& make,
                  bool has_peer = false) const {
    const auto of_size = [make, blocks = blocks_](const Settings& settings) {
      return make(settings, settings.small ? Blocks{2, std::min<int64_t>(blocks.tokens, 26), 2, 32} : blocks);
    };
    Row row{kernel + " " + tower_ + variant, of_size};
    if (has_peer && on_card_) row.peers = {"pytorch"};
    rows_.push_back(std::move(row));
  }

 private:
  std::vector<Row>& rows_;
  bool on_card_;
  std::string tower_;
  Blocks blocks_;
};

void add_products(const Adding& add) {
  using S = Settings;
  using B = Blocks;
  const ops::LinearOptions plain = {.readers = ops::Readers::products};
  const ops::LinearOptions gelu = {.activation = Activation::gelu, .readers = ops::Readers::products};
  const auto adding = [](int64_t in_widths) {
    return [=](const S& s, const B& b) {
      return linear(s, operand(s, {b.rows(), in_widths * b.dim()}), b.dim(),
                    {.residual = random(s, {b.rows(), b.dim()})});
    };
  };
  const auto of_width = [](int64_t out_widths, const ops::LinearOptions& options, bool kept) {
    return [=](const S& s, const B& b) {
      Tensor x = operand(s, {b.rows(), b.dim()});
      x.set_requires_grad(kept);
      return linear(s, x, out_widths * b.dim(), options);
    };
  };
  add("linear", " qkv", of_width(3, plain, false), true);
  add("linear", " projection + residual", adding(1));
  add("linear", " mlp in + gelu", of_width(4, gelu, false));
  add("linear", " mlp in + gelu, kept", of_width(4, gelu, true));
  add("linear", " mlp out + residual", adding(4));
  const auto add_gradients = [&](const std::string& name, int64_t in_widths, int64_t out_widths) {
    for (const bool of_weight : {false, true}) {
      add(
          "linear", " " + name + (of_weight ? ", weight gradient" : ", input gradient"),
          [=](const S& s, const B& b) {
            return linear_gradient(s, {b.rows(), in_widths * b.dim(), out_widths * b.dim()}, of_weight);
          },
          true);
    }
  };
  add_gradients("qkv", 1, 3);
  add_gradients("projection", 1, 1);
  add_gradients("mlp in", 1, 4);
  add_gradients("mlp out", 4, 1);
}

void add_attention(const Adding& add) {
  add("attention", "", attention, true);
  add("attention", ", gradient", attention_gradient, true);
}

void add_pointwise(const Adding& add) {
  using S = Settings;
  using B = Blocks;
  add("layer_norm", "", [](const S& s, const B& b) { return layer_norm(s, b, false); });
  add("layer_norm", ", gradient", [](const S& s, const B& b) { return layer_norm(s, b, true); });
  add("gelu", "", gelu);
  add("gelu", ", gradient", gelu_gradient);
}

}  // namespace

Work reference_product(const Settings& settings) {
  if (!settings.on_card()) return linear(settings, random(settings, {2304, 3072}), 1024, {});
  const int64_t side = settings.small ? 64 : 8192;
  return linear(settings, operand(settings, {side, side}), side, {.readers = ops::Readers::products});
}

Work reference_copy(const Settings& settings) {
  const Tensor from = random(settings, {int64_t{1} << (settings.small ? 10 : 29)});
  return {[=, to = from.clone()]() mutable { to.copy_from(from); }, 0.0, 2.0 * bytes_of({&from})};
}

std::vector<Row> kernel_rows(bool on_card) {
  std::vector<Row> rows;
  const Adding specformer(rows, on_card, "specformer", {on_card ? 128 : 8, 778, 6, 128});
  const Adding vit(rows, on_card, "vit", {on_card ? 256 : 16, on_card ? 145 : 144, 16, 64});
  add_products(specformer);
  add_products(vit);
  add_attention(specformer);
  add_attention(vit);
  for (const Adding& add : {specformer, vit}) {
    add("attention_pool", "", [](const Settings& s, const Blocks& b) { return attention_pool(s, b, false); });
    add("attention_pool", ", gradient", [](const Settings& s, const Blocks& b) { return attention_pool(s, b, true); });
  }
  add_attention(Adding(rows, on_card, "crops of 26 tokens", {on_card ? 512 : 64, 26, 16, 64}));
  add_pointwise(specformer);
  if (on_card) {
    add_pointwise(vit);
    return rows;
  }
  rows.push_back({"packing", [](const Settings& s) { return pack(s, WeightUse::forward, 768, 3072); }});
  rows.push_back(
      {"packing for gradients", [](const Settings& s) { return pack(s, WeightUse::backward_input, 768, 3072); }});
  for (const auto& [tower, dim] : {std::pair{"vit-s/12", 384}, {"vit-l/12", 1024}}) {
    for (const bool packed : {false, true}) {
      rows.push_back({std::string("products of crops ") + tower + (packed ? ", packed" : ", batch by batch"),
                      [=](const Settings& s) { return products_of_crops(s, dim, packed); }});
    }
  }
  rows.push_back({"clip + adamw", [](const Settings& s) { return adamw(s, s.small ? 1000 : 40'000'000); }});
  return rows;
}

}  // namespace astroclip::bench
