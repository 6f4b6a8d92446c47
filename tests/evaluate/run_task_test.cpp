#include "evaluate/run_task.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "base/error.h"

namespace astroclip::evaluate {
namespace {

/// Gives a prediction of two objects, or throws without the label that it reads.
class Short final : public Task {
 public:
  explicit Short(size_t predicted) : predicted_(predicted) { set_plugin_name("short"); }
  std::vector<std::string> labels() const override { return {}; }
  TaskResult run(const TaskInput& input) const override {
    if (predicted_ == 0) (void)input.test_labels.at("age");
    Prediction one{"aligned", "image", "knn", Role::model, "age", 3, {1, 2}, {0.5, 0.7}, {}};
    one.predicted.resize(predicted_);
    return {{}, {one}};
  }

 private:
  size_t predicted_;
};

std::string refusal(size_t predicted) {
  try {
    run_task(Short(predicted), {});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(RunTask, WantsAPredictionForEachObject) {
  EXPECT_EQ(refusal(2), "");
  EXPECT_EQ(refusal(1),
            "task 'short': the prediction of 'age' from 'aligned' (image) has 2 ids, 2 true and 1 predicted values");
}

TEST(RunTask, NamesATaskThatThrows) { EXPECT_EQ(refusal(0).substr(0, 21), "task 'short' failed: "); }

}  // namespace
}  // namespace astroclip::evaluate
