#include "autograd/tape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/backend.h"
#include "base/error.h"

namespace astroclip::autograd {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;

constexpr Device device{DeviceKind::reference};

Tensor leaf(std::vector<double> values) {
  const auto count = static_cast<int64_t>(values.size());
  Tensor tensor = Tensor::from_host(values, {count}, DType::f64, device);
  tensor.set_requires_grad(true);
  return tensor;
}

/// a · b, recorded by hand: the tape is tested below the ops.
Tensor multiply(const Tensor& a, const Tensor& b) {
  const auto product = [](const Tensor& x, const Tensor& y) {
    Tensor result = Tensor::empty(x.shape(), x.dtype(), x.device());
    backend_of(device).binary(BinaryOp::multiply, x, y, result);
    return result;
  };
  return record("multiply", product(a, b), {a, b}, [=, a = a.detach(), b = b.detach()](const Tensor& dy) {
    return std::vector<Tensor>{product(dy, b), product(dy, a)};
  });
}

TEST(Tape, SharedInputsAccumulate) {
  const Tensor x = leaf({2, 3});
  const Tensor square = multiply(x, x);
  const Tensor fourth = multiply(square, square);
  backward(fourth, Tensor::from_host(std::vector<double>{1, 1}, {2}, DType::f64, device));
  EXPECT_THAT(x.grad().to_doubles(), ElementsAre(4 * 8, 4 * 27));
}

/// x + square(x), whose rule for the square adds to what the sum has delivered.
Tensor plus_square(const Tensor& x, bool& gathered_is_own) {
  const auto add = [](const Tensor& a, const Tensor& b) {
    Tensor sum = Tensor::empty(a.shape(), a.dtype(), a.device());
    backend_of(device).binary(BinaryOp::add, a, b, sum);
    return sum;
  };
  Tensor square = Tensor::empty(x.shape(), x.dtype(), x.device());
  backend_of(device).unary(UnaryOp::square, x, square);
  const auto rule = [=, &gathered_is_own, x = x.detach()](const Tensor& dy, Tensor gathered) {
    Tensor share = Tensor::empty(x.shape(), x.dtype(), x.device());
    backend_of(device).binary(BinaryOp::multiply, dy, add(x, x), share);
    gathered_is_own = gathered.defined() && gathered.sole_owner();
    return std::vector<Tensor>{gathered.defined() ? add(gathered, share) : share};
  };
  square = record("square", square, {x}, rule);
  return record("add", add(x, square), {x, square}, [](const Tensor& dy) { return std::vector<Tensor>{dy, dy}; });
}

TEST(Tape, ARuleMayAddToWhatOthersDelivered) {
  const Tensor x = leaf({2, 3});
  bool outer_is_own = false, inner_is_own = false;
  const Tensor y = plus_square(x, inner_is_own);
  backward(plus_square(y, outer_is_own), Tensor::from_host(std::vector<double>{1, 1}, {2}, DType::f64, device));
  EXPECT_THAT(x.grad().to_doubles(), ElementsAre((1 + 2 * 6) * (1 + 2 * 2), (1 + 2 * 12) * (1 + 2 * 3)));
  backward(plus_square(x, inner_is_own), Tensor::from_host(std::vector<double>{1, 1}, {2}, DType::f64, device));
  EXPECT_THAT(x.grad().to_doubles(), ElementsAre(65 + 5, 175 + 7)) << "a leaf keeps what it had";
}

TEST(Tape, LeavesKeepTheirGradientsBetweenCalls) {
  const Tensor x = leaf({5});
  backward(multiply(x, x));
  backward(multiply(x, x));
  EXPECT_THAT(x.grad().to_doubles(), ElementsAre(20));
}

TEST(Tape, ACotangentIsNotOverwrittenByAccumulation) {
  const Tensor x = leaf({3});
  const Tensor cotangent = Tensor::from_host(std::vector<double>{1}, {1}, DType::f64, device);
  const auto identity = [](const Tensor& input) {
    return record("identity", input.clone(), {input}, [](const Tensor& dy) { return std::vector<Tensor>{dy}; });
  };
  const Tensor y = identity(x);
  backward(y, cotangent);
  backward(identity(x), cotangent);
  EXPECT_THAT(cotangent.to_doubles(), ElementsAre(1));
  EXPECT_THAT(x.grad().to_doubles(), ElementsAre(2));
}

TEST(Tape, NoGradRecordsNothing) {
  const Tensor x = leaf({2});
  const NoGrad guard;
  const Tensor y = multiply(x, x);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_THAT([&] { backward(y); }, ThrowsMessage<Error>("[backward] the tensor was not computed from any parameter"));
}

TEST(Tape, BackwardFreesWhatTheOpsSaved) {
  const Tensor x = leaf({2});
  std::weak_ptr<Storage> saved;
  Tensor y;
  {
    const Tensor middle = multiply(x, x);
    saved = middle.storage();
    y = multiply(middle, middle);
  }
  EXPECT_FALSE(saved.expired());
  backward(y);
  EXPECT_TRUE(saved.expired());
  EXPECT_THAT([&] { backward(y); }, ThrowsMessage<Error>("[backward] the tape of op 'multiply' was already used"));
}

/// `value` with a rule that records it again.
Tensor replayed_as(const Tensor& value, Replay rule) {
  Tensor result = value.detach();
  result.set_requires_grad(true);
  result.set_node(std::make_shared<Node>("again", std::vector<Tensor>(), std::move(rule)));
  return result;
}

TEST(Tape, AReplayIsRecordedInThePlaceOfItsNode) {
  const Tensor x = leaf({2, 3});
  const Tensor square = multiply(x, x);
  bool was_replaying = false, was_recording = false;
  const Tensor again = replayed_as(square, [&] {
    was_replaying = replaying();
    was_recording = recording();
    return multiply(x, square);
  });
  const NoGrad guard;
  backward(again, Tensor::from_host(std::vector<double>{1, 1}, {2}, DType::f64, device));
  EXPECT_THAT(x.grad().to_doubles(), ElementsAre(3 * 4, 3 * 9));
  EXPECT_TRUE(was_replaying);
  EXPECT_TRUE(was_recording);
  EXPECT_FALSE(replaying());
  EXPECT_FALSE(recording());
  EXPECT_THAT([&] { backward(again, again); },
              ThrowsMessage<Error>("[backward] the tape of op 'again' was already used"));
}

TEST(Tape, AReplayMustGiveWhatItGaveBefore) {
  const Tensor x = leaf({2, 3});
  const auto run = [&](const Tensor& second) {
    const Tensor y = replayed_as(x, [second] { return second; });
    backward(y, Tensor::from_host(std::vector<double>{1, 1}, {2}, DType::f64, device));
  };
  EXPECT_THAT(
      [&] {
        run(leaf({1, 2, 3}));
      },
      ThrowsMessage<Error>("[backward] op 'again' gave [2] first and [3] when it was computed again"));
  EXPECT_THAT([&] { run(x.detach()); },
              ThrowsMessage<Error>(
                  "[backward] op 'again' gave [2] first and what needs no gradient when it was computed again"));
}

TEST(Tape, AVectorNeedsACotangent) {
  const Tensor x = leaf({2, 3});
  EXPECT_THAT([&] { backward(multiply(x, x)); },
              ThrowsMessage<Error>("[backward] shape [2] needs an explicit cotangent"));
}

}  // namespace
}  // namespace astroclip::autograd
