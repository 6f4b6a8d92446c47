// cuDNN's convolutions on the shapes of ResNet-18 with images of 144 x 144 pixels, channels last: speed, error against
// double precision, whether float32 is rounded to TF32, whether bits repeat, whether a fused ReLU lets NaN pass.
// Usage: convolution [plans h100.json]. With `plans`, graphs are only compiled, without a GPU.
#include <algorithm>
#include <cmath>
#include <limits>

#include "plans.h"
#include "reference.h"

namespace {

using reference::Convolution;
using reference::Pass;

constexpr int reruns = 20;
cudnnHandle_t handle = nullptr;
dnn::Target target;

/// Neither TF32 nor another way of giving digits away.
bool is_exact(const dnn::Engine& engine) {
  return std::ranges::none_of(
      std::vector{CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS,
                  CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC},
      [&](auto note) { return engine.has(note); });
}

int64_t channels_last(dnn::Graph& graph, cudnnDataType_t type, int64_t n, int64_t side, int64_t channels) {
  return graph.tensor(type, {n, channels, side, side}, {side * side * channels, 1, side * channels, channels});
}

astroclip::Windows windows_of(const Convolution& c) {
  return {{c.window, c.window}, {c.stride, c.stride}, {c.padding, c.padding}};
}

struct Ids {
  int64_t a, b, result;
};
Ids add(dnn::Graph& graph, const Convolution& c, Pass pass, cudnnDataType_t type, cudnnDataType_t of_result) {
  const int64_t x = channels_last(graph, pass == Pass::dx ? of_result : type, c.batch, c.side, c.in),
                weight = channels_last(graph, pass == Pass::dw ? of_result : type, c.out, c.window, c.in),
                y = channels_last(graph, pass == Pass::forward ? of_result : type, c.batch, c.out_side(), c.out);
  const astroclip::Windows windows = windows_of(c);
  switch (pass) {
    case Pass::forward:
      graph.convolution(windows, x, weight, y);
      return {x, weight, y};
    case Pass::dx:
      graph.convolution_dx(windows, y, weight, x);
      return {y, weight, x};
    case Pass::dw:
      graph.convolution(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, windows,
                        {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, x},
                         {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, y},
                         {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, weight}},
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA);
      return {x, y, weight};
  }
  return {};
}

/// `T`: of what is read, `R`: of the result.
template <class T, class R>
void measure(const std::string& name, const Convolution& c, Pass pass, const std::string& which, size_t most,
             const std::function<bool(const dnn::Engine&)>& admits) {
  const std::string row = name +
                          (pass == Pass::forward ? " forward"
                           : pass == Pass::dx    ? " dx"
                                                 : " dw") +
                          (cudnn_type<T> == CUDNN_DATA_FLOAT ? " f32 " : " bf16 ") + which;
  attempt(row, [&] {
    dnn::Graph graph;
    const Ids ids = add(graph, c, pass, cudnn_type<T>, cudnn_type<R>);
    std::vector<std::string> refusals;
    const double start = now();
    const std::vector<dnn::Plan> plans = graph.plans(target, most, admits, &refusals);
    if (plans.empty()) say("%-46s no plan: %s", row.c_str(), refusals.empty() ? "" : refusals.front().c_str());
    if (handle == nullptr) {
      for (const dnn::Plan& plan : plans) say("%-46s %s, %.1f s", row.c_str(), words(plan).c_str(), now() - start);
      return;
    }
    const int64_t window = c.window * c.window;
    const double deviation = pass == Pass::forward ? 1.0 / std::sqrt(static_cast<double>(window * c.in))
                                                   : 1.0 / std::sqrt(static_cast<double>(window * c.out));
    const Buffer<T> a = normal<T>(pass == Pass::dx ? c.y_count() : c.x_count(), 1),
                    b = normal<T>(pass == Pass::dw ? c.y_count() : c.weight_count(), 2,
                                  pass == Pass::dw ? 1.0 : deviation);
    Buffer<R> result(pass == Pass::forward ? c.y_count()
                     : pass == Pass::dx    ? c.x_count()
                                           : c.weight_count()),
        first(result.count());
    const Buffer<int64_t> places = reference::some_places(result.count(), 500);
    const Buffer<double> expected = reference::convolution(c, pass, a.get(), b.get(), places);
    for (const dnn::Plan& plan : plans) {
      attempt(row, [&] {
        const Workspace workspace(std::max<int64_t>(plan.workspace_bytes(), 16));
        const dnn::Pointers pointers = {{ids.a, a.get()}, {ids.b, b.get()}, {ids.result, result.get()}};
        const auto run = [&] { plan.run(handle, pointers, workspace.get()); };
        result.poison();
        run();
        const double error =
            relative_error(reference::gather(result.get(), places).get(), expected.get(), expected.count());
        check(cudaMemcpy(first.get(), result.get(), result.bytes(), cudaMemcpyDeviceToDevice));
        Buffer<int> differing(1);
        differing.zero();
        for (int turn = 0; turn < reruns; ++turn) {
          result.poison();
          run();
          count_if_different(first.get(), result.get(), result.bytes(), differing.get());
        }
        const double ms = time_ms(run, 5, 5);
        say("%-46s %8.4f ms %6.1f TFLOP/s, error %.2e, bits differ %d of %d, %s", row.c_str(), ms,
            c.operations() / ms * 1e-9, error, differing.host()[0], reruns, words(plan).c_str());
      });
    }
  });
}

