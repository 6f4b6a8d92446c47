#include <fmt/format.h>

#include "backend/call.h"

namespace astroclip::test {

namespace {

struct Range {
  UnaryOp op;
  const char* name;
  double low, high;
};

/// Where each function is defined; gelu and exp reach into their tails.
constexpr Range unary_ranges[] = {{UnaryOp::negate, "negate", -2, 2},
                                  {UnaryOp::exp, "exp", -80, 80},
                                  {UnaryOp::log, "log", 0.01, 9},
                                  {UnaryOp::sqrt, "sqrt", 0.01, 9},
                                  {UnaryOp::square, "square", -2, 2},
                                  {UnaryOp::abs, "abs", -2, 2},
                                  {UnaryOp::reciprocal, "reciprocal", 0.1, 4},
                                  {UnaryOp::tanh, "tanh", -5, 5},
                                  {UnaryOp::sigmoid, "sigmoid", -30, 30},
                                  {UnaryOp::log_sigmoid, "log_sigmoid", -30, 30},
                                  {UnaryOp::relu, "relu", -2, 2},
                                  {UnaryOp::gelu, "gelu", -12, 12},
                                  {UnaryOp::nonzero, "nonzero", -2, 2}};

/// Around the width of every vector, and past one thread's share.
constexpr int64_t sizes[] = {1, 3, 17, 33, 131, 40007};

void add_unary(std::vector<Case>& cases) {
  for (const Range& r : unary_ranges) {
    for (const int64_t size : sizes) {
      cases.push_back({"unary", fmt::format("{} {}", r.name, size), Exactness::pointwise, [=](Call& call) {
                         call.backend.unary(r.op, call.random({size}, r.low, r.high), call.output("y", {size}));
                       }});
      cases.push_back({"unary_backward", fmt::format("{} {}", r.name, size), Exactness::pointwise, [=](Call& call) {
                         const ConstView x = call.random({size}, r.low, r.high);
                         const View y = call.output("y", {size}), dx = call.output("dx", {size});
                         call.backend.unary(r.op, x, y);
                         call.backend.unary_backward(r.op, x, y, call.random({size}), dx);
                       }});
    }
  }
  for (const int64_t size : sizes) {
    cases.push_back({"unary_backward", fmt::format("gelu, stored {}", size), Exactness::pointwise,
                     [=](Call& call) {
                       const ConstView x = call.random({size}, call.stored()), dy = call.random({size}, call.stored());
                       call.backend.unary_backward(UnaryOp::gelu, x, x, dy, call.output("dx", {size}, call.stored()));
                     },
                     true});
  }
  cases.push_back({"unary_backward", "into dy", Exactness::pointwise, [](Call& call) {
                     const View dy = call.in_place("dy", {37});
                     const ConstView x = call.random({37});
                     call.backend.unary_backward(UnaryOp::square, x, x, dy, dy);
                   }});
  cases.push_back({"unary", "nonzero of zeros", Exactness::copies, [](Call& call) {
                     const ConstView x = call.values({0.0, -0.0, 1e-30, -3.0, 0.0}, {5});
                     call.backend.unary(UnaryOp::nonzero, x, call.output("y", {5}));
                   }});
}

struct Broadcast {
  Shape a, b, y;
};

void add_binary(std::vector<Case>& cases) {
  const Broadcast shapes[] = {{{1}, {1}, {1}},
                              {{17}, {17}, {17}},
                              {{5, 33}, {33}, {5, 33}},
                              {{5, 33}, {5, 1}, {5, 33}},
                              {{}, {7, 3}, {7, 3}},
                              {{4, 1, 19}, {4, 6, 19}, {4, 6, 19}},
                              {{2, 3, 1, 5}, {1, 3, 4, 1}, {2, 3, 4, 5}},
                              {{6, 64}, {64}, {6, 64}},
                              {{6, 64}, {6, 1}, {6, 64}},
                              {{4, 1, 20}, {4, 6, 20}, {4, 6, 20}},
                              {{131, 301}, {301}, {131, 301}},
                              {{131, 301}, {131, 301}, {131, 301}}};
  const std::pair<BinaryOp, const char*> ops[] = {{BinaryOp::add, "add"},
                                                  {BinaryOp::subtract, "subtract"},
                                                  {BinaryOp::multiply, "multiply"},
                                                  {BinaryOp::divide, "divide"},
                                                  {BinaryOp::maximum, "maximum"}};
  for (const auto& [op, name] : ops) {
    for (const Broadcast& s : shapes) {
      const auto label = fmt::format("{} {} {}", name, s.a.str(), s.b.str());
      cases.push_back({"binary", label, Exactness::pointwise, [op = op, s](Call& call) {
                         const double low = op == BinaryOp::divide ? 0.5 : -2.0;
                         call.backend.binary(op, call.random(s.a), call.random(s.b, low), call.output("y", s.y));
                       }});
    }
  }
  cases.push_back({"binary", "into a", Exactness::pointwise, [](Call& call) {
                     const View a = call.in_place("a", {3, 19});
                     call.backend.binary(BinaryOp::add, a, call.random({19}), a);
                   }});
}

}  // namespace

std::vector<Case> elementwise_cases() {
  std::vector<Case> cases;
  add_unary(cases);
  add_binary(cases);
  for (const int64_t size : sizes) {
    const std::string label = fmt::format("{}", size);
    cases.push_back(
        {"fill", label, Exactness::copies, [=](Call& call) { call.backend.fill(call.output("y", {size}), 0.75); }});
    cases.push_back({"scale_add", label, Exactness::pointwise, [=](Call& call) {
                       const ConstView x = call.random({size});
                       call.backend.scale_add(0.3, x, 0.7, -0.25, call.in_place("y", {size}));
                       // with beta 0, what was there does not matter, not even NaN
                       call.backend.scale_add(-1.5, x, 0.0, 2.0, call.output("z", {size}));
                     }});
    cases.push_back({"dropout", label, Exactness::pointwise, [=](Call& call) {
                       call.backend.dropout(call.random({size}), 0.25, 0x123456789ABCDEF, call.output("y", {size}));
                     }});
    for (const DType type : {DType::f32, DType::f64, DType::bf16, DType::i32, DType::i64, DType::u8}) {
      cases.push_back(
          {"cast", fmt::format("{} to {} and back", size, name_of(type)), Exactness::copies, [=](Call& call) {
             const double low = type == DType::u8 ? 0.0 : -200.0;
             const View there = call.output("there", {size}, type);
             call.backend.cast(call.random({size}, low, 200.0), there);
             call.backend.cast(there, call.output("back", {size}));
           }});
    }
  }
  return cases;
}

}  // namespace astroclip::test
