#include "data/row_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>

#include "base/error.h"
#include "io/hdf5/block_cache.h"
#include "support/whole_dataset.h"

namespace astroclip::data {
namespace {

using testing_support::all_rows;

LoaderOptions options_of(int64_t batch) {
  LoaderOptions options;
  options.batch = batch;
  options.seed = 3;
  return options;
}

ReadPlan plan_of(int64_t rows, int64_t together, int64_t window) {
  ReadPlan plan;
  for (int64_t begin = 0; begin < rows; begin += together)
    plan.ranges.push_back({begin, std::min(rows, begin + together)});
  plan.window = window;
  return plan;
}

std::vector<int64_t> epoch(const RowOrder& order, int64_t first_step, int64_t steps) {
  std::vector<int64_t> rows;
  for (int64_t step = first_step; step < first_step + steps; ++step)
    for (const int64_t row : order.batch(step)) rows.push_back(row);
  return rows;
}

TEST(RowOrder, AnEpochVisitsEveryRowOnceAndTheNextInAnotherOrder) {
  for (const ReadPlan& plan : {ReadPlan(), plan_of(100, 7, 3)}) {
    const RowOrder order(all_rows(100), plan, options_of(10));
    auto first = epoch(order, 0, 10);
    EXPECT_NE(first, epoch(order, 10, 10));
    EXPECT_NE(first, all_rows(100));
    std::ranges::sort(first);
    EXPECT_EQ(first, all_rows(100));
  }
}

TEST(RowOrder, BatchesAreEvenDrawsFromASortedFile) {
  // The published groups are slices of brightness: a batch must not favour one. Over many batches the mean position of
  // a batch of 64 among 10,000 rows scatters like 64 independent draws, σ = 10000/√12/√64 ≈ 361.
  const RowOrder order(all_rows(10000), {}, options_of(64));
  double squares = 0.0;
  constexpr int batches = 300;
  for (int64_t step = 0; step < batches; ++step) {
    double mean = 0.0;
    for (const int64_t row : order.batch(step)) mean += static_cast<double>(row) / 64.0;
    squares += (mean - 4999.5) * (mean - 4999.5) / batches;
  }
  EXPECT_NEAR(std::sqrt(squares), 361.0, 4 * 361.0 / std::sqrt(2.0 * batches));
}

TEST(RowOrder, EveryChunkIsDecodedOnceWhenTwoWindowsAreKept) {
  constexpr int64_t rows = 5000, together = 16, window = 20;
  const RowOrder order(all_rows(rows), plan_of(rows, together, window), options_of(64));
  io::BlockCache cache(2 * window);
  int64_t decoded = 0;
  for (const int64_t row : epoch(order, 0, rows / 64))
    cache.get(0, row / together, 1, [&](io::BlockCache::Block&) { ++decoded; });
  EXPECT_EQ(decoded, (rows + together - 1) / together);
}

TEST(RowOrder, ABatchDrawsFromChunksAllOverTheFile) {
  constexpr int64_t rows = 6400, together = 16, window = 40;
  const RowOrder order(all_rows(rows), plan_of(rows, together, window), options_of(64));
  // 64 of a window's 640 rows: of its 40 chunks about 40 (1 − 0.9¹⁶) ≈ 32.6 are met, scattered over the file.
  double chunks = 0.0;
  for (int64_t step = 0; step < 100; ++step) {
    const auto batch = order.batch(step);
    std::set<int64_t> met;
    for (const int64_t row : batch) met.insert(row / together);
    chunks += static_cast<double>(met.size()) / 100.0;
    EXPECT_GT(*met.rbegin() - *met.begin(), 200) << step;  // of 400
  }
  EXPECT_NEAR(chunks, 32.6, 1.0);
}

TEST(RowOrder, LeavesOutRowsThatAreNotAskedFor) {
  const std::vector<int64_t> wanted = {3, 4, 17, 40, 41, 42, 43, 99};
  const RowOrder order(wanted, plan_of(100, 10, 2), options_of(4));
  auto rows = epoch(order, 0, 2);
  std::ranges::sort(rows);
  EXPECT_EQ(rows, wanted);
}

TEST(RowOrder, AStepIsTheSameWhoeverAsksAndWhenever) {
  const RowOrder order(all_rows(100), plan_of(100, 7, 3), options_of(8));
  const auto expected = epoch(order, 0, 60);
  const RowOrder again(all_rows(100), plan_of(100, 7, 3), options_of(8));
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 60; ++i) {
        const size_t step = (i * 7 + t * 13) % 60;
        wrong[t] +=
            !std::ranges::equal(again.batch(static_cast<int64_t>(step)), std::span(expected).subspan(step * 8, 8));
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

TEST(RowOrder, ABatchLargerThanTheDataIsRefused) {
  const RowOrder order(all_rows(3), {}, options_of(4));
  EXPECT_THAT([&] { order.batch(0); },
              testing::ThrowsMessage<Error>("[loader] a batch of 4 needs as many rows, there are 3"));
}

}  // namespace
}  // namespace astroclip::data