/// y = relu(conv(x) + bias + before) in one graph, with NaN, ∞ and −∞ in the first pixels of x.
template <class T>
void fused(const std::string& name, const Convolution& c, const std::function<bool(const dnn::Engine&)>& admits) {
  const std::string row = name + " + bias + residual, ReLU" + (cudnn_type<T> == CUDNN_DATA_FLOAT ? " f32" : " bf16");
  attempt(row, [&] {
    dnn::Graph graph;
    const cudnnDataType_t type = cudnn_type<T>;
    const int64_t s = c.out_side();
    const dnn::Extents extents = {c.batch, c.out, s, s}, strides = {s * s * c.out, 1, s * c.out, c.out};
    const int64_t x = channels_last(graph, type, c.batch, c.side, c.in),
                  weight = channels_last(graph, type, c.out, c.window, c.in),
                  bias = graph.tensor(type, {1, c.out, 1, 1}, {c.out, 1, c.out, c.out}),
                  before = channels_last(graph, type, c.batch, s, c.out),
                  y = channels_last(graph, type, c.batch, s, c.out),
                  product = graph.between(CUDNN_DATA_FLOAT, extents, strides),
                  biased = graph.between(CUDNN_DATA_FLOAT, extents, strides),
                  sum = graph.between(CUDNN_DATA_FLOAT, extents, strides);
    graph.convolution(windows_of(c), x, weight, product);
    graph.pointwise(CUDNN_POINTWISE_ADD, product, bias, biased);
    graph.pointwise(CUDNN_POINTWISE_ADD, biased, before, sum);
    graph.relu(sum, y);
    std::vector<std::string> refusals;
    const std::vector<dnn::Plan> plans = graph.plans(target, 1, admits, &refusals);
    if (plans.empty()) {
      say("%-46s no plan: %s", row.c_str(), refusals.empty() ? "" : refusals.front().c_str());
      return;
    }
    if (handle == nullptr) {
      say("%-46s %s", row.c_str(), words(plans[0]).c_str());
      return;
    }
    const Buffer<T> in = normal<T>(c.x_count(), 1), weights = normal<T>(c.weight_count(), 2, 0.04),
                    biases = normal<T>(c.out, 3), added = normal<T>(c.y_count(), 4), out(c.y_count());
    const float infinity = std::numeric_limits<float>::infinity();
    const float special[] = {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity};
    const int64_t image = c.side * c.side * c.in;
    for (int64_t i = 0; i < 3; ++i) {
      const T value(special[i]);
      check(cudaMemcpy(in.get() + i * image, &value, sizeof value, cudaMemcpyHostToDevice));
    }
    const Workspace workspace(std::max<int64_t>(plans[0].workspace_bytes(), 16));
    const auto run = [&] {
      plans[0].run(
          handle, {{x, in.get()}, {weight, weights.get()}, {bias, biases.get()}, {before, added.get()}, {y, out.get()}},
          workspace.get());
    };
    const double ms = time_ms(run, 5, 5);
    const std::vector<T> host = out.host();
    std::string outcomes;
    for (int64_t i = 0; i < 3; ++i) {  // what became of them in the first pixel: all channels see the value
      int nans = 0, infinities = 0, zeros = 0;
      for (int64_t o = 0; o < c.out; ++o) {
        const auto value = static_cast<float>(host[static_cast<size_t>(i * s * s * c.out + o)]);
        nans += std::isnan(value);
        infinities += std::isinf(value);
        zeros += value == 0.0F;
      }
      char text[80];
      std::snprintf(text, sizeof text, "; %f gives %d NaN, %d inf, %d zero", static_cast<double>(special[i]), nans,
                    infinities, zeros);
      outcomes += text;
    }
    say("%-46s %8.4f ms %6.1f TFLOP/s, %s%s", row.c_str(), ms, c.operations() / ms * 1e-9, words(plans[0]).c_str(),
        outcomes.c_str());
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto program = [&] {
    if (argc > 2 && argv[1] == std::string("plans")) {
      target = described_in(argv[2]);
    } else {
      check(cudnnCreate(&handle));
      target.handle = handle;
      say_versions();
    }
    const int64_t n = 128;
    const std::vector<std::pair<std::string, Convolution>> shapes = {
        {"3x3 64 at 36", {n, 36, 64, 64, 3, 1, 1}},
        {"3x3 256 at 9", {n, 9, 256, 256, 3, 1, 1}},
        {"1x1 64 to 128 at 36, stride 2", {n, 36, 64, 128, 1, 2, 0}},
        {"7x7 3 to 64 at 144, stride 2", {n, 144, 3, 64, 7, 2, 3}},
        {"7x7 8 to 64 at 144, stride 2", {n, 144, 8, 64, 7, 2, 3}},
        {"3x3 64 to 128 at 36, stride 2", {n, 36, 64, 128, 3, 2, 1}},
        {"3x3 128 at 18", {n, 18, 128, 128, 3, 1, 1}},
        {"3x3 512 at 5", {n, 5, 512, 512, 3, 1, 1}},
    };
    for (const auto& [name, c] : {shapes[0], shapes[1]}) {
      fused<bf16>(name, c, any_engine);
      fused<float>(name, c, is_exact);
      fused<float>(name + " (any engine)", c, any_engine);
    }
    for (const auto& [name, c] : shapes) {
      for (const Pass pass : {Pass::forward, Pass::dx, Pass::dw}) {
        if (c.window == 7 && pass == Pass::dx) continue;  // nobody asks for the gradient of pixels
        measure<float, float>(name, c, pass, "first", 1, any_engine);
        measure<float, float>(name, c, pass, "exact", 4, is_exact);
        measure<bf16, bf16>(name, c, pass, "repeatable", 3, dnn::is_repeatable);
        if (pass == Pass::dw) measure<bf16, float>(name, c, pass, "to f32, repeatable", 3, dnn::is_repeatable);
      }
    }
  };
  return attempt("convolution", program) ? 0 : 1;
}
