#include "bench/peer.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "support/scratch.h"

namespace astroclip::bench {
namespace {

/// In the place of Python.
std::string interpreter(const std::string& script) {
  const std::string path = testing_support::scratch("python");
  std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

/// A peer ends when its input does, which another one that was started later must not hold open.
TEST(Peer, EndsWhileALaterOneGoesOn) {
  const std::string python = interpreter("echo ready exact; while read -r mode; do echo 2; done");
  auto first = std::make_unique<Peer>(python, "faiss", "search", 1, Settings());
  Peer second(python, "scikit-learn", "search", 1, {});
  first.reset();
  EXPECT_THAT(second.modes(), testing::ElementsAre("exact"));
  EXPECT_EQ(second.seconds("exact"), 2.0);
}

/// A work that is too slow costs itself alone: the next one has a process of its own.
TEST(CardPeer, StartsAnewAfterAWorkThatEndedItsProcess) {
  const std::string python = interpreter(R"(while read -r request; do
  case $request in
    *slow*) echo '{"error": "not done within 1 s"}'; exit 3;;
    *crash*) exit 4;;
    *) echo 'a warning'; echo '{"mode": "compiled, bf16", "seconds": 2, "first": 5, "memory": 7}'; echo '{"done": true}'
  esac
done)");
  CardPeer peer(python, {}, {});
  EXPECT_EQ(peer.measure("slow", 1).at(0).error, "not done within 1 s");
  const auto results = peer.measure("quick", 1);
  ASSERT_EQ(results.size(), 1);
  EXPECT_EQ(results[0].mode, "compiled, bf16");
  EXPECT_EQ(results[0].seconds, 2.0);
  EXPECT_EQ(results[0].first, 5.0);
  EXPECT_EQ(results[0].memory, 7.0);
  EXPECT_EQ(results[0].error, "");
  EXPECT_EQ(peer.measure("crash", 1).at(0).error, "the process ended; its output is above");
  EXPECT_EQ(peer.measure("quick", 1).size(), 1);
}

}  // namespace
}  // namespace astroclip::bench
