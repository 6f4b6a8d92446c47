// Without elements there is nothing to do but to write what a sum over nothing is.
#include "backend/call.h"

namespace astroclip::test {

namespace {

void add_products(std::vector<Case>& cases) {
  const auto add = [&](const char* kernel, const char* label, std::function<void(Call&)> body) {
    cases.push_back({kernel, label, Exactness::copies, std::move(body), true});
  };
  for (const auto& [terms, label] : {std::pair{Shape{2, 0, 5}, "no rows"}, {Shape{2, 5, 0}, "no columns"}}) {
    cases.push_back({"matmul", label, Exactness::copies, [terms = terms](Call& call) {
                       call.backend.matmul(call.random(terms), false, call.random({2, terms[2], 7}), false, 1.0,
                                           call.output("c", {2, terms[1], 7}));
                     }});
  }
  add("linear", "no terms", [](Call& call) {
    LinearArguments a;
    a.x = call.random({3, 0});
    a.weight = call.random({8, 0});
    a.bias = call.random({8});
    a.y = call.output("y", {3, 8});
    a.precision = call.precision;
    call.backend.linear(a);
  });
  add("linear", "no rows", [](Call& call) {
    LinearArguments a;
    a.x = call.random({0, 4});
    a.weight = call.random({8, 4});
    a.y = call.output("y", {0, 8});
    a.precision = call.precision;
    call.backend.linear(a);
  });
  add("linear_backward_input", "no terms", [](Call& call) {
    LinearBackwardInputArguments a;
    a.dy = call.random({3, 0});
    a.weight = call.random({0, 8});
    a.dx = call.output("dx", {3, 8});
    a.precision = call.precision;
    call.backend.linear_backward_input(a);
  });
  add("linear_backward_weight", "no rows", [](Call& call) {
    LinearBackwardWeightArguments a;
    a.dy = call.random({0, 8});
    a.x = call.random({0, 4});
    a.dweight = call.output("dweight", {8, 4});
    a.dbias = call.output("dbias", {8});
    a.precision = call.precision;
    call.backend.linear_backward_weight(a);
  });
  add("linear_backward_weight", "no terms", [](Call& call) {
    LinearBackwardWeightArguments a;
    a.dy = call.random({3, 8}, 1.0, 1.5);
    a.x = call.random({3, 0});
    a.dweight = call.output("dweight", {8, 0});
    a.precision = call.precision;
    call.backend.linear_backward_weight(a);
  });
}

void add_convolutions(std::vector<Case>& cases) {
  const auto add = [&](const char* kernel, const char* label, std::function<void(Call&)> body) {
    cases.push_back({kernel, label, Exactness::copies, std::move(body), true});
  };
  const Windows windows{{3, 3}, {1, 1}, {1, 1}};
  add("convolution", "no samples", [=](Call& call) {
    ConvolutionArguments a;
    a.x = call.random({0, 4, 4, 8});
    a.weight = call.random({16, 8, 3, 3});
    a.windows = windows;
    a.y = call.output("y", {0, 4, 4, 16});
    a.precision = call.precision;
    call.backend.convolution(a);
  });
  add("convolution", "no channels", [=](Call& call) {
    ConvolutionArguments a;
    a.x = call.random({2, 4, 4, 0});
    a.weight = call.random({16, 0, 3, 3});
    a.bias = call.random({16});
    a.windows = windows;
    a.y = call.output("y", {2, 4, 4, 16});
    a.precision = call.precision;
    call.backend.convolution(a);
  });
  add("convolution_backward_input", "no channels", [=](Call& call) {
    call.backend.convolution_backward_input({call.random({2, 4, 4, 0}), call.random({0, 8, 3, 3}), windows,
                                             call.output("dx", {2, 4, 4, 8}), call.precision});
  });
  add("convolution_backward_input", "no channels of x", [=](Call& call) {
    call.backend.convolution_backward_input({call.random({2, 4, 4, 8}), call.random({8, 0, 3, 3}), windows,
                                             call.output("dx", {2, 4, 4, 0}), call.precision});
  });
  add("convolution_backward_weight", "no channels of x", [=](Call& call) {
    call.backend.convolution_backward_weight({call.random({2, 4, 4, 8}), call.random({2, 4, 4, 0}), windows,
                                              call.output("dweight", {8, 0, 3, 3}), View(), call.precision});
  });
  for (const bool bias : {false, true}) {
    add("convolution_backward_weight", bias ? "no samples, bias" : "no samples", [=](Call& call) {
      call.backend.convolution_backward_weight({call.random({0, 4, 4, 16}), call.random({0, 4, 4, 8}), windows,
                                                call.output("dweight", {16, 8, 3, 3}),
                                                bias ? call.output("dbias", {16}) : View(), call.precision});
    });
  }
}

void add_norms(std::vector<Case>& cases) {
  cases.push_back({"layer_norm", "no rows", Exactness::copies, [](Call& call) {
                     call.backend.layer_norm({call.random({0, 5}), call.random({5}), call.random({5}), 1e-3,
                                              call.output("y", {0, 5}), call.output("mean", {0}),
                                              call.output("inverse deviation", {0})});
                   }});
  cases.push_back({"layer_norm_backward", "no rows", Exactness::copies, [](Call& call) {
                     call.backend.layer_norm_backward({.dy = call.random({0, 5}),
                                                       .x = call.random({0, 5}),
                                                       .weight = call.random({5}),
                                                       .mean = call.random({0}),
                                                       .inverse_deviation = call.random({0}),
                                                       .dx = call.output("dx", {0, 5}),
                                                       .dweight = call.output("dweight", {5}),
                                                       .dbias = call.output("dbias", {5})});
                   }});
  for (const Shape& shape : {Shape{1, 0, 5}, Shape{0, 3, 5}}) {
    for (const bool weighted : {false, true}) {
      const std::string label = shape.str() + (weighted ? ", weight" : "");
      cases.push_back({"batch_norm", label, Exactness::copies, [=](Call& call) {
                         BatchNormArguments a;
                         a.x = call.random(shape);
                         if (weighted) a.weight = call.random({5}), a.bias = call.random({5});
                         a.y = call.output("y", shape);
                         a.mean = call.output("mean", {shape[0], 5});
                         a.variance = call.output("variance", {shape[0], 5});
                         call.backend.batch_norm(a);
                       }});
      cases.push_back({"batch_norm_backward", label, Exactness::copies, [=](Call& call) {
                         BatchNormBackwardArguments a;
                         a.dy = call.random(shape);
                         a.x = call.random(shape);
                         a.mean = call.random({shape[0], 5});
                         a.variance = call.random({shape[0], 5}, 0.5, 1.0);
                         a.dx = call.output("dx", shape);
                         if (weighted) {
                           a.weight = call.random({5});
                           a.dweight = call.output("dweight", {5});
                           a.dbias = call.output("dbias", {5});
                         }
                         call.backend.batch_norm_backward(a);
                       }});
    }
  }
}

void attention_backward_case(Call& call, int64_t queries, int64_t keys) {
  constexpr int64_t dim = 16;
  const auto input = [&](int64_t tokens) {
    return HeadsView{call.random({2, tokens, dim}, call.stored()).data, tokens, tokens * dim, dim};
  };
  const auto output = [&](const char* name, int64_t tokens) {
    return MutableHeadsView{call.output(name, {2, tokens, dim}, call.stored()).data, tokens, tokens * dim, dim};
  };
  AttentionBackwardArguments a;
  a.dtype = call.stored();
  a.batch = 2;
  a.heads = 2;
  a.width = 8;
  a.q = a.y = a.dy = input(queries);
  a.k = a.v = input(keys);
  a.log_sum_exp = call.random({2, 2, queries});
  a.dq = output("dq", queries);
  a.dk = output("dk", keys);
  a.dv = output("dv", keys);
  a.precision = call.precision;
  call.backend.attention_backward(a);
}

void add_attention(std::vector<Case>& cases) {
  cases.push_back({"attention_backward", "no queries", Exactness::copies,
                   [](Call& call) { attention_backward_case(call, 0, 5); }, true});
  cases.push_back({"attention_backward", "no keys", Exactness::copies,
                   [](Call& call) { attention_backward_case(call, 3, 0); }, true});
}

void add_rows_and_layout(std::vector<Case>& cases) {
  const auto add = [&](const char* kernel, const char* label, std::function<void(Call&)> body) {
    cases.push_back({kernel, label, Exactness::copies, std::move(body)});
  };
  for (const auto& [op, name] : {std::pair{ReduceOp::sum, "sum"}, std::pair{ReduceOp::maximum, "maximum"}}) {
    add("reduce", name, [op = op](Call& call) {
      call.backend.reduce(op, call.random({0, 5}), call.output("rows", {1, 5}));
      call.backend.reduce(op, call.random({5, 0}), call.output("columns", {5, 1}));
      call.backend.reduce(op, call.random({3, 0, 4}), call.output("middle", {3, 1, 4}));
    });
  }
  add("add_rows", "no branches", [](Call& call) {
    call.backend.add_rows({call.random({3, 4}), call.random({0, 4}), call.indices({}), call.random({4}), 1.0,
                           call.output("sum", {3, 4})});
  });
  add("add_rows_backward", "no branches", [](Call& call) {
    call.backend.add_rows_backward({call.random({3, 4}), call.random({0, 4}), call.indices({}), call.random({4}), 1.0,
                                    call.output("dy", {0, 4}), call.output("dscale", {4})});
  });
  add("scatter_add_rows", "no rows", [](Call& call) {
    call.backend.scatter_add_rows(call.random({0, 4}), call.indices({}), call.in_place("dx", {3, 4}));
  });
  add("gather_rows", "no rows", [](Call& call) {
    call.backend.gather_rows(call.random({3, 4}), call.indices({}), call.output("y", {0, 4}));
  });
  add("log_sum_exp", "no columns", [](Call& call) {
    call.backend.log_sum_exp(call.random({3, 0}), call.output("y", {3}));
  });
  add("softmax", "no columns", [](Call& call) {
    call.backend.softmax(call.random({3, 0}), {}, 1.0, call.output("y", {3, 0}));
  });
  add("soft_cross_entropy", "no targets", [](Call& call) {
    const ConstView none = call.indices({});
    call.backend.soft_cross_entropy({.logits = call.random({3, 1}),
                                     .targets = call.random({2, 1}),
                                     .against = {none.data, {3, 0}, none.dtype},
                                     .loss = call.output("loss", {3}),
                                     .log_sum_exp = call.output("log sum exp", {3}),
                                     .mass = call.output("mass", {3})});
  });
  add("normalize_rows", "no columns", [](Call& call) {
    call.backend.normalize_rows(call.random({3, 0}), 1e-3, call.output("y", {3, 0}), call.output("norm", {3}));
  });
  add("weight_norm", "no columns", [](Call& call) {
    call.backend.weight_norm(call.random({3, 0}), call.random({3, 1}), 1e-3, call.output("y", {3, 0}),
                             call.output("norm", {3}));
  });
  add("weight_norm_backward", "no columns", [](Call& call) {
    call.backend.weight_norm_backward({.dy = call.random({3, 0}),
                                       .x = call.random({3, 0}),
                                       .length = call.random({3, 1}),
                                       .norm = call.values({0.0, 0.0, 0.0}, {3}),
                                       .epsilon = 1e-3,
                                       .dx = call.output("dx", {3, 0}),
                                       .dlength = call.output("dlength", {3, 1})});
  });
  add("gradient_clip", "no gradients",
      [](Call& call) { call.backend.gradient_clip({}, 1.0, call.output("state", {3}, DType::f64)); });
  add("gradient_clip", "empty gradients", [](Call& call) {
    const ConstView empty = call.random({0});
    call.backend.gradient_clip({&empty, 1}, 1.0, call.output("state", {3}, DType::f64));
  });
}

}  // namespace

std::vector<Case> empty_cases() {
  std::vector<Case> cases;
  add_products(cases);
  add_convolutions(cases);
  add_norms(cases);
  add_attention(cases);
  add_rows_and_layout(cases);
  return cases;
}

}  // namespace astroclip::test
