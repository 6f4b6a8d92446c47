#include <cmath>

#include "base/rng.h"
#include "bench/row.h"

namespace astroclip::bench {

namespace {

Backend& backend() { return backend_of(device()); }

Tensor random(const Shape& shape) {
  Tensor tensor = Tensor::empty(shape, DType::f32, device());
  Rng rng(1, RngStream::tests);
  auto* values = tensor.mutable_data_as<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) values[i] = static_cast<float>(rng.next()) * 0x1.0p-31f - 1.0f;
  return tensor;
}

Tensor empty(const Shape& shape) { return Tensor::empty(shape, DType::f32, device()); }

double product_operations(int64_t rows, int64_t in, int64_t out) {
  return 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
}

/// `kept` writes the pre-activation, too, as training does.
Work linear(const Settings& settings, int64_t rows, int64_t in, int64_t out, Activation activation, bool with_residual,
            bool kept = false) {
  const Tensor x = random({rows, in}), weight = random({out, in}), bias = random({out});
  const Tensor residual = with_residual ? random({rows, out}) : Tensor();
  Tensor y = empty({rows, out}), before = kept ? empty({rows, out}) : Tensor();
  const auto packed = backend().prepare(weight, WeightUse::forward, settings.precision, rows);
  const auto run = [=]() mutable {
    LinearArguments call;
    call.x = x;
    call.weight = weight;
    call.packed = packed.get();
    call.bias = bias;
    call.activation = activation;
    if (residual) call.residual = residual;
    call.y = y;
    if (before) call.pre_activation = before;
    call.precision = settings.precision;
    backend().linear(call);
  };
  return {run, product_operations(rows, in, out)};
}

Work backward_input(const Settings& settings, int64_t rows, int64_t in, int64_t out) {
  const Tensor dy = random({rows, out}), weight = random({out, in});
  Tensor dx = empty({rows, in});
  const auto packed = backend().prepare(weight, WeightUse::backward_input, settings.precision, rows);
  const auto run = [=]() mutable {
    backend().linear_backward_input({dy, weight, packed.get(), dx, settings.precision});
  };
  return {run, product_operations(rows, in, out)};
}

Work backward_weight(const Settings& settings, int64_t rows, int64_t in, int64_t out) {
  const Tensor dy = random({rows, out}), x = random({rows, in});
  Tensor dweight = empty({out, in}), dbias = empty({out});
  const auto run = [=]() mutable { backend().linear_backward_weight({dy, x, dweight, dbias, settings.precision}); };
  return {run, product_operations(rows, in, out)};
}

struct Attention {
  int64_t batch, tokens, heads, width;
  int64_t dim() const { return heads * width; }
  /// Of one product of queries with keys over all heads.
  double operations() const { return static_cast<double>(batch) * product_operations(tokens, dim(), tokens); }
};

/// Sets what the forward and backward calls have in common.
template <class Arguments>
void set_operands(Arguments& a, const Attention& s, const Tensor& qkv, Precision precision) {
  a.batch = s.batch;
  a.heads = s.heads;
  a.width = s.width;
  a.scale = 1.0 / std::sqrt(static_cast<double>(s.width));
  a.precision = precision;
  const auto part = [&](int64_t i) {
    return HeadsView{qkv.data_as<float>() + i * s.dim(), s.tokens, 3 * s.tokens * s.dim(), 3 * s.dim()};
  };
  a.q = part(0);
  a.k = part(1);
  a.v = part(2);
}

AttentionArguments attention_arguments(const Attention& s, const Tensor& qkv, Tensor& y, Tensor& log_sum_exp,
                                       Precision precision) {
  AttentionArguments a;
  set_operands(a, s, qkv, precision);
  a.y = {y.mutable_data(), s.tokens, s.tokens * s.dim(), s.dim()};
  a.log_sum_exp = log_sum_exp;
  return a;
}

Work attention(const Settings& settings, const Attention& s) {
  const Tensor qkv = random({s.batch, s.tokens, 3 * s.dim()});
  Tensor y = empty({s.batch, s.tokens, s.dim()}), log_sum_exp = empty({s.batch, s.heads, s.tokens});
  const auto run = [=]() mutable {
    backend().attention(attention_arguments(s, qkv, y, log_sum_exp, settings.precision));
  };
  return {run, 2.0 * s.operations()};
}

Work attention_backward(const Settings& settings, const Attention& s) {
  const Tensor qkv = random({s.batch, s.tokens, 3 * s.dim()}), dy = random({s.batch, s.tokens, s.dim()});
  Tensor y = empty({s.batch, s.tokens, s.dim()}), log_sum_exp = empty({s.batch, s.heads, s.tokens});
  Tensor dqkv = empty({s.batch, s.tokens, 3 * s.dim()});
  backend().attention(attention_arguments(s, qkv, y, log_sum_exp, settings.precision));
  const auto run = [=]() mutable {
    AttentionBackwardArguments a;
    set_operands(a, s, qkv, settings.precision);
    a.y = {y.data(), s.tokens, s.tokens * s.dim(), s.dim()};
    a.dy = {dy.data(), s.tokens, s.tokens * s.dim(), s.dim()};
    a.log_sum_exp = log_sum_exp;
    auto* gradient = dqkv.mutable_data_as<float>();
    const auto part = [&](int64_t i) {
      return MutableHeadsView{gradient + i * s.dim(), s.tokens, 3 * s.tokens * s.dim(), 3 * s.dim()};
    };
    a.dq = part(0);
    a.dk = part(1);
    a.dv = part(2);
    backend().attention_backward(a);
  };
  return {run, 5.0 * s.operations()};
}

Work layer_norm(int64_t rows, int64_t width) {
  const Tensor x = random({rows, width}), weight = random({width}), bias = random({width});
  Tensor y = empty({rows, width}), mean = empty({rows}), inverse = empty({rows});
  const auto run = [=]() mutable { backend().layer_norm({x, weight, bias, 1e-6, y, mean, inverse}); };
  return {run, 0.0, 2.0 * static_cast<double>(x.bytes())};
}

Work layer_norm_backward(int64_t rows, int64_t width) {
  const Tensor x = random({rows, width}), dy = random({rows, width}), weight = random({width}), bias = random({width});
  Tensor y = empty({rows, width}), mean = empty({rows}), inverse = empty({rows});
  Tensor dweight = empty({width}), dbias = empty({width});
  backend().layer_norm({x, weight, bias, 1e-6, y, mean, inverse});
  const auto run = [=]() mutable { backend().layer_norm_backward({dy, x, weight, mean, inverse, y, dweight, dbias}); };
  return {run, 0.0, 3.0 * static_cast<double>(x.bytes())};
}

Work gelu(int64_t rows, int64_t width, bool backward) {
  const Tensor x = random({rows, width}), dy = random({rows, width});
  Tensor y = empty({rows, width});
  if (!backward) {
    return {[=]() mutable { backend().unary(UnaryOp::gelu, x, y); }, 0.0, 2.0 * static_cast<double>(x.bytes())};
  }
  return {[=]() mutable { backend().unary_backward(UnaryOp::gelu, x, x, dy, y); }, 0.0,
          3.0 * static_cast<double>(x.bytes())};
}

Work pack(const Settings& settings, WeightUse use, int64_t in, int64_t out) {
  const Tensor weight = random({out, in});
  return {[=] { backend().prepare(weight, use, settings.precision, 6224); }, 0.0,
          2.0 * static_cast<double>(weight.bytes())};
}

Work adamw(int64_t size) {
  Tensor parameter = random({size}), first = random({size});
  Tensor second = Tensor::zeros({size}, DType::f32, device()), clip = Tensor::zeros({3}, DType::f64, device());
  const Tensor gradient = random({size});
  const auto run = [=]() mutable {
    const ConstView all(gradient);
    backend().gradient_clip({&all, 1}, 1.0, clip);
    const AdamwSegment segment{parameter, gradient, first, second, 1e-4, 0.1};
    AdamwStep step;
    step.clip = clip;
    backend().adamw({&segment, 1}, step);
  };
  return {run, 0.0, 8.0 * static_cast<double>(parameter.bytes())};
}

// Tokens of the published towers: a batch of 8 spectra, of 16 images.
constexpr int64_t spectrum_rows = 8 * 778, image_rows = 16 * 144;
constexpr Attention spectrum_heads{8, 778, 6, 128}, image_heads{16, 144, 16, 64};

void add_products(std::vector<Row>& rows, const std::string& tower, int64_t tokens, int64_t dim) {
  const auto add = [&](const char* name, auto make) { rows.push_back({"linear " + tower + " " + name, make}); };
  using S = Settings;
  const int64_t wide = 4 * dim;
  add("qkv", [=](const S& s) { return linear(s, tokens, dim, 3 * dim, Activation::none, false); });
  add("projection + residual", [=](const S& s) { return linear(s, tokens, dim, dim, Activation::none, true); });
  add("mlp in + gelu", [=](const S& s) { return linear(s, tokens, dim, wide, Activation::gelu, false); });
  add("mlp in + gelu, kept", [=](const S& s) { return linear(s, tokens, dim, wide, Activation::gelu, false, true); });
  add("mlp out + residual", [=](const S& s) { return linear(s, tokens, wide, dim, Activation::none, true); });
  add("mlp in, input gradient", [=](const S& s) { return backward_input(s, tokens, dim, wide); });
  add("mlp out, input gradient", [=](const S& s) { return backward_input(s, tokens, wide, dim); });
  add("mlp in, weight gradient", [=](const S& s) { return backward_weight(s, tokens, dim, wide); });
  add("mlp out, weight gradient", [=](const S& s) { return backward_weight(s, tokens, wide, dim); });
}

}  // namespace

