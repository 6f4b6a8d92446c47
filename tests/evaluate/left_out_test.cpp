// Which objects representations are measured on.
#include "evaluate/left_out.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace astroclip::evaluate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Representations of ten objects of each split, of one column.
TaskInput ten_objects() {
  TaskInput input;
  for (int64_t i = 0; i < 10; ++i) {
    input.train_ids.push_back(100 + i);
    input.test_ids.push_back(200 + i);
  }
  const Matrix values{10, 1, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};
  for (const char* name : {"aligned", "pca-1"}) {
    for (const char* modality : {"image", "spectrum"}) {
      input.representations.push_back({name, modality, false, Role::model, of_all(values), of_all(values)});
    }
  }
  return input;
}

TEST(LeaveOut, NothingWhereAllIsFinite) {
  TaskInput input = ten_objects();
  EXPECT_THAT(leave_out(input, 0.0), IsEmpty());
  for (const Representation& one : input.representations) EXPECT_EQ(one.test.objects.size(), 10U);
}

TEST(LeaveOut, FailuresOfOneRepresentationFromAllOfThem) {
  TaskInput input = ten_objects();
  input.representations[0].test.values.values[3] = std::nanf("");
  input.representations[3].test.values.values[5] = -std::numeric_limits<float>::infinity();
  EXPECT_THAT(
      leave_out(input, 0.1),
      ElementsAre("the representation 'aligned' of 'image' is not finite for 1 of 10 test objects that have the "
                  "modality (object_id 203)",
                  "the representation 'pca-1' of 'spectrum' is not finite for 1 of 10 test objects that have "
                  "the modality (object_id 205)"));
  for (const Representation& one : input.representations) {
    EXPECT_THAT(one.test.objects, ElementsAre(0, 1, 2, 4, 6, 7, 8, 9));
    EXPECT_THAT(one.test.values.values, ElementsAre(0, 1, 2, 4, 6, 7, 8, 9));
    EXPECT_EQ(one.train.objects.size(), 10U);
  }
}

TEST(LeaveOut, TooManyFailuresAreAnError) {
  TaskInput input = ten_objects();
  for (size_t i = 2; i < 9; ++i) input.representations[2].train.values.values[i] = std::nanf("");
  EXPECT_THAT([&] { leave_out(input, 0.69); },
              testing::ThrowsMessage<Error>(
                  "[evaluation] the representation 'pca-1' of 'image' is not finite for 7 of 10 training objects that "
                  "have the modality (object_id 102, 103, 104, 105, 106 …); 'max_not_finite' = 0.69 allows no such "
                  "share"));
}

/// An object without a modality is no failure, and concerns that modality alone.
TEST(LeaveOut, ObjectsWithoutAModalityStayInTheOther) {
  TaskInput input = ten_objects();
  for (const size_t image : {0, 2}) {
    input.representations[image].test = of_some(input.representations[image].test, std::vector<int64_t>{1, 2, 3});
  }
  EXPECT_THAT(leave_out(input, 0.0), IsEmpty());
  EXPECT_EQ(input.representations[0].test.objects.size(), 3U);
  EXPECT_EQ(input.representations[1].test.objects.size(), 10U);
}

TEST(LeaveOut, ObjectsWithoutTheLabelsOfAFloor) {
  TaskInput input = ten_objects();
  input.representations[2].test = of_some(input.representations[2].test, std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_THAT(leave_out(input, 0.0), ElementsAre("the floor 'pca-1' of 'image' has no values for 2 of 10 test objects "
                                                 "(object_id 208, 209)"));
  EXPECT_EQ(input.representations[0].test.objects.size(), 8U);
  EXPECT_EQ(input.representations[1].test.objects.size(), 10U);
  input.representations[2].test = {};
  EXPECT_THAT([&] { leave_out(input, 0.0); },
              testing::ThrowsMessage<Error>(testing::EndsWith("; leave it out of 'floors'")));
}

}  // namespace
}  // namespace astroclip::evaluate
