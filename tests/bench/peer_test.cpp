#include "bench/peer.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "support/scratch.h"

namespace astroclip::bench {
namespace {

/// In the place of Python: takes two seconds, it says, for every call.
std::string interpreter() {
  const std::string path = testing_support::scratch("python");
  std::ofstream(path) << "#!/bin/sh\necho ready exact\nwhile read -r mode; do echo 2; done\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

/// A peer ends when its input does, which another one that was started later must not hold open.
TEST(Peer, EndsWhileALaterOneGoesOn) {
  const std::string python = interpreter();
  auto first = std::make_unique<Peer>(python, "faiss", "search", 1, Precision::f32);
  Peer second(python, "scikit-learn", "search", 1, Precision::f32);
  first.reset();
  EXPECT_THAT(second.modes(), testing::ElementsAre("exact"));
  EXPECT_EQ(second.seconds("exact"), 2.0);
}

}  // namespace
}  // namespace astroclip::bench
