// The blocks of a transformer in training: forward, backward and update, in bf16 with a float residual stream, with or
// without stochastic depth. Launched kernel by kernel, as a program with a tape does.
#pragma once

#include <map>
#include <optional>

#include "backend/cuda/attention_graphs.h"
#include "block_kernels.h"
#include "heads.h"
#include "plans.h"
#include "product.h"

struct BlocksShape {
  int64_t batch = 0, tokens = 0, width = 0, heads = 0, depth = 0;
  int64_t kept = 0;  ///< samples that a branch sees; 0: all, and no branch is scaled

  int64_t rows() const { return batch * tokens; }
  int64_t branch_samples() const { return kept > 0 ? kept : batch; }
  int64_t branch_rows() const { return branch_samples() * tokens; }
  double operations() const {  ///< of a step without stochastic depth
    const auto r = static_cast<double>(rows()), w = static_cast<double>(width), t = static_cast<double>(tokens);
    return 3.0 * static_cast<double>(depth) * (24.0 * r * w * w + 4.0 * r * t * w);
  }
};

/// Everything of the libraries that blocks share.
class Libraries {
 public:
  Libraries();
  Libraries(const Libraries&) = delete;
  ~Libraries();

  Stream stream;
  Blas blas{stream};
  cudnnHandle_t dnn = nullptr;
  dnn::Target target;
  double host_us = 0.0;  ///< what a program's own work takes before each launch

  void spend_host_time() const;
  /// The fastest algorithm for such a product, searched once.
  cublasLtMatmulAlgo_t algorithm(const ProductSpec& spec, const Product& product);

 private:
  std::map<ProductSpec, cublasLtMatmulAlgo_t> known_;
};

class Blocks {
 public:
  Blocks(Libraries& libraries, const BlocksShape& shape);

  /// Stochastic depth: draws which samples each branch sees from `samples` and `factors` [2 · depth][kept], of the
  /// host, which must stay as they are until the stream has come by.
  void draw(const int* samples, const float* factors);
  void forward();
  /// From output_slope(); leaves the input's gradient in input_slope().
  void backward();
  void update(float rate);

  float* input() const { return stream_.get(); }
  bf16* output() const { return output_.get(); }
  bf16* output_slope() const { return output_slope_.get(); }
  float* input_slope() const { return slope_.get(); }
  Buffer<float>& parameters() { return values_; }
  Buffer<float>& gradients() { return gradients_; }
  const BlocksShape& shape() const { return s_; }

 private:
  struct Slice {
    int64_t offset = 0, count = 0;
  };
  struct Norm {
    Slice weight, bias;
  };
  struct Linear {
    Slice weight, bias;
    int64_t out = 0, in = 0;
  };
  struct Planned {
    Product product;
    cublasLtMatmulAlgo_t algorithm;
  };
  struct Block {
    Norm norm1, norm2;
    Linear qkv, proj, fc1, fc2;
  };
  struct BlockProducts {
    std::vector<Planned> forward, dx, dw;  ///< qkv, proj, fc1, fc2
  };

  Slice add(int64_t count);
  Norm add_norm();
  Linear add_linear(int64_t out, int64_t in);
  void start_values();
  Planned plan(const ProductSpec& spec, const ProductOperands& operands);
  void plan_block(int64_t index);
  void run(const Planned& planned) const;

  bool drops() const { return s_.kept > 0; }
  /// The residual stream before branch `i` of 2 · depth: with stochastic depth it is one, and changed in place.
  float* stream_before(int64_t i) const { return stream_.get() + (drops() ? 0 : i * s_.rows() * s_.width); }
  /// What the norm of branch `i` read.
  float* norm_input(int64_t i) const { return drops() ? taken_.get() + i * branch_count() : stream_before(i); }
  int64_t branch_count() const { return s_.branch_rows() * s_.width; }
  bf16* normed(int64_t i) const { return normed_.get() + i * branch_count(); }
  bf16* qkv(int64_t block) const { return qkv_.get() + block * 3 * branch_count(); }
  bf16* attended(int64_t block) const { return attended_.get() + block * branch_count(); }
  bf16* hidden(int64_t block) const { return hidden_.get() + block * 4 * branch_count(); }
  bf16* activated(int64_t block) const { return activated_.get() + block * 4 * branch_count(); }
  float* stats(int64_t block) const { return stats_.get() + block * s_.branch_rows() * s_.heads; }
  Rows rows_of(int64_t branch) const;
  Rows all_rows() const { return {.count = s_.rows(), .tokens = s_.tokens}; }

  HeadShape heads() const { return {s_.branch_samples(), s_.heads, s_.tokens, s_.width / s_.heads}; }
  astroclip::AttentionArguments attention_of_block(int64_t i) const {
    return attention_of(heads(), qkv(i), attended(i), stats(i));
  }
  astroclip::AttentionBackwardArguments attention_backward_of_block(int64_t i) const {
    return attention_backward_of(heads(), qkv(i), attended(i), drops() ? slope_wide_.get() : slope_narrow_.get(),
                                 stats(i), slope_qkv_.get());
  }

  void norm(int64_t branch, const Norm& parameters);
  void add_to_stream(int64_t branch);
  /// The gradient of the branch, in bf16.
  const bf16* branch_slope(int64_t branch);
  void norm_backward(int64_t branch, const Norm& parameters);
  void bias_gradient(const bf16* dy, const Linear& linear);

  Libraries& libraries_;
  BlocksShape s_;
  std::vector<Block> blocks_;
  std::vector<BlockProducts> products_;
  Norm last_;
  int64_t total_ = 0;
  float scale_, one_ = 1.0F;

  Buffer<float> values_, gradients_, first_, second_;
  Buffer<bf16> copies_;
  Buffer<float> stream_, taken_, stats_, means_, inverses_;
  Buffer<bf16> normed_, qkv_, attended_, hidden_, activated_, branch_, output_;
  Buffer<float> slope_, partial_, row_sums_;
  Buffer<bf16> slope_rounded_, slope_wide_, slope_narrow_, slope_qkv_, output_slope_;
  Buffer<int> samples_;
  Buffer<float> factors_;

  std::optional<dnn::AttentionGraph> attention_;
  std::optional<dnn::AttentionBackwardGraph> attention_backward_;
  std::vector<dnn::Plan> attention_plan_, attention_backward_plan_;
  Workspace workspace_;
};
