#include "data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "support/whole_dataset.h"

namespace astroclip::data {
namespace {

using testing_support::all_rows;

/// Rows r of float64: r, r + 0.1, r + 0.2, r + 0.3.
class Doubles final : public Dataset {
 public:
  std::vector<Field> fields() const override { return {{"spectrum", DType::f64, {4}, "", ""}}; }
  int64_t size(Split) const override { return 8; }
  void read(Split, std::span<const int64_t> rows, std::span<const std::string>, HostBatch& out) const override {
    HostArray& array = out["spectrum"] = HostArray(fields()[0], static_cast<int64_t>(rows.size()));
    for (size_t i = 0; i < 4 * rows.size(); ++i) {
      array.values<double>()[i] = static_cast<double>(rows[i / 4]) + 0.1 * static_cast<double>(i % 4);
    }
  }
};

/// Rows that hold their own number, and it plus a half; row 5000 cannot be read.
class Counting final : public Dataset {
 public:
  explicit Counting(int64_t rows) : rows_(rows) {}
  std::vector<Field> fields() const override {
    return {{"spectrum", DType::f32, {4}, "", ""},
            {"number", DType::f64, {}, "", ""},
            {"has_spectrum", DType::f64, {}, "", ""}};
  }
  int64_t size(Split) const override { return rows_; }
  void read(Split, std::span<const int64_t> rows, std::span<const std::string> names, HostBatch& out) const override {
    const auto count = static_cast<int64_t>(rows.size());
    for (const std::string& name : names) {
      const bool is_label = name != "spectrum";
      HostArray column(is_label ? DType::f64 : DType::f32, is_label ? Shape{count} : Shape{count, 4});
      for (int64_t i = 0; i < count; ++i) {
        if (rows[static_cast<size_t>(i)] == 5000) throw Error("row 5000 cannot be read");
        const auto value = static_cast<double>(rows[static_cast<size_t>(i)]);
        if (name == "number") column.values<double>()[static_cast<size_t>(i)] = value;
        if (name == "has_spectrum") column.values<double>()[static_cast<size_t>(i)] = value < 10 ? 0.0 : 1.0;
        for (int64_t j = 0; !is_label && j < 4; ++j) {
          column.values<float>()[static_cast<size_t>(4 * i + j)] =
              static_cast<float>(value + 0.5 * static_cast<double>(j % 2));
        }
      }
      out[name] = std::move(column);
    }
  }

 private:
  int64_t rows_;
};

LoaderOptions options_of(int64_t batch, int64_t steps, int threads) {
  LoaderOptions options;
  options.batch = batch;
  options.steps = steps;
  options.seed = 3;
  options.threads = threads;
  return options;
}

std::vector<ViewPlan> two_crops() {
  ViewGroup noisy = *known_view_group("spectrum");
  noisy.relative_noise.level = 0.1;
  return {{{.name = "v", .modality = "spectrum", .augment = true, .crops = 2}, {4}, {noisy}}};
}

TEST(Loader, RoundsAFieldOfFloat64) {
  const Doubles dataset;
  LoaderOptions options = options_of(2, 1, 1);
  options.shuffle = false;
  Loader loader(dataset, {3, 5}, {{{.name = "v", .modality = "spectrum"}, {4}}}, {}, options);
  const Batch batch = loader.next();
  EXPECT_THAT(batch.views.at("v").values<float>(),
              testing::Pointwise(testing::FloatEq(), {3.0F, 3.1F, 3.2F, 3.3F, 5.0F, 5.1F, 5.2F, 5.3F}));
}

TEST(Loader, BatchesDependOnTheStepAlone) {
  const Counting dataset(100);
  std::vector<std::vector<float>> one;
  Loader alone(dataset, all_rows(100), two_crops(), {"number"}, options_of(8, 30, 1));
  for (int i = 0; i < 30; ++i) {
    const Batch batch = alone.next();
    EXPECT_EQ(batch.step, i);
    const auto values = batch.views.at("v").values<float>();
    EXPECT_EQ(batch.views.at("v").shape, (Shape{16, 4}));
    EXPECT_NEAR(values[8], static_cast<float>(batch.rows[1]), 0.4);
    EXPECT_NE(values[8], values[12]);  // two crops are two draws
    EXPECT_EQ(batch.labels.at("number")[3], static_cast<double>(batch.rows[3]));
    one.emplace_back(values.begin(), values.end());
  }
  LoaderOptions resumed = options_of(8, 30, 4);
  resumed.first_step = 11;
  Loader four(dataset, all_rows(100), two_crops(), {"number"}, resumed);
  for (size_t i = 11; i < 30; ++i) {
    const Batch batch = four.next();
    const auto values = batch.views.at("v").values<float>();
    EXPECT_EQ(std::vector<float>(values.begin(), values.end()), one[i]) << "step " << i;
  }
  EXPECT_THAT([&] { four.next(); }, testing::ThrowsMessage<Error>("[loader] there are no more batches"));
}

TEST(Loader, AViewDoesNotDependOnTheOthers) {
  const Counting dataset(100);
  std::vector<ViewPlan> both = two_crops();
  both.push_back(both[0]);
  both.back().request.name = "w";
  Loader two(dataset, all_rows(100), both, {"number"}, options_of(8, 3, 1));
  Loader one(dataset, all_rows(100), two_crops(), {"number"}, options_of(8, 3, 1));
  for (int i = 0; i < 3; ++i) {
    const Batch more = two.next(), fewer = one.next();
    EXPECT_EQ(fewer.rows, more.rows);
    EXPECT_EQ(fewer.labels, more.labels);
    EXPECT_EQ(fewer.views.at("v").bytes, more.views.at("v").bytes);
    EXPECT_NE(more.views.at("w").bytes, more.views.at("v").bytes);  // streams of their own
  }
}

TEST(Loader, WithoutShuffleRowsComeInOrderToTheLast) {
  const Counting dataset(10);
  LoaderOptions options = options_of(4, 3, 2);
  options.shuffle = false;
  Loader loader(dataset, all_rows(10), two_crops(), {}, options);
  EXPECT_THAT(loader.next().rows, testing::ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(loader.next().rows.size(), 4U);
  EXPECT_THAT(loader.next().rows, testing::ElementsAre(8, 9));
}

TEST(Loader, WhatGoesWrongInAThreadReachesTheTrainer) {
  const Counting dataset(6000);
  LoaderOptions options = options_of(6000, 1, 2);
  Loader loader(dataset, all_rows(6000), two_crops(), {}, options);
  EXPECT_THAT([&] { loader.next(); }, testing::ThrowsMessage<Error>("row 5000 cannot be read"));
}

TEST(RowsWith, LeavesOutObjectsThatLackAModality) {
  const Counting dataset(15);
  EXPECT_THAT(rows_with(dataset, Split::train, {"spectrum"}), testing::ElementsAre(10, 11, 12, 13, 14));
  EXPECT_EQ(rows_with(dataset, Split::train, {"image"}).size(), 15U);
}

}  // namespace
}  // namespace astroclip::data
