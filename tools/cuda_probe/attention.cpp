// cuDNN's attention: does it repeat its bits, alone and beside another stream's work; how fast and how exact is it in
// float32 and for wide heads. Usage: attention [plans h100.json] repeat|wide|float …
// With `plans`, graphs are only compiled, without a GPU.
#include <algorithm>
#include <cmath>
#include <optional>

#include "backend/cuda/attention_graphs.h"
#include "load.h"
#include "plans.h"
#include "product.h"
#include "reference.h"
#include "softmax.h"

namespace {

constexpr int reruns = 200;
cudnnHandle_t handle = nullptr;
dnn::Target target;

/// As cuDNN's one operation (9.13 and later), not as products and softmax, which its fused engines recognise.
struct SingleAttention : dnn::AttentionTensors {
  explicit SingleAttention(const astroclip::AttentionArguments& a) {
    const auto heads = [&](const auto& x) {
      return graph.tensor(dnn::type_of(a.dtype), {a.batch, a.heads, x.tokens, a.width},
                          {x.batch_stride, a.width, x.token_stride, 1});
    };
    const dnn::Extents line = {a.batch, a.heads, a.q.tokens, 1};
    q = heads(a.q);
    k = heads(a.k);
    v = heads(a.v);
    y = heads(a.y);
    scale = graph.scalar(4);
    dnn::Tensors tensors = {{CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, q},
                            {CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, k},
                            {CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, v},
                            {CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, y},
                            {CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, scale}};
    if (a.log_sum_exp) {
      stats = graph.tensor(CUDNN_DATA_FLOAT, line, dnn::packed_strides(line));
      tensors[CUDNN_ATTR_OPERATION_SDPA_FWD_STATSDESC] = stats;
    }
    graph.operation(CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR, tensors);
  }
};

/// Where nothing is written because nothing runs.
float nowhere = 0.0F;

/// Inputs, results and what the results should be.
template <class T>
struct Fixture {
  HeadShape shape;
  int64_t pairs;
  float scale, one = 1.0F;
  Buffer<T> qkv, dy, y, dqkv;
  Buffer<float> stats, row_sums;
  reference::Attention expected;

  Fixture(const HeadShape& s, bool with_gradients)
      : shape(s),
        pairs(s.tokens > 500 ? 2 : s.heads),
        scale(1.0F / std::sqrt(static_cast<float>(s.width))),
        qkv(normal<T>(s.rows() * 3 * s.model(), 11)),
        dy(normal<T>(s.rows() * s.model(), 12)),
        y(s.rows() * s.model()),
        dqkv(with_gradients ? qkv.count() : 0),
        stats(s.lines()),
        row_sums(s.lines()),
        expected(reference::attention(s, qkv.get(), with_gradients ? dy.get() : nullptr, pairs)) {}

