#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "backend/call.h"

namespace astroclip::test {

namespace {

struct ProductExtents {
  int64_t rows, in, out;
};

constexpr ProductExtents product_extents[] = {{1, 1, 1},    {1, 33, 17},   {3, 22, 48},     {17, 3, 131},
                                              {33, 131, 1}, {131, 48, 33}, {157, 200, 311}, {40, 1030, 96}};

std::string str(const ProductExtents& e) { return fmt::format("{}x{}x{}", e.rows, e.in, e.out); }

void add_matmul(std::vector<Case>& cases, const ProductExtents& e, int64_t batch) {
  for (int form = 0; form < 4; ++form) {
    const bool ta = form % 2 == 1, tb = form >= 2;
    cases.push_back({"matmul", fmt::format("{} of {} {}{}", batch, str(e), ta ? "t" : "n", tb ? "t" : "n"),
                     Exactness::sums, [=](Call& call) {
                       const Shape a = ta ? Shape{batch, e.in, e.rows} : Shape{batch, e.rows, e.in};
                       const Shape b = tb ? Shape{batch, e.out, e.in} : Shape{batch, e.in, e.out};
                       call.backend.matmul(call.random(a), ta, call.random(b), tb, form == 0 ? 1.0 : 0.37,
                                           call.output("c", {batch, e.rows, e.out}));
                     }});
  }
}

void add_matmuls(std::vector<Case>& cases) {
  for (const ProductExtents& e : product_extents) {
    for (const int64_t batch : {1, 3}) add_matmul(cases, e, batch);
  }
  // Few rows or columns and a large operand: enough for kernels that go through it once.
  for (const auto& [few, batch] : {std::pair{1, 1}, {6, 1}, {6, 3}, {16, 1}}) {
    for (const auto& [in, many] : {std::pair{132, 513}, {513, 132}, {1036, 77}}) {
      add_matmul(cases, {few, in, many}, batch);
      add_matmul(cases, {many, in, few}, batch);
    }
  }
}

struct Form {
  const char* name;
  bool bias;
  Activation activation;
  bool residual, pre_activation;
  bool scale = false, stored = false;  ///< stored: x, y and the pre-activation
};

constexpr Form forms[] = {{"plain", false, Activation::none, false, false},
                          {"bias", true, Activation::none, false, false},
                          {"bias gelu", true, Activation::gelu, false, false},
                          {"bias relu residual", true, Activation::relu, true, false},
                          {"bias residual", true, Activation::none, true, false},
                          {"gelu residual", false, Activation::gelu, true, false},
                          {"bias gelu residual, kept", true, Activation::gelu, true, true},
                          {"bias scale", true, Activation::none, false, false, true},
                          {"bias scale residual", true, Activation::none, true, false, true},
                          {"stored", true, Activation::none, false, false, false, true},
                          {"stored gelu", true, Activation::gelu, false, false, false, true},
                          {"stored gelu, kept", true, Activation::gelu, false, true, false, true}};

void run_linear(Call& call, const ProductExtents& e, const Form& form, bool pack) {
  LinearArguments a;
  a.precision = call.precision;
  const DType type = form.stored ? call.stored() : call.dtype();
  a.x = call.random({e.rows, e.in}, type);
  a.weight = call.random({e.out, e.in});
  if (form.bias) a.bias = call.random({e.out});
  a.activation = form.activation;
  a.y = call.output("y", {e.rows, e.out}, type);
  if (form.residual) a.residual = call.random({e.rows, e.out});
  if (form.scale) a.scale = call.random({e.out});
  if (form.pre_activation) a.pre_activation = call.output("pre-activation", {e.rows, e.out}, type);
  // Packed for another number of rows than it is used with: layouts must not depend on it.
  const auto packed = pack ? call.backend.prepare(a.weight, WeightUse::forward, call.precision, 64) : nullptr;
  a.packed = packed.get();
  call.backend.linear(a);
}

void run_backward(Call& call, const ProductExtents& e, bool pack, DType type) {
  LinearBackwardInputArguments a;
  a.precision = call.precision;
  a.dy = call.random({e.rows, e.out}, type);
  a.weight = call.random({e.out, e.in});
  a.dx = call.output("dx", {e.rows, e.in}, type);
  const auto packed = pack ? call.backend.prepare(a.weight, WeightUse::backward_input, call.precision, 64) : nullptr;
  a.packed = packed.get();
  call.backend.linear_backward_input(a);
  a.dy = call.random({e.rows, e.out});
  const View stored = call.output("dy", {e.rows, e.out}, call.stored());
  call.backend.cast(a.dy, stored);
  a.stored_dy = stored;
  a.scale = call.random({e.out});
  a.dx = call.output("dx by a scale", {e.rows, e.in}, type);
  call.backend.linear_backward_input(a);
}

}  // namespace

std::vector<Case> product_cases() {
  std::vector<Case> cases;
  add_matmuls(cases);
  for (const ProductExtents& e : product_extents) {
    for (const bool pack : {false, true}) {
      const std::string how = pack ? ", packed" : "";
      for (const Form& form : forms) {
        cases.push_back({pack ? "prepare" : "linear", fmt::format("{} {}{}", str(e), form.name, how), Exactness::sums,
                         [=](Call& call) { run_linear(call, e, form, pack); }, true});
      }
      cases.push_back({"linear_backward_input", str(e) + how, Exactness::sums,
                       [=](Call& call) { run_backward(call, e, pack, call.dtype()); }, true});
      cases.push_back({"linear_backward_input", str(e) + how + ", stored", Exactness::sums,
                       [=](Call& call) { run_backward(call, e, pack, call.stored()); }, true});
    }
    for (const bool stored : {false, true}) {
      cases.push_back({"linear_backward_weight", str(e) + (stored ? ", stored" : ""), Exactness::sums,
                       [=](Call& call) {
                         const DType type = stored ? call.stored() : call.dtype();
                         LinearBackwardWeightArguments a;
                         a.precision = call.precision;
                         a.dy = call.random({e.rows, e.out}, type);
                         a.x = call.random({e.rows, e.in}, type);
                         a.dweight = call.output("dweight", {e.out, e.in});
                         if (e.rows != 3) a.dbias = call.output("dbias", {e.out});
                         call.backend.linear_backward_weight(a);
                       },
                       true});
    }
  }
  // Enough for a kernel that computes large tiles.
  const ProductExtents large = {3100, 136, 1032};
  const auto stored_gelu = std::ranges::find(forms, std::string_view("stored gelu"), &Form::name);
  cases.push_back({"linear", fmt::format("{} {}", str(large), stored_gelu->name), Exactness::sums,
                   [=](Call& call) { run_linear(call, large, *stored_gelu, false); }, true});
  return cases;
}

}  // namespace astroclip::test
