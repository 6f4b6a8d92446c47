// One row for each op: its gradient against central differences, and a printed table of what is covered.
#include <gmock/gmock.h>

#include <cstdio>
#include <map>
#include <set>

#include "autograd/tape.h"
#include "models/model_support.h"
#include "ops/ops.h"
#include "support/declarations.h"
#include "testing/gradient_check.h"

namespace astroclip {
namespace {

using testing_support::gradient_errors;
using testing_support::random_tensor;
using testing_support::reference_device;
using testing_support::relative_error;
using Inputs = const std::vector<Tensor>&;

struct Case {
  std::string op;  ///< as its node is named on the tape
  std::string detail;
  std::vector<Shape> shapes;
  std::function<Tensor(Inputs)> function;
  double low = -1.0, high = 1.0;
};

/// The same numbers in the dtype of a device's backend.
Tensor on(Device device, const Tensor& x) {
  return Tensor::from_host(x.to_doubles(), x.shape(), backend_of(device).compute_dtype(), device);
}

/// Row numbers on the device of `x`.
Tensor index(const Tensor& x, std::vector<int64_t> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Tensor::from_host(values, {count}, x.device());
}

/// Two "processes" in one: the gathered rows are this process's rows and twice them.
class PairOfProcesses final : public Communicator {
 public:
  int64_t rank() const override { return 1; }
  int64_t size() const override { return 2; }
  Tensor all_gather(const Tensor& rows) override { return ops::concat({ops::affine(rows, 0.0, 1.0), rows}, 0); }
  void all_reduce(Tensor&) override {}
};

std::vector<Case> cases() {
  using namespace ops;
  const Shape matrix{3, 5};
  std::vector<Case> all = {
      {"add", "same", {matrix, matrix}, [](Inputs x) { return add(x[0], x[1]); }},
      {"add", "broadcast both", {{3, 1, 5}, {4, 1}}, [](Inputs x) { return add(x[0], x[1]); }},
      {"subtract", "broadcast", {matrix, {5}}, [](Inputs x) { return subtract(x[0], x[1]); }},
      {"multiply", "rows", {matrix, {3, 1}}, [](Inputs x) { return multiply(x[0], x[1]); }},
      {"divide", "scalar", {matrix, {}}, [](Inputs x) { return divide(x[0], x[1]); }, 0.5, 2.0},
      {"maximum", "", {matrix, matrix}, [](Inputs x) { return maximum(x[0], x[1]); }},
      {"affine", "", {matrix}, [](Inputs x) { return affine(x[0], -2.5, 0.3); }},
      {"negate", "", {matrix}, [](Inputs x) { return negate(x[0]); }},
      {"exp", "", {matrix}, [](Inputs x) { return exp(x[0]); }},
      {"log", "", {matrix}, [](Inputs x) { return log(x[0]); }, 0.3, 3.0},
      {"sqrt", "", {matrix}, [](Inputs x) { return sqrt(x[0]); }, 0.3, 3.0},
      {"square", "", {matrix}, [](Inputs x) { return square(x[0]); }},
      {"abs", "", {matrix}, [](Inputs x) { return abs(x[0]); }},
      {"reciprocal", "", {matrix}, [](Inputs x) { return reciprocal(x[0]); }, 0.5, 2.0},
      {"tanh", "", {matrix}, [](Inputs x) { return tanh(x[0]); }},
      {"sigmoid", "", {matrix}, [](Inputs x) { return sigmoid(x[0]); }, -4.0, 4.0},
      {"log_sigmoid", "", {matrix}, [](Inputs x) { return log_sigmoid(x[0]); }, -4.0, 4.0},
      {"relu", "", {matrix}, [](Inputs x) { return relu(x[0]); }},
      {"gelu", "", {matrix}, [](Inputs x) { return gelu(x[0]); }, -3.0, 3.0},
      {"dropout", "", {{7, 9}}, [](Inputs x) { return dropout(x[0], 0.4, 1234567); }},
      {"reshape",
       "",
       {{2, 6}},
       [](Inputs x) {
         return reshape(x[0], {3, 4});
       }},
      {"permute",
       "",
       {{2, 3, 4}},
       [](Inputs x) {
         return permute(x[0], {2, 0, 1});
       }},
      {"concat", "middle axis", {{2, 1, 3}, {2, 4, 3}}, [](Inputs x) { return concat(x, 1); }},
      {"narrow", "middle axis", {{2, 5, 3}}, [](Inputs x) { return narrow(x[0], 1, 1, 3); }},
      {"broadcast_to",
       "",
       {{3, 1}},
       [](Inputs x) {
         return broadcast_to(x[0], {2, 3, 4});
       }},
      {"gather_rows",
       "repeats",
       {{4, 3}},
       [](Inputs x) {
         return gather_rows(x[0], index(x[0], {2, 0, 2, 2}));
       }},
      {"add_rows",
       "repeats",
       {{4, 3}, {3, 3}},
       [](Inputs x) {
         return add_rows(x[0], x[1], {.index = index(x[0], {2, 0, 2}), .scale = {}, .factor = 1.5});
       }},
      {"add_rows",
       "scaled",
       {{4, 2, 3}, {2, 2, 3}, {3}},
       [](Inputs x) {
         return add_rows(x[0], x[1], {.index = index(x[0], {3, 0}), .scale = x[2], .factor = -0.5});
       }},
      {"add_rows",
       "every row",
       {{4, 3}, {4, 3}, {3}},
       [](Inputs x) { return add_rows(x[0], x[1], {.index = {}, .scale = x[2]}); }},
      {"sum", "all", {matrix}, [](Inputs x) { return sum(x[0]); }},
      {"sum", "middle axis kept", {{2, 3, 4}}, [](Inputs x) { return sum(x[0], {1}, true); }},
      {"mean",
       "outer axes",
       {{2, 3, 4}},
       [](Inputs x) {
         return mean(x[0], {0, -1});
       }},
      {"matmul", "plain", {{2, 3, 4}, {2, 4, 5}}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"matmul", "aᵀ", {{4, 3}, {4, 5}}, [](Inputs x) { return matmul(x[0], x[1], true, false); }},
      {"matmul", "bᵀ", {{3, 4}, {5, 4}}, [](Inputs x) { return matmul(x[0], x[1], false, true); }},
      {"matmul", "aᵀ bᵀ", {{4, 3}, {5, 4}}, [](Inputs x) { return matmul(x[0], x[1], true, true); }},
      {"linear", "bias", {{2, 3, 4}, {5, 4}, {5}}, [](Inputs x) { return linear(x[0], x[1], x[2]); }},
      {"linear", "no bias", {{3, 4}, {5, 4}}, [](Inputs x) { return linear(x[0], x[1], {}); }},
      {"linear",
       "gelu + residual",
       {{3, 4}, {5, 4}, {5}, {3, 5}},
       [](Inputs x) {
         return linear(x[0], x[1], x[2], {Activation::gelu, x[3]});
       }},
      {"linear",
       "relu",
       {{3, 4}, {5, 4}, {5}},
       [](Inputs x) {
         return linear(x[0], x[1], x[2], {Activation::relu, {}});
       }},
      {"linear",
       "scale + residual",
       {{3, 4}, {5, 4}, {5}, {3, 5}, {5}},
       [](Inputs x) { return linear(x[0], x[1], x[2], {.residual = x[3], .scale = x[4]}); }},
      {"linear",
       "scale, no bias",
       {{3, 4}, {5, 4}, {5}},
       [](Inputs x) { return linear(x[0], x[1], {}, {.scale = x[2]}); }},
      {"self_attention", "", {{2, 5, 12}}, [](Inputs x) { return self_attention(x[0], 2); }, -2.0, 2.0},
      {"cross_attention",
       "",
       {{2, 3, 6}, {2, 4, 6}, {2, 4, 6}},
       [](Inputs x) { return cross_attention(x[0], x[1], x[2], 3); },
       -2.0,
       2.0},
      {"attention_pool", "", {{2, 4, 5}, {3, 5}}, [](Inputs x) { return attention_pool(x[0], x[1]); }, -2.0, 2.0},
      {"layer_norm", "", {{2, 3, 7}, {7}, {7}}, [](Inputs x) { return layer_norm(x[0], x[1], x[2], 1e-5); }},
      {"convolution",
       "bias, strided",
       {{2, 5, 6, 3}, {4, 3, 3, 2}, {4}},
       [](Inputs x) {
         return convolution(x[0], x[1], x[2], {.stride = {2, 1}, .padding = {1, 0}});
       }},
      {"convolution",
       "bias, residual, relu",
       {{1, 4, 4, 2}, {3, 2, 2, 2}, {3}, {1, 3, 3, 3}},
       [](Inputs x) { return convolution(x[0], x[1], x[2], {.relu = true, .residual = x[3]}); }},
      {"convolution", "no bias", {{1, 4, 4, 2}, {3, 2, 2, 2}}, [](Inputs x) { return convolution(x[0], x[1], {}); }},
      {"max_pool",
       "overlapping",
       {{2, 5, 6, 3}},
       [](Inputs x) {
         return max_pool(x[0], {{3, 3}, {2, 2}, {1, 1}});
       }},
      {"batch_norm", "", {{2, 3, 4}, {4}, {4}}, [](Inputs x) { return batch_norm(x[0], x[1], x[2], 1e-2); }},
      {"batch_norm",
       "groups",
       {{4, 3, 4}, {4}, {4}},
       [](Inputs x) { return batch_norm(x[0], x[1], x[2], 1e-2, nullptr, 2); }},
      {"instance_norm", "", {{2, 3, 2, 4}}, [](Inputs x) { return instance_norm(x[0], 1e-2); }},
      {"softmax", "", {matrix}, [](Inputs x) { return softmax(x[0]); }, -3.0, 3.0},
      {"log_sum_exp", "", {{2, 3, 5}}, [](Inputs x) { return log_sum_exp(x[0]); }, -3.0, 3.0},
      {"cross_entropy",
       "",
       {matrix},
       [](Inputs x) {
         return cross_entropy(x[0], index(x[0], {4, 0, 2}));
       },
       -3.0,
       3.0},
      {"soft_cross_entropy",
       "",
       {matrix},
       [](Inputs x) {
         Rng rng(6, RngStream::tests);
         const Tensor targets = on(x[0].device(), random_tensor({2, 5}, rng, 0.0, 1.0));
         return soft_cross_entropy(x[0], targets, reshape(index(x[0], {1, -1, 0, 1, 0, 0}), {3, 2}), 0.5);
       },
       -3.0,
       3.0},
      {"weight_norm", "", {matrix, {matrix[0], 1}}, [](Inputs x) { return weight_norm(x[0], x[1], 1e-3); }},
      {"weight_norm",
       "below epsilon",
       {matrix, {matrix[0], 1}},
       [](Inputs x) { return weight_norm(x[0], x[1], 100.0); }},
      {"normalize_rows", "", {matrix}, [](Inputs x) { return normalize_rows(x[0], 1e-3); }},
      {"normalize_rows", "below epsilon", {matrix}, [](Inputs x) { return normalize_rows(x[0], 100.0); }},
      {"recompute",
       "a block",
       {{2, 3, 4}, {8, 4}, {4, 8}},
       [](Inputs x) {
         return recompute([x = std::vector(x)] {
           const Tensor hidden = linear(x[0], x[1], {}, {.activation = Activation::gelu});
           return linear(hidden, x[2], {}, {.residual = x[0]});
         });
       }},
      {"recompute",
       "within another, of what an op gave",
       {matrix, matrix},
       [](Inputs x) {
         return recompute(
             [y = exp(x[0]), z = x[1]] { return multiply(y, recompute([=] { return multiply(y, sigmoid(z)); })); });
       }},
      {"recompute", "nothing", {matrix}, [](Inputs x) { return square(recompute([x = x[0]] { return x; })); }},
      {"all_gather",
       "second of two",
       {matrix},
       [](Inputs x) {
         static PairOfProcesses pair;
         return all_gather(x[0], pair);
       }},
  };
  return all;
}

TEST(Gradients, EveryOpAgreesWithCentralDifferences) {
  Rng rng(5, RngStream::tests);
  std::map<std::string, int> covered;
  for (const Case& row : cases()) {
    std::vector<Tensor> inputs;
    std::vector<NamedTensor> named;
    for (const Shape& shape : row.shapes) {
      inputs.push_back(random_tensor(shape, rng, row.low, row.high));
      named.push_back({fmt::format("input {}", named.size()), inputs.back()});
    }
    EXPECT_EQ(gradient_errors([&] { return row.function(inputs); }, named, rng), "") << row.op << " " << row.detail;
    ++covered[row.op];
  }
  std::printf("op               gradient cases\n");
  for (const auto& [op, count] : covered) std::printf("%-16s %d\n", op.c_str(), count);
  // nonzero carries no gradient, cast changes the dtype: both below.
  std::set<std::string> expected;
  for (const std::string& op : testing_support::declared("core/ops/ops.h", "Tensor ", "namespace")) {
    if (op != "nonzero" && op != "cast") expected.insert(op);
  }
  std::set<std::string> found;
  for (const auto& [op, count] : covered) found.insert(op);
  EXPECT_EQ(found, expected);
}

class OpsOnDevices : public testing_support::OnEachBackend {};

TEST_P(OpsOnDevices, GiveResultsAndGradientsOfTheReference) {
  Rng rng(7, RngStream::tests);
  for (const Case& row : cases()) {
    std::vector<Tensor> expected, found;
    for (const Shape& shape : row.shapes) {
      // Rounded to what both hold, so that they differ by the ops alone.
      const Tensor drawn = on(testing_support::cpu, random_tensor(shape, rng, row.low, row.high));
      expected.push_back(on(reference_device, drawn));
      found.push_back(on(device(), drawn));
    }
    Tensor cotangent;
    std::vector<Tensor> results;
    for (std::vector<Tensor>* inputs : {&expected, &found}) {
      for (Tensor& input : *inputs) input.set_requires_grad(true);
      const Tensor result = row.function(*inputs);
      if (!cotangent.defined()) cotangent = on(testing_support::cpu, random_tensor(result.shape(), rng));
      autograd::backward(result, on(result.device(), cotangent));
      results.push_back(result.detach());
    }
    const std::string name = row.op + " " + row.detail;
    EXPECT_LT(relative_error(results[1], results[0]), 1e-5) << name;
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].grad().defined(), expected[i].grad().defined()) << name << ", input " << i;
      if (!found[i].grad().defined()) continue;
      EXPECT_LT(relative_error(found[i].grad(), expected[i].grad()), 1e-5) << name << ", input " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, OpsOnDevices, testing_support::each_fast_backend(), testing_support::backend_name);

TEST(Gradients, CastHandsTheGradientBackInTheInputsDtype) {
  Tensor x = Tensor::from_host(std::vector<double>{1.0, 2.0}, {2}, DType::f64, reference_device);
  x.set_requires_grad(true);
  const Tensor cotangent = Tensor::from_host(std::vector<double>{0.5, -3.0}, {2}, DType::f32, reference_device);
  autograd::backward(ops::cast(x, DType::f32), cotangent);
  EXPECT_EQ(x.grad().dtype(), DType::f64);
  EXPECT_THAT(x.grad().to_doubles(), testing::ElementsAre(0.5, -3.0));
}

TEST(Gradients, NonzeroCarriesNone) {
  Tensor x = Tensor::from_host(std::vector<double>{0.0, 2.0, -1e-300}, {3}, DType::f64, reference_device);
  x.set_requires_grad(true);
  const Tensor y = ops::nonzero(x);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_THAT(y.to_doubles(), testing::ElementsAre(0.0, 1.0, 1.0));
}

}  // namespace
}  // namespace astroclip
