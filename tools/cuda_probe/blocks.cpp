#include "blocks.h"

#include <algorithm>
#include <cmath>

Libraries::Libraries() {
  check(cudnnCreate(&dnn));
  check(cudnnSetStream(dnn, stream));
  target.handle = dnn;
}
Libraries::~Libraries() { cudnnDestroy(dnn); }

void Libraries::spend_host_time() const {
  if (host_us == 0.0) return;
  for (const double end = now() + host_us * 1e-6; now() < end;) {
  }
}

cublasLtMatmulAlgo_t Libraries::algorithm(const ProductSpec& s, const Product& product) {
  if (!known_.contains(s)) known_[s] = product.search().algorithm;
  return known_[s];
}

Blocks::Blocks(Libraries& libraries, const BlocksShape& shape)
    : libraries_(libraries), s_(shape), scale_(1.0F / std::sqrt(static_cast<float>(shape.width / shape.heads))) {
  const int64_t d = s_.width;
  for (int64_t i = 0; i < s_.depth; ++i) {
    blocks_.push_back(
        {add_norm(), add_norm(), add_linear(3 * d, d), add_linear(d, d), add_linear(4 * d, d), add_linear(d, 4 * d)});
  }
  last_ = add_norm();
  start_values();

  const int64_t all = s_.rows() * d, branch = branch_count(), branches = 2 * s_.depth;
  stream_ = Buffer<float>(drops() ? all : all * (branches + 1));
  taken_ = Buffer<float>(drops() ? branch * branches : 0);
  normed_ = Buffer<bf16>(branch * branches);
  qkv_ = Buffer<bf16>(3 * branch * s_.depth);
  attended_ = Buffer<bf16>(branch * s_.depth);
  hidden_ = Buffer<bf16>(4 * branch * s_.depth);
  activated_ = Buffer<bf16>(4 * branch * s_.depth);
  stats_ = Buffer<float>(s_.branch_rows() * s_.heads * s_.depth);
  means_ = Buffer<float>(s_.rows() * (branches + 1));
  inverses_ = Buffer<float>(s_.rows() * (branches + 1));
  branch_ = Buffer<bf16>(drops() ? branch : 0);
  output_ = Buffer<bf16>(all);
  slope_ = Buffer<float>(all);
  partial_ = Buffer<float>(int64_t{norm_blocks} * 4 * d);
  row_sums_ = Buffer<float>(s_.branch_rows() * s_.heads);
  slope_rounded_ = Buffer<bf16>(all);
  slope_wide_ = Buffer<bf16>(4 * branch);
  slope_narrow_ = Buffer<bf16>(branch);
  slope_qkv_ = Buffer<bf16>(3 * branch);
  output_slope_ = Buffer<bf16>(all);
  samples_ = Buffer<int>(branches * s_.kept);
  factors_ = Buffer<float>(branches * s_.kept);

  attention_.emplace(attention_of_block(0));
  attention_backward_.emplace(attention_backward_of_block(0));
  attention_plan_ = attention_->graph.plans(libraries_.target, 1, &any_engine);
  attention_backward_plan_ = attention_backward_->graph.plans(libraries_.target, 1, &any_engine);
  if (attention_plan_.empty() || attention_backward_plan_.empty()) throw std::runtime_error("cuDNN has no attention");
  workspace_ = Workspace(
      std::max<int64_t>({attention_plan_[0].workspace_bytes(), attention_backward_plan_[0].workspace_bytes(), 16}));
  for (int64_t i = 0; i < s_.depth; ++i) plan_block(i);
  check(cudaDeviceSynchronize());
}

Blocks::Slice Blocks::add(int64_t count) {
  const Slice slice{total_, count};
  total_ += count;
  return slice;
}
Blocks::Norm Blocks::add_norm() { return {add(s_.width), add(s_.width)}; }
Blocks::Linear Blocks::add_linear(int64_t out, int64_t in) { return {add(out * in), add(out), out, in}; }