  double error(const T* from, int64_t row, const Buffer<double>& against) const {
    return relative_error(reference::gather_heads(shape, from, row, pairs).get(), against.get(), against.count());
  }
  double stats_error() const { return relative_error(stats.get(), expected.log_sums.get(), expected.log_sums.count()); }
};

/// How many of the reruns give other bits in any of the outputs, with the load's kernels beside them if there are any.
template <class T>
int differing(const std::function<void()>& run, const std::vector<Buffer<T>*>& outputs, Buffer<float>* stats,
              Load* load) {
  std::vector<std::pair<void*, size_t>> arrays;
  for (Buffer<T>* output : outputs) arrays.emplace_back(output->get(), output->bytes());
  if (stats != nullptr) arrays.emplace_back(stats->get(), stats->bytes());
  std::vector<Workspace> first;
  run();
  for (const auto& [data, bytes] : arrays) {
    first.emplace_back(static_cast<int64_t>(bytes));
    check(cudaMemcpy(first.back().get(), data, bytes, cudaMemcpyDeviceToDevice));
  }
  Buffer<int> count(1);
  count.zero();
  for (int turn = 0; turn < reruns; ++turn) {
    if (load != nullptr) load->queue(turn);
    for (const auto& [data, bytes] : arrays) check(cudaMemsetAsync(data, 0xFF, bytes));
    run();
    for (size_t i = 0; i < arrays.size(); ++i) {
      count_if_different(first[i].get(), arrays[i].first, arrays[i].second, count.get());
    }
  }
  check(cudaDeviceSynchronize());
  return count.host()[0];
}

/// One row of the table for each plan. `run_with` makes a call of a plan with its workspace; `errors` describes what it
/// left behind.
template <class T>
void measure(const std::string& name, const HeadShape& s, dnn::Graph& graph, size_t most, double operations,
             const std::function<std::function<void()>(const dnn::Plan&, void*)>& run_with,
             const std::vector<Buffer<T>*>& outputs, Buffer<float>* stats, const std::function<std::string()>& errors) {
  std::vector<std::string> refusals;
  const double start = now();
  const std::vector<dnn::Plan> plans = graph.plans(target, most, &any_engine, &refusals);
  const std::string row = name + ", " + std::to_string(s.batch) + "x" + std::to_string(s.heads) + " T " +
                          std::to_string(s.tokens) + " d " + std::to_string(s.width);
  if (plans.empty()) say("%-58s no plan: %s", row.c_str(), refusals.empty() ? "" : refusals.front().c_str());
  for (const dnn::Plan& plan : plans) {
    if (handle == nullptr) {
      say("%-58s %s, %.1f s", row.c_str(), words(plan).c_str(), now() - start);
      continue;
    }
    attempt(row, [&] {
      const Workspace workspace(std::max<int64_t>(plan.workspace_bytes(), 16));
      const std::function<void()> run = run_with(plan, workspace.get());
      for (Buffer<T>* output : outputs) output->poison();
      if (stats != nullptr) stats->poison();
      run();
      const std::string found = errors();
      const double ms = time_ms(run);
      Load load;
      const int alone = differing(run, outputs, stats, nullptr), beside = differing(run, outputs, stats, &load);
      say("%-58s %8.4f ms %6.1f TFLOP/s, errors %s, bits differ %d alone, %d under load of %d, %s", row.c_str(), ms,
          operations / ms * 1e-9, found.c_str(), alone, beside, reruns, words(plan).c_str());
    });
  }
}

std::string text(const char* format, double value) {
  char words[40];
  std::snprintf(words, sizeof words, format, value);
  return words;
}

template <class T>
void forward(Fixture<T>* f, const HeadShape& s, bool keeps_stats, bool single, size_t most) {
  float* stats = f != nullptr ? f->stats.get() : &nowhere;
  const astroclip::AttentionArguments arguments = attention_of<T>(
      s, f != nullptr ? f->qkv.get() : nullptr, f != nullptr ? f->y.get() : nullptr, keeps_stats ? stats : nullptr);
  dnn::AttentionTensors attention = single ? dnn::AttentionTensors(SingleAttention(arguments))
                                           : dnn::AttentionTensors(dnn::AttentionGraph(arguments));
  const auto run_with = [&](const dnn::Plan& plan, void* workspace) {
    return
        [&, workspace, pointers = attention.pointers(arguments, f->scale)] { plan.run(handle, pointers, workspace); };
  };
  const auto errors = [&] {
    return text("%.2e", f->error(f->y.get(), s.model(), f->expected.y)) +
           (keeps_stats ? text(" log sums %.2e", f->stats_error()) : "");
  };
  const std::string name = std::string(cudnn_type<T> == CUDNN_DATA_FLOAT ? "f32 " : "bf16 ") +
                           (single ? "single forward" : "forward") + (keeps_stats ? ", stats" : "");
  std::vector<Buffer<T>*> outputs;
  if (f != nullptr) outputs = {&f->y};
  measure<T>(name, s, attention.graph, most, s.operations(), run_with, outputs,
             keeps_stats && f != nullptr ? &f->stats : nullptr, errors);
}

template <class T>
void backward(Fixture<T>* f, const HeadShape& s, size_t most) {
  if (f != nullptr) {
    const astroclip::AttentionArguments arguments = attention_of(s, f->qkv.get(), f->y.get(), f->stats.get());
    dnn::AttentionGraph attention(arguments);
    const std::vector<dnn::Plan> plans = attention.graph.plans(target, 1, &any_engine);
    const Workspace workspace(std::max<int64_t>(plans.at(0).workspace_bytes(), 16));
    plans[0].run(handle, attention.pointers(arguments, f->scale), workspace.get());
    check(cudaDeviceSynchronize());
  }
  const astroclip::AttentionBackwardArguments arguments =
      f == nullptr ? attention_backward_of<T>(s, nullptr, nullptr, nullptr, nullptr, nullptr)
                   : attention_backward_of(s, f->qkv.get(), f->y.get(), f->dy.get(), f->stats.get(), f->dqkv.get());
  dnn::AttentionBackwardGraph gradient(arguments);
  const auto run_with = [&](const dnn::Plan& plan, void* workspace) {
    return [&, workspace, pointers = gradient.pointers(arguments, f->row_sums.get(), f->scale, f->one)] {
      plan.run(handle, pointers, workspace);
    };
  };
  const auto errors = [&] {
    const int64_t row = 3 * s.model();
    T* at = f->dqkv.get();
    return text("dq %.2e", f->error(at, row, f->expected.dq)) +
           text(" dk %.2e", f->error(at + s.model(), row, f->expected.dk)) +
           text(" dv %.2e", f->error(at + 2 * s.model(), row, f->expected.dv));
  };
  std::vector<Buffer<T>*> outputs;
  if (f != nullptr) outputs = {&f->dqkv};
  measure<T>(cudnn_type<T> == CUDNN_DATA_FLOAT ? "f32 backward" : "bf16 backward", s, gradient.graph, most,
             2.5 * s.operations(), run_with, outputs, nullptr, errors);
}

template <class T>
void forward_and_backward(const HeadShape& s, bool with_stats_alone, bool single, size_t most) {
  attempt("attention", [&] {
    std::optional<Fixture<T>> f;
    if (handle != nullptr) f.emplace(s, true);
    Fixture<T>* fixture = f ? &*f : nullptr;
    for (const bool keeps_stats : {false, true}) {
      if (with_stats_alone && !keeps_stats) continue;
      attempt("forward", [&] { forward<T>(fixture, s, keeps_stats, false, most); });
      if (single) attempt("single forward", [&] { forward<T>(fixture, s, keeps_stats, true, most); });
    }
    attempt("backward", [&] { backward<T>(fixture, s, 1); });
  });
}

/// Float32 without cuDNN: scores and values as batched products on packed [batch · heads, tokens, width], softmax
/// between them.
void products_and_softmax(const HeadShape& s) {
  if (handle == nullptr) return;
  attempt("products", [&] {
    const int64_t batch = s.batch * s.heads, squares = batch * s.tokens * s.tokens, count = s.lines() * s.width;
    const Buffer<float> q = normal<float>(count, 1), k = normal<float>(count, 2), v = normal<float>(count, 3), y(count),
                        scores(squares);
    const Blas blas;
    const Product first(
        blas, {.m = s.tokens, .n = s.tokens, .k = s.width, .batch = batch, .transpose_b = true},
        {.a = q.get(), .b = k.get(), .y = scores.get(), .alpha = 1.0F / std::sqrt(static_cast<float>(s.width))}),
        second(blas, {.m = s.tokens, .n = s.width, .k = s.tokens, .batch = batch},
               {.a = scores.get(), .b = v.get(), .y = y.get()});
    const auto one = first.search(), two = second.search();
    const double ms = time_ms([&] {
      first.run(one.algorithm);
      softmax(scores.get(), s.lines(), s.tokens);
      second.run(two.algorithm);
    });
    say("f32 products and softmax, %lldx%lld T %lld d %lld: %8.4f ms %6.1f TFLOP/s (q kᵀ %.4f, softmax %.4f, p v %.4f)",
        static_cast<long long>(s.batch), static_cast<long long>(s.heads), static_cast<long long>(s.tokens),
        static_cast<long long>(s.width), ms, s.operations() / ms * 1e-9, one.ms,
        time_ms([&] { softmax(scores.get(), s.lines(), s.tokens); }), two.ms);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto program = [&] {
    std::vector<std::string> parts(argv + 1, argv + argc);
    if (parts.size() > 1 && parts[0] == "plans") {
      target = described_in(parts[1]);
      parts.erase(parts.begin(), parts.begin() + 2);
    } else {
      check(cudnnCreate(&handle));
      target.handle = handle;
      say_versions();
    }
    const HeadShape vit{256, 16, 145, 64}, spectra{128, 6, 778, 128}, local{512, 16, 26, 64};
    for (const std::string& part : parts) {
      if (part == "repeat") {
        for (const HeadShape& s : {vit, spectra, local}) forward_and_backward<bf16>(s, false, true, 2);
      } else if (part == "wide") {
        for (const HeadShape& s : {HeadShape{128, 4, 145, 256}, HeadShape{64, 3, 778, 256}}) {
          forward_and_backward<bf16>(s, true, false, 1);
        }
      } else if (part == "float") {
        for (const HeadShape& s : {HeadShape{32, 16, 145, 64}, HeadShape{16, 6, 778, 128}, HeadShape{64, 16, 26, 64}}) {
          forward_and_backward<float>(s, true, false, 1);
          products_and_softmax(s);
        }
      } else {
        throw std::runtime_error("there is no part '" + part + "'");
      }
    }
  };
  return attempt("attention", program) ? 0 : 1;
}
