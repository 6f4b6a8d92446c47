// Losses over two processes: values and gradients of the two halves of a batch against those of the whole batch.
#include <array>
#include <barrier>
#include <span>
#include <thread>

#include "autograd/tape.h"
#include "losses/loss_support.h"
#include "ops/operators.h"

namespace astroclip {
namespace {

using namespace testing_support;

/// Two threads in place of two processes.
class Exchange {
 public:
  class Side final : public Communicator {
   public:
    Side(Exchange& exchange, int64_t rank) : exchange_(exchange), rank_(rank) {}
    int64_t rank() const override { return rank_; }
    int64_t size() const override { return 2; }
    Tensor all_gather(const Tensor& rows) override {
      const auto both = exchange_.swap(rank_, rows);
      return ops::concat({both[0], both[1]}, 0);
    }
    void all_reduce(Tensor& values) override {
      const auto both = exchange_.swap(rank_, values.clone());
      values.copy_from(both[0] + both[1]);
    }

   private:
    Exchange& exchange_;
    int64_t rank_;
  };

 private:
  std::array<Tensor, 2> swap(int64_t rank, const Tensor& own) {
    slots_[static_cast<size_t>(rank)] = own.detach();
    barrier_.arrive_and_wait();
    const std::array<Tensor, 2> both = slots_;
    barrier_.arrive_and_wait();
    return both;
  }
  std::array<Tensor, 2> slots_;
  std::barrier<> barrier_{2};
};

/// Zeros for a tower that the loss does not look at.
Rows gradient_rows(const Tensor& x) {
  return x.grad().defined() ? rows_of(x.grad()) : Rows(static_cast<size_t>(x.size(0)), std::vector<double>(4, 0.0));
}

class OverProcesses : public testing::TestWithParam<std::string> {};

TEST_P(OverProcesses, HalvesMakeTheWhole) {
  const std::string name = GetParam(), toml = telling_parameters(name);
  Rng rng(12, RngStream::tests);
  Tensor a = random_tensor({6, 4}, rng), b = random_tensor({6, 4}, rng);
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  const std::vector<double> z = {0.1, std::nan(""), 0.5, 0.2, 0.9, 0.3};
  const auto labels = [&z](int64_t first, int64_t rows) {
    return Labels{{"redshift",
                   Tensor::from_host(std::span(z).subspan(static_cast<size_t>(first)).first(static_cast<size_t>(rows)),
                                     {rows}, DType::f64, reference_device)}};
  };
  const auto forward = [&](PlainEngine& engine) {
    const auto loss = ready_loss(name, toml, engine);
    loss->set_training(true);
    return loss->forward(engine).total;
  };
  PlainEngine engine = engine_of(a, b, labels(0, 6));
  const Tensor whole = forward(engine);
  autograd::backward(whole);

  Exchange exchange;
  std::array<double, 2> value{};
  std::array<Rows, 2> gradient_a, gradient_b;
  const auto process = [&](int64_t rank) {
    const auto at = static_cast<size_t>(rank);
    Tensor own_a = a.view_rows(3 * rank, 3 * rank + 3).clone(), own_b = b.view_rows(3 * rank, 3 * rank + 3).clone();
    own_a.set_requires_grad(true);
    own_b.set_requires_grad(true);
    Exchange::Side side(exchange, rank);
    PlainEngine half = engine_of(own_a, own_b, labels(3 * rank, 3));
    half.set_communicator(side);
    const Tensor total = forward(half);
    autograd::backward(total);
    value[at] = total.item();
    gradient_a[at] = gradient_rows(own_a);
    gradient_b[at] = gradient_rows(own_b);
  };
  std::thread first(process, 0), second(process, 1);
  first.join();
  second.join();

  EXPECT_NEAR(0.5 * (value[0] + value[1]), whole.item(), 1e-12);
  // Averaged over processes, as a trainer averages: half of what each side gathers.
  const Rows whole_a = gradient_rows(a), whole_b = gradient_rows(b);
  for (size_t i = 0; i < 6; ++i) {
    for (size_t k = 0; k < 4; ++k) {
      EXPECT_NEAR(0.5 * gradient_a[i / 3][i % 3][k], whole_a[i][k], 1e-12) << i << ", " << k;
      EXPECT_NEAR(0.5 * gradient_b[i / 3][i % 3][k], whole_b[i][k], 1e-12) << i << ", " << k;
    }
  }
}

// Every loss but masked_spectrum, of which each process hides tokens of its own and averages over those, dinov2, whose
// crops and nearest neighbours are of a process, and sum, which is of the others.
INSTANTIATE_TEST_SUITE_P(, OverProcesses, testing::ValuesIn(losses_but({"dinov2", "masked_spectrum", "sum"})),
                         [](const auto& row) { return row.param; });

}  // namespace
}  // namespace astroclip
