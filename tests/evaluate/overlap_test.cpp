#include "evaluate/overlap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace astroclip::evaluate {
namespace {

/// Three training objects and three for testing: the first has a training object's identifier, the second lies 0.5
/// arcsec from one with another identifier, the third 2 arcsec.
class Objects final : public Dataset {
 public:
  std::vector<Field> fields() const override {
    return {{"object_id", DType::i64, {}, "", ""}, {"ra", DType::f64, {}, "", ""}, {"dec", DType::f64, {}, "", ""}};
  }
  int64_t size(Split) const override { return 3; }
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override {
    const bool is_test = split == Split::test;
    const int64_t ids[] = {is_test ? 2 : 1, is_test ? 12 : 2, is_test ? 13 : 3};
    const double ra[] = {is_test ? 50.0 : 10.0, 20.0, 30.0};
    const double dec[] = {0.0, is_test ? 0.5 / 3600.0 : 0.0, is_test ? 2.0 / 3600.0 : 0.0};
    for (const std::string& name : names) {
      HostArray array(name == "object_id" ? DType::i64 : DType::f64, {std::ssize(rows)});
      for (size_t i = 0; i < rows.size(); ++i) {
        const auto row = static_cast<size_t>(rows[i]);
        if (name == "object_id")
          array.values<int64_t>()[i] = ids[row];
        else
          array.values<double>()[i] = name == "ra" ? ra[row] : dec[row];
      }
      out[name] = std::move(array);
    }
  }
};

TEST(OverlapTest, FindsObjectsOfBothSplitsByIdentifierAndPosition) {
  const InBoth in_both = in_both_splits(Objects());
  EXPECT_THAT(in_both.test_rows, testing::ElementsAre(true, true, false));
  EXPECT_EQ(in_both.by_position, 1);
  EXPECT_EQ(describe_overlap(Experiment(), in_both),
            "2 of 3 test objects are training objects, too (1 by object_id, 1 by position within 1 arcsec) and are not "
            "measured");
}

}  // namespace
}  // namespace astroclip::evaluate
