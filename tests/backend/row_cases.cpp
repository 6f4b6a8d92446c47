#include <fmt/format.h>

#include "backend/call.h"

namespace astroclip::test {

namespace {

/// x is off centre, where a variance from the mean of squares would cancel.
void layer_norm_case(Call& call, int64_t rows, int64_t width, DType type) {
  call.backend.layer_norm({.x = call.random({rows, width}, 3.0, 5.0),
                           .weight = call.random({width}),
                           .bias = call.random({width}),
                           .epsilon = 1e-3,
                           .y = call.output("y", {rows, width}, type),
                           .mean = call.output("mean", {rows}),
                           .inverse_deviation = call.output("inverse deviation", {rows})});
}

/// With a gathered gradient, dx is written over it.
void layer_norm_backward_case(Call& call, int64_t rows, int64_t width, DType type, bool gathers) {
  const ConstView x = call.random({rows, width}), weight = call.random({width});
  const View y = call.output("y", {rows, width}), mean = call.output("mean", {rows});
  const View inverse = call.output("inverse deviation", {rows});
  call.backend.layer_norm({x, weight, call.random({width}), 1e-2, y, mean, inverse});
  const View dx = gathers ? call.in_place("dx", {rows, width}) : call.output("dx", {rows, width});
  call.backend.layer_norm_backward({.dy = call.random({rows, width}, type),
                                    .x = x,
                                    .weight = weight,
                                    .mean = mean,
                                    .inverse_deviation = inverse,
                                    .dx = dx,
                                    .dweight = call.output("dweight", {width}),
                                    .dbias = call.output("dbias", {width}),
                                    .gathered = gathers ? ConstView(dx) : ConstView(),
                                    .rounded = gathers ? call.output("rounded", {rows, width}, type) : View()});
}

std::vector<int64_t> targets(int64_t rows, int64_t width) {
  std::vector<int64_t> all;
  for (int64_t row = 0; row < rows; ++row) all.push_back(row * 7 % width);
  return all;
}

void cross_entropy_backward_case(Call& call, int64_t rows, int64_t width) {
  const ConstView logits = call.random({rows, width}, -8.0, 8.0), target = call.indices(targets(rows, width));
  const View loss = call.output("loss", {rows}), lse = call.output("log sum exp", {rows});
  call.backend.cross_entropy(logits, target, loss, lse);
  call.backend.cross_entropy_backward(logits, target, lse, call.random({rows}), call.output("dlogits", {rows, width}));
}

/// Each row meets two of three rows of targets, every third row one.
SoftCrossEntropyArguments soft_cross_entropy_arguments(Call& call, int64_t rows, int64_t width) {
  std::vector<int64_t> against;
  for (int64_t row = 0; row < rows; ++row) against.insert(against.end(), {row % 3, row % 3 == 1 ? -1 : (row + 1) % 3});
  const ConstView pairs = call.indices(against);
  return {.logits = call.random({rows, width}, -8.0, 8.0),
          .targets = call.random({3, width}, 0.0, 1.0),
          .against = ConstView(pairs.data, {rows, 2}, pairs.dtype),
          .temperature = 0.5,
          .loss = call.output("loss", {rows}),
          .log_sum_exp = call.output("log sum exp", {rows}),
          .mass = call.output("mass", {rows})};
}

void soft_cross_entropy_backward_case(Call& call, int64_t rows, int64_t width) {
  const SoftCrossEntropyArguments forward = soft_cross_entropy_arguments(call, rows, width);
  call.backend.soft_cross_entropy(forward);
  call.backend.soft_cross_entropy_backward({.dloss = call.random({rows}),
                                            .logits = forward.logits,
                                            .targets = forward.targets,
                                            .against = forward.against,
                                            .temperature = forward.temperature,
                                            .log_sum_exp = forward.log_sum_exp,
                                            .mass = forward.mass,
                                            .dlogits = call.output("dlogits", {rows, width})});
}

/// The middle row is zero, under every epsilon.
ConstView rows_with_a_zero(Call& call, int64_t rows, int64_t width) {
  const View x = call.in_place("x", {rows, width});
  call.backend.fill(View(static_cast<std::byte*>(x.data) + rows / 2 * width * size_of(x.dtype), {width}, x.dtype), 0.0);
  return x;
}

void normalize_backward_case(Call& call, int64_t rows, int64_t width) {
  const ConstView x = rows_with_a_zero(call, rows, width);
  const View y = call.output("y", {rows, width}), norm = call.output("norm", {rows});
  call.backend.normalize_rows(x, 1e-3, y, norm);
  call.backend.normalize_rows_backward(call.random({rows, width}), y, norm, 1e-3, call.output("dx", {rows, width}));
}

void add_rows(std::vector<Case>& cases, int64_t rows, int64_t width) {
  const auto add = [&](const char* kernel, std::function<void(Call&)> body) {
    cases.push_back({kernel, fmt::format("{}x{}", rows, width), Exactness::sums, std::move(body)});
  };
  if (width > 1) {  // one value has no deviation
    add("layer_norm", [=](Call& call) { layer_norm_case(call, rows, width, call.dtype()); });
    for (const bool gathers : {false, true})
      add("layer_norm_backward",
          [=](Call& call) { layer_norm_backward_case(call, rows, width, call.dtype(), gathers); });
    const auto label = fmt::format("{}x{}, stored", rows, width);
    cases.push_back({"layer_norm", label, Exactness::sums,
                     [=](Call& call) { layer_norm_case(call, rows, width, call.stored()); }, true});
    for (const bool gathers : {false, true})
      cases.push_back({"layer_norm_backward", label, Exactness::sums,
                       [=](Call& call) { layer_norm_backward_case(call, rows, width, call.stored(), gathers); }, true});
  }
  add("softmax", [=](Call& call) {
    call.backend.softmax(call.random({rows, width}, -20.0, 20.0), {}, 1.0, call.output("y", {rows, width}));
    const View y = call.in_place("centred, in place", {rows, width});
    call.backend.softmax(y, call.random({width}), 10.0, y);
  });
  add("softmax_backward", [=](Call& call) {
    const View y = call.output("y", {rows, width});
    call.backend.softmax(call.random({rows, width}), {}, 1.0, y);
    call.backend.softmax_backward(call.random({rows, width}), y, call.output("dx", {rows, width}));
  });
  add("log_sum_exp", [=](Call& call) {
    call.backend.log_sum_exp(call.random({rows, width}, -20.0, 20.0), call.output("y", {rows}));
  });
  add("cross_entropy", [=](Call& call) {
    call.backend.cross_entropy(call.random({rows, width}, -8.0, 8.0), call.indices(targets(rows, width)),
                               call.output("loss", {rows}), call.output("log sum exp", {rows}));
  });
  add("cross_entropy_backward", [=](Call& call) { cross_entropy_backward_case(call, rows, width); });
  add("soft_cross_entropy",
      [=](Call& call) { call.backend.soft_cross_entropy(soft_cross_entropy_arguments(call, rows, width)); });
  if (width > 1) {  // of one class nothing but rounding is left
    add("soft_cross_entropy_backward", [=](Call& call) { soft_cross_entropy_backward_case(call, rows, width); });
  }
  add("weight_norm", [=](Call& call) {
    const ConstView x = rows_with_a_zero(call, rows, width);
    call.backend.weight_norm(x, call.random({rows, 1}), 1e-3, call.output("y", {rows, width}),
                             call.output("norm", {rows}));
  });
  add("weight_norm_backward", [=](Call& call) {
    const ConstView x = rows_with_a_zero(call, rows, width), length = call.random({rows, 1});
    const View y = call.output("y", {rows, width}), norm = call.output("norm", {rows});
    call.backend.weight_norm(x, length, 1e-3, y, norm);
    call.backend.weight_norm_backward({.dy = call.random({rows, width}),
                                       .x = x,
                                       .length = length,
                                       .norm = norm,
                                       .epsilon = 1e-3,
                                       .dx = call.output("dx", {rows, width}),
                                       .dlength = call.output("dlength", {rows, 1})});
  });
  add("normalize_rows", [=](Call& call) {
    const ConstView x = rows_with_a_zero(call, rows, width);
    call.backend.normalize_rows(x, 1e-3, call.output("y", {rows, width}), call.output("norm", {rows}));
  });
  add("normalize_rows_backward", [=](Call& call) { normalize_backward_case(call, rows, width); });
}

}  // namespace

std::vector<Case> row_cases() {
  std::vector<Case> cases;
  for (const int64_t width : {1, 3, 17, 33, 131, 778}) {
    for (const int64_t rows : {1, 3, 130}) add_rows(cases, rows, width);
  }
  // Widths at which kernels change: whole vectors, one warp's registers, one block's.
  for (const auto& [rows, width] : {std::pair{9, 64}, {37, 768}, {50, 1024}, {5, 1536}, {3, 4100}, {2, 20480}}) {
    add_rows(cases, rows, width);
  }
  return cases;
}

}  // namespace astroclip::test
