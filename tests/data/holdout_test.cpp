#include "data/holdout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "data/objects.h"

namespace astroclip::data {
namespace {

/// Objects observed twice each, in rows k and k + count.
class Twice final : public Dataset {
 public:
  explicit Twice(int64_t count) : count_(count) {}
  std::vector<Field> fields() const override { return {{"object_id", DType::i64, {}, "", ""}}; }
  int64_t size(Split) const override { return 2 * count_; }
  void read(Split, std::span<const int64_t> rows, std::span<const std::string>, HostBatch& out) const override {
    HostArray ids(DType::i64, {static_cast<int64_t>(rows.size())});
    std::ranges::transform(rows, ids.values<int64_t>().begin(), [&](int64_t row) { return 39627000 + row % count_; });
    out["object_id"] = std::move(ids);
  }

 private:
  int64_t count_;
};

std::vector<int64_t> rows_of(const Twice& dataset) {
  std::vector<int64_t> rows(static_cast<size_t>(dataset.size(Split::train)));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  return rows;
}

TEST(Holdout, EveryRowIsOnOneSideInOrderAndTheShareIsRight) {
  const Twice dataset(2000);
  const RowSplit split = split_validation(dataset, rows_of(dataset), 0.2, 1);
  std::vector<int64_t> all(split.training);
  all.insert(all.end(), split.validation.begin(), split.validation.end());
  std::ranges::sort(all);
  EXPECT_EQ(all, rows_of(dataset));
  EXPECT_TRUE(std::ranges::is_sorted(split.training));
  // 2000 draws of probability 0.2: 400 ± 18.
  EXPECT_NEAR(static_cast<double>(split.validation.size()) / 2.0, 400.0, 5 * 18.0);
}

TEST(Holdout, AllObservationsOfAnObjectFallOnOneSide) {
  const Twice dataset(300);
  const RowSplit split = split_validation(dataset, rows_of(dataset), 0.3, 1);
  const std::set<int64_t> held(split.validation.begin(), split.validation.end());
  for (int64_t row = 0; row < 300; ++row) EXPECT_EQ(held.contains(row), held.contains(row + 300)) << row;
}

TEST(Holdout, WhichOnesDependsOnTheSeedAloneNotOnTheCompany) {
  const Twice dataset(300);
  const auto all = split_validation(dataset, rows_of(dataset), 0.3, 1).validation;
  EXPECT_NE(split_validation(dataset, rows_of(dataset), 0.3, 2).validation, all);
  std::vector<int64_t> some, expected;
  for (int64_t row = 0; row < 600; row += 7) some.push_back(row);
  std::ranges::set_intersection(some, all, std::back_inserter(expected));
  EXPECT_EQ(split_validation(dataset, some, 0.3, 1).validation, expected);
}

TEST(Holdout, NothingIsSetApartUnlessAsked) {
  const Twice dataset(10);
  EXPECT_EQ(split_validation(dataset, rows_of(dataset), 0.0, 1).training, rows_of(dataset));
}

/// Two rows of each place, 0.5 arcsec apart, with two object_ids; the last row has the first one's object_id.
class TwoNames final : public Dataset {
 public:
  static constexpr int64_t count = 301;
  std::vector<Field> fields() const override {
    return {
        {"object_id", DType::i64, {}, "", ""}, {"RA", DType::f64, {}, "deg", ""}, {"DEC", DType::f64, {}, "deg", ""}};
  }
  int64_t size(Split) const override { return count; }
  void read(Split, std::span<const int64_t> rows, std::span<const std::string> names, HostBatch& out) const override {
    for (const std::string& name : names) {
      HostArray array(name == "object_id" ? DType::i64 : DType::f64, {std::ssize(rows)});
      for (size_t i = 0; i < rows.size(); ++i) {
        const int64_t row = rows[i];
        if (name == "object_id") array.values<int64_t>()[i] = row == count - 1 ? 1000 : 1000 + row;
        if (name == "RA") array.values<double>()[i] = static_cast<double>(row / 2);
        if (name == "DEC") array.values<double>()[i] = row % 2 == 0 ? 0.0 : 0.5 / 3600.0;
      }
      out[name] = std::move(array);
    }
  }
};

TEST(Holdout, ObjectsAtOnePlaceFallOnOneSide) {
  const TwoNames dataset;
  const ObjectGroups groups = group_objects(dataset, Split::train);
  EXPECT_EQ(groups.by_position, 300 + 1);
  EXPECT_EQ(groups.ids[1], 1000);
  EXPECT_EQ(groups.ids[TwoNames::count - 1], 1000) << "by its object_id";
  EXPECT_EQ(groups.ids[3], 1002);
  std::vector<int64_t> rows(TwoNames::count);
  std::iota(rows.begin(), rows.end(), int64_t{0});
  const RowSplit split = split_validation(dataset, rows, 0.3, 1);
  const std::set<int64_t> held(split.validation.begin(), split.validation.end());
  EXPECT_GT(held.size(), 40U);
  for (int64_t row = 0; row + 1 < TwoNames::count; row += 2)
    EXPECT_EQ(held.contains(row), held.contains(row + 1)) << row;
  EXPECT_EQ(held.contains(0), held.contains(TwoNames::count - 1));
}

}  // namespace
}  // namespace astroclip::data