Work reference_product(const Settings& settings) { return linear(settings, 2304, 3072, 1024, Activation::none, false); }

std::vector<Row> kernel_rows() {
  std::vector<Row> rows;
  using S = Settings;
  add_products(rows, "specformer", spectrum_rows, 768);
  add_products(rows, "vit", image_rows, 1024);
  rows.push_back({"attention specformer", [](const S& s) { return attention(s, spectrum_heads); }});
  rows.push_back({"attention specformer, gradient", [](const S& s) { return attention_backward(s, spectrum_heads); }});
  rows.push_back({"attention vit", [](const S& s) { return attention(s, image_heads); }});
  rows.push_back({"attention vit, gradient", [](const S& s) { return attention_backward(s, image_heads); }});
  rows.push_back({"layer_norm specformer", [](const S&) { return layer_norm(spectrum_rows, 768); }});
  rows.push_back({"layer_norm specformer, gradient", [](const S&) { return layer_norm_backward(spectrum_rows, 768); }});
  rows.push_back({"gelu specformer", [](const S&) { return gelu(spectrum_rows, 3072, false); }});
  rows.push_back({"gelu specformer, gradient", [](const S&) { return gelu(spectrum_rows, 3072, true); }});
  rows.push_back({"packing", [](const S& s) { return pack(s, WeightUse::forward, 768, 3072); }});
  rows.push_back({"packing for gradients", [](const S& s) { return pack(s, WeightUse::backward_input, 768, 3072); }});
  rows.push_back({"clip + adamw", [](const S&) { return adamw(40'000'000); }});
  return rows;
}

}  // namespace astroclip::bench
