// The verb as a user starts it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "explored.h"
#include "support/program.h"

namespace astroclip::explore {
namespace {

using testing::HasSubstr;

TEST(ExploreVerb, ServesUntilItIsInterrupted) {
  const std::string path = write_embeddings("verb.h5", {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(testing_support::run_and_signal({"explore", path, "--threads", "1"}, path + ".view", SIGINT), 0);
}

TEST(ExploreVerb, NamesWhatItCannotShow) {
  EXPECT_THAT(testing_support::run_program("explore /nowhere.h5").err, HasSubstr("/nowhere.h5"));
  const auto other = testing_support::run_program("explore '" + survey_file() + "'");
  EXPECT_EQ(other.status, 1);
  EXPECT_THAT(other.err, HasSubstr("expected embeddings as `astroclip embed` or a run writes them"));
  EXPECT_EQ(testing_support::run_program("explore a.h5 --data b.h5 --dataset c.toml").status, 2);
  const std::string path = write_embeddings("verb2.h5", {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(testing_support::run_program("explore '" + path + "' --model /nowhere.safetensors").err,
              HasSubstr("/nowhere.safetensors"));
}

TEST(ExploreVerb, LeavesLoopbackOnlyWhenToldTo) {
  const auto refused = testing_support::run_program("explore a.h5 --listen 192.0.2.1");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("nothing is encrypted. Add --open-to-network"));
  EXPECT_THAT(testing_support::run_program("explore a.h5 --listen 0.0.0.0 --open-to-network").err,
              HasSubstr("name the one at which it is to be reached"));
}

}  // namespace
}  // namespace astroclip::explore