void Blocks::start_values() {
  values_ = Buffer<float>(total_);
  gradients_ = Buffer<float>(total_);
  first_ = Buffer<float>(total_);
  second_ = Buffer<float>(total_);
  copies_ = Buffer<bf16>(total_);
  for (Buffer<float>* moments : {&gradients_, &first_, &second_}) moments->zero();
  uint64_t seed = 100;
  const auto start = [&](const Slice& slice, double deviation, double mean) {
    fill_normal(values_.get() + slice.offset, slice.count, ++seed, deviation, mean);
  };
  const auto start_norm = [&](const Norm& n) {
    start(n.weight, 0.1, 1.0);
    start(n.bias, 0.1, 0.0);
  };
  for (const Block& b : blocks_) {
    start_norm(b.norm1);
    start_norm(b.norm2);
    for (const Linear* l : {&b.qkv, &b.proj, &b.fc1, &b.fc2}) {
      // Branches that stay small beside the stream, as LayerScale makes them.
      const double scale = l == &b.proj || l == &b.fc2 ? 0.3 : 1.0;
      start(l->weight, scale / std::sqrt(static_cast<double>(l->in)), 0.0);
      start(l->bias, 0.1 * scale, 0.0);
    }
  }
  start_norm(last_);
  check(cudaDeviceSynchronize());
  update(0.0F);
}

Blocks::Planned Blocks::plan(const ProductSpec& spec, const ProductOperands& operands) {
  Product product(libraries_.blas, spec, operands);
  const cublasLtMatmulAlgo_t algorithm = libraries_.algorithm(spec, product);
  return {std::move(product), algorithm};
}

void Blocks::plan_block(int64_t i) {
  const Block& b = blocks_[static_cast<size_t>(i)];
  const int64_t m = s_.branch_rows();
  BlockProducts p;
  const auto forward = [&](const Linear& l, const bf16* x, bf16* y) {
    ProductSpec spec = forward_product(m, l.out, l.in);
    spec.bias = true;
    p.forward.push_back(
        plan(spec, {.a = x, .b = copies_.get() + l.weight.offset, .y = y, .bias = copies_.get() + l.bias.offset}));
  };
  /// The end of a branch: the sum with the residual stream, or the branch alone.
  const auto forward_last = [&](const Linear& l, const bf16* x, int64_t branch) {
    if (drops()) return forward(l, x, branch_.get());
    ProductSpec spec = forward_product(m, l.out, l.in);
    spec.result = DType::f32;
    spec.bias = spec.adds = true;
    p.forward.push_back(plan(spec, {.a = x,
                                    .b = copies_.get() + l.weight.offset,
                                    .y = stream_before(branch + 1),
                                    .bias = values_.get() + l.bias.offset,
                                    .c = stream_before(branch)}));
  };
  const auto backward = [&](const Linear& l, const bf16* x, const bf16* dy, bf16* dx) {
    p.dx.push_back(plan(input_gradient(m, l.in, l.out), {.a = dy, .b = copies_.get() + l.weight.offset, .y = dx}));
    p.dw.push_back(plan(weight_gradient(l.out, l.in, m), {.a = dy, .b = x, .y = gradients_.get() + l.weight.offset}));
  };
  const bf16* of_branch = drops() ? slope_narrow_.get() : slope_rounded_.get();
  forward(b.qkv, normed(2 * i), qkv(i));
  forward_last(b.proj, attended(i), 2 * i);
  forward(b.fc1, normed(2 * i + 1), hidden(i));
  forward_last(b.fc2, activated(i), 2 * i + 1);
  backward(b.qkv, normed(2 * i), slope_qkv_.get(), slope_narrow_.get());
  backward(b.proj, attended(i), of_branch, drops() ? slope_wide_.get() : slope_narrow_.get());
  backward(b.fc1, normed(2 * i + 1), slope_wide_.get(), slope_narrow_.get());
  backward(b.fc2, activated(i), of_branch, slope_wide_.get());
  products_.push_back(std::move(p));
}

void Blocks::run(const Planned& planned) const {
  libraries_.spend_host_time();
  planned.product.run(planned.algorithm);
}

Rows Blocks::rows_of(int64_t branch) const {
  if (!drops()) return all_rows();
  return {.count = s_.branch_rows(),
          .tokens = s_.tokens,
          .samples = samples_.get() + branch * s_.kept,
          .factors = factors_.get() + branch * s_.kept};
}

void Blocks::draw(const int* samples, const float* factors) {
  check(cudaMemcpyAsync(samples_.get(), samples, samples_.bytes(), cudaMemcpyHostToDevice, libraries_.stream));
  check(cudaMemcpyAsync(factors_.get(), factors, factors_.bytes(), cudaMemcpyHostToDevice, libraries_.stream));
}

void Blocks::norm(int64_t branch, const Norm& n) {
  libraries_.spend_host_time();
  layer_norm(stream_before(branch), rows_of(branch), static_cast<int>(s_.width), values_.get() + n.weight.offset,
             values_.get() + n.bias.offset, drops() ? norm_input(branch) : nullptr, normed(branch),
             means_.get() + branch * s_.rows(), inverses_.get() + branch * s_.rows(), libraries_.stream);
}

