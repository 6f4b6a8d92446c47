#include "data/subset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/fields.h"

namespace astroclip::data {
namespace {

/// Rows of the training split hold 0, 1, 2 …, those of the test split 100, 101, 102 …
class Numbers final : public Dataset {
 public:
  std::vector<Field> fields() const override { return {{"number", DType::i64, {}, "", ""}}; }
  int64_t size(Split) const override { return 10; }
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string>, HostBatch& out) const override {
    HostArray& column = out["number"] = HostArray(fields()[0], std::ssize(rows));
    for (size_t i = 0; i < rows.size(); ++i) column.values<int64_t>()[i] = rows[i] + (split == Split::test ? 100 : 0);
  }
};

TEST(SubsetTest, HasTheRowsItWasGivenInTheirOrder) {
  const Numbers all;
  const Subset some(all, {7, 2, 5}, {1});
  EXPECT_EQ(some.size(Split::train), 3);
  EXPECT_EQ(some.size(Split::test), 1);
  EXPECT_THAT(read_label(some, Split::train, std::vector<int64_t>{2, 0}, "number"), testing::ElementsAre(5, 7));
  EXPECT_THAT(read_label(some, Split::test, std::vector<int64_t>{0}, "number"), testing::ElementsAre(101));
}

}  // namespace
}  // namespace astroclip::data
