#include <fmt/format.h>

#include <cmath>

#include "backend/call.h"

namespace astroclip::test {

namespace {

struct Geometry {
  int64_t batch, height, width, in, out;
  Windows windows;
};

const Geometry geometries[] = {
    {1, 1, 1, 1, 1, {{1, 1}, {1, 1}, {0, 0}}},     {2, 7, 5, 3, 4, {{3, 3}, {1, 1}, {1, 1}}},
    {3, 9, 11, 5, 17, {{7, 7}, {2, 2}, {3, 3}}},   {2, 8, 6, 16, 32, {{1, 1}, {2, 2}, {0, 0}}},
    {2, 1, 53, 1, 8, {{1, 5}, {1, 1}, {0, 2}}},    {2, 1, 40, 8, 16, {{1, 10}, {1, 1}, {0, 5}}},
    {1, 12, 13, 33, 19, {{2, 3}, {1, 3}, {0, 1}}}, {1, 19, 18, 8, 68, {{3, 3}, {2, 1}, {1, 1}}},
    {2, 10, 9, 16, 136, {{3, 3}, {1, 1}, {1, 1}}}};

Shape shape_of_x(const Geometry& g) { return {g.batch, g.height, g.width, g.in}; }
Shape shape_of_weight(const Geometry& g) { return {g.out, g.in, g.windows.size[0], g.windows.size[1]}; }
Shape shape_of_y(const Geometry& g, int64_t channels) {
  return {g.batch, g.windows.count(0, g.height), g.windows.count(1, g.width), channels};
}

std::string str(const Geometry& g) {
  return fmt::format("{} of {}x{}x{} to {}, windows {}x{}", g.batch, g.height, g.width, g.in, g.out, g.windows.size[0],
                     g.windows.size[1]);
}

void add_convolution(std::vector<Case>& cases, const Geometry& g) {
  for (const bool relu : {false, true}) {
    for (const bool more : {false, true}) {
      cases.push_back({"convolution", str(g) + (relu ? ", relu" : "") + (more ? ", bias, residual" : ""),
                       Exactness::sums,
                       [=](Call& call) {
                         ConvolutionArguments a;
                         a.x = call.random(shape_of_x(g));
                         a.weight = call.random(shape_of_weight(g));
                         if (more) a.bias = call.random({g.out}), a.residual = call.random(shape_of_y(g, g.out));
                         a.windows = g.windows;
                         a.relu = relu;
                         a.y = call.output("y", shape_of_y(g, g.out));
                         a.precision = call.precision;
                         call.backend.convolution(a);
                       },
                       true});
    }
    cases.push_back({"convolution", str(g) + (relu ? ", relu" : "") + ", bias, residual, stored", Exactness::sums,
                     [=](Call& call) {
                       ConvolutionArguments a;
                       a.x = call.random(shape_of_x(g), call.stored());
                       a.weight = call.random(shape_of_weight(g));
                       a.bias = call.random({g.out});
                       a.residual = call.random(shape_of_y(g, g.out), call.stored());
                       a.windows = g.windows;
                       a.relu = relu;
                       a.y = call.output("y", shape_of_y(g, g.out), call.stored());
                       a.precision = call.precision;
                       call.backend.convolution(a);
                     },
                     true});
  }
  for (const bool bias : {false, true}) {
    cases.push_back({"convolution_backward_weight", str(g) + (bias ? ", bias" : ""), Exactness::sums,
                     [=](Call& call) {
                       const ConstView dy = call.random(shape_of_y(g, g.out)), x = call.random(shape_of_x(g));
                       const View dweight = call.output("dweight", shape_of_weight(g));
                       const View dbias = bias ? call.output("dbias", {g.out}) : View();
                       call.backend.convolution_backward_weight({dy, x, g.windows, dweight, dbias, call.precision});
                     },
                     true});
  }
  cases.push_back({"convolution_backward_input", str(g), Exactness::sums,
                   [=](Call& call) {
                     const ConstView dy = call.random(shape_of_y(g, g.out)), weight = call.random(shape_of_weight(g));
                     call.backend.convolution_backward_input(
                         {dy, weight, g.windows, call.output("dx", shape_of_x(g)), call.precision});
                   },
                   true});
}

/// Whole numbers, so that windows hold equals.
ConstView with_equals(Call& call, const Shape& shape, DType type) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i * i % 7) - 3.0;
  return call.values(values, shape, type);
}