void Blocks::add_to_stream(int64_t branch) {
  if (!drops()) return;
  libraries_.spend_host_time();
  add_branch(stream_.get(), rows_of(branch), static_cast<int>(s_.width), branch_.get(), libraries_.stream);
}

void Blocks::forward() {
  for (int64_t i = 0; i < s_.depth; ++i) {
    const Block& b = blocks_[static_cast<size_t>(i)];
    const std::vector<Planned>& p = products_[static_cast<size_t>(i)].forward;
    norm(2 * i, b.norm1);
    run(p[0]);
    libraries_.spend_host_time();
    attention_plan_[0].run(libraries_.dnn, attention_->pointers(attention_of_block(i), scale_), workspace_.get());
    run(p[1]);
    add_to_stream(2 * i);
    norm(2 * i + 1, b.norm2);
    run(p[2]);
    libraries_.spend_host_time();
    gelu(hidden(i), activated(i), 4 * branch_count(), libraries_.stream);
    run(p[3]);
    add_to_stream(2 * i + 1);
  }
  const int64_t end = 2 * s_.depth;
  layer_norm(stream_before(end), all_rows(), static_cast<int>(s_.width), values_.get() + last_.weight.offset,
             values_.get() + last_.bias.offset, nullptr, output_.get(), means_.get() + end * s_.rows(),
             inverses_.get() + end * s_.rows(), libraries_.stream);
}

const bf16* Blocks::branch_slope(int64_t branch) {
  if (!drops()) return slope_rounded_.get();
  libraries_.spend_host_time();
  take_branch(slope_.get(), rows_of(branch), static_cast<int>(s_.width), slope_narrow_.get(), libraries_.stream);
  return slope_narrow_.get();
}

void Blocks::norm_backward(int64_t branch, const Norm& n) {
  libraries_.spend_host_time();
  layer_norm_backward(slope_narrow_.get(), norm_input(branch), rows_of(branch), static_cast<int>(s_.width),
                      values_.get() + n.weight.offset, means_.get() + branch * s_.rows(),
                      inverses_.get() + branch * s_.rows(), slope_.get(), drops() ? nullptr : slope_rounded_.get(),
                      partial_.get(), gradients_.get() + n.weight.offset, gradients_.get() + n.bias.offset,
                      libraries_.stream);
}

void Blocks::bias_gradient(const bf16* dy, const Linear& l) {
  libraries_.spend_host_time();
  column_sums(dy, s_.branch_rows(), l.out, partial_.get(), gradients_.get() + l.bias.offset, libraries_.stream);
}

void Blocks::backward() {
  const int64_t end = 2 * s_.depth;
  check(cudaMemsetAsync(slope_.get(), 0, slope_.bytes(), libraries_.stream));
  layer_norm_backward(output_slope_.get(), stream_before(end), all_rows(), static_cast<int>(s_.width),
                      values_.get() + last_.weight.offset, means_.get() + end * s_.rows(),
                      inverses_.get() + end * s_.rows(), slope_.get(), slope_rounded_.get(), partial_.get(),
                      gradients_.get() + last_.weight.offset, gradients_.get() + last_.bias.offset, libraries_.stream);
  for (int64_t i = s_.depth - 1; i >= 0; --i) {
    const Block& b = blocks_[static_cast<size_t>(i)];
    const BlockProducts& p = products_[static_cast<size_t>(i)];
    bias_gradient(branch_slope(2 * i + 1), b.fc2);
    run(p.dw[3]);
    run(p.dx[3]);
    libraries_.spend_host_time();
    gelu_backward(hidden(i), slope_wide_.get(), slope_wide_.get(), 4 * branch_count(), libraries_.stream);
    bias_gradient(slope_wide_.get(), b.fc1);
    run(p.dw[2]);
    run(p.dx[2]);
    norm_backward(2 * i + 1, b.norm2);

    bias_gradient(branch_slope(2 * i), b.proj);
    run(p.dw[1]);
    run(p.dx[1]);
    libraries_.spend_host_time();
    attention_backward_plan_[0].run(
        libraries_.dnn, attention_backward_->pointers(attention_backward_of_block(i), row_sums_.get(), scale_, one_),
        workspace_.get());
    bias_gradient(slope_qkv_.get(), b.qkv);
    run(p.dw[0]);
    run(p.dx[0]);
    norm_backward(2 * i, b.norm1);
  }
}

void Blocks::update(float rate) {
  libraries_.spend_host_time();
  adamw(values_.get(), gradients_.get(), first_.get(), second_.get(), copies_.get(), total_, rate, libraries_.stream);
}