void add_pool(std::vector<Case>& cases, const Geometry& g) {
  cases.push_back({"max_pool", str(g), Exactness::copies, [=](Call& call) {
                     const Shape y = shape_of_y(g, g.in);
                     call.backend.max_pool(with_equals(call, shape_of_x(g), call.dtype()), g.windows,
                                           call.output("y", y), call.output("index", y, DType::i64));
                   }});
  for (const bool stored : {false, true}) {
    cases.push_back({"max_pool", str(g) + (stored ? ", stored" : ", without index"), Exactness::copies,
                     [=](Call& call) {
                       const DType type = stored ? call.stored() : call.dtype();
                       call.backend.max_pool(with_equals(call, shape_of_x(g), type), g.windows,
                                             call.output("y", shape_of_y(g, g.in), type), {});
                     },
                     stored});
  }
  cases.push_back({"max_pool_backward", str(g), Exactness::sums, [=](Call& call) {
                     const Shape y = shape_of_y(g, g.in);
                     const View index = call.output("index", y, DType::i64);
                     call.backend.max_pool(with_equals(call, shape_of_x(g), call.dtype()), g.windows,
                                           call.output("y", y), index);
                     call.backend.max_pool_backward(call.random(y), index, call.output("dx", shape_of_x(g)));
                   }});
}

void batch_norm_case(Call& call, const Shape& shape, bool weighted, bool backward) {
  const Shape columns{shape[0], shape[2]}, channels{shape[2]};
  BatchNormArguments a;
  a.x = call.random(shape, 1.0, 5.0);  // off centre, where a variance from the mean of squares would cancel
  if (weighted) a.weight = call.random(channels), a.bias = call.random(channels);
  a.epsilon = 1e-2;
  a.y = call.output("y", shape);
  a.mean = call.output("mean", columns);
  a.variance = call.output("variance", columns);
  call.backend.batch_norm(a);
  if (!backward) return;
  BatchNormBackwardArguments b{call.random(shape),       a.x, a.weight, a.mean, a.variance, a.epsilon,
                               call.output("dx", shape), {},  {}};
  if (weighted) b.dweight = call.output("dweight", channels), b.dbias = call.output("dbias", channels);
  call.backend.batch_norm_backward(b);
}

}  // namespace

std::vector<Case> window_cases() {
  std::vector<Case> cases;
  cases.push_back({"convolution", "relu keeps NaN", Exactness::sums, [](Call& call) {
                     ConvolutionArguments a;
                     a.x = call.values({1.0, std::nan(""), -2.0}, {1, 1, 3, 1});
                     a.weight = call.values({1.0}, {1, 1, 1, 1});
                     a.relu = true;
                     a.y = call.output("y", {1, 1, 3, 1});
                     call.backend.convolution(a);
                   }});
  for (const Geometry& g : geometries) {
    add_convolution(cases, g);
    add_pool(cases, g);
  }
  for (const Shape& shape :
       {Shape{1, 5, 1}, Shape{1, 7, 17}, Shape{1, 200, 33}, Shape{3, 65, 8}, Shape{2, 131, 64}, Shape{1, 5000, 4}}) {
    for (const bool weighted : {false, true}) {
      for (const bool backward : {false, true}) {
        cases.push_back({backward ? "batch_norm_backward" : "batch_norm",
                         fmt::format("{}{}", shape.str(), weighted ? ", weight" : ""), Exactness::sums,
                         [=](Call& call) { batch_norm_case(call, shape, weighted, backward); }});
      }
    }
  }
  return cases;
}

}  // namespace astroclip::test
