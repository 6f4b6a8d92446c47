#include "backend/cuda/plan_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/output/durable_file.h"
#include "support/message_of.h"
#include "support/scratch.h"

namespace astroclip::cuda {
namespace {

using testing_support::message_of;
using testing_support::scratch;

constexpr PlanTable::Algorithm first = {0, 1, 0xFFFFFFFFFFFFFFFF, 3, 4, 5, 6, 7},
                               second = {8, 9, 10, 11, 12, 13, 14, 15};

TEST(PlanTable, KeepsWhatWasAdded) {
  const std::string path = scratch("kept.txt");
  PlanTable written(path, "a card");
  EXPECT_EQ(written.find("1x2x3 nt"), nullptr);
  written.add("1x2x3 nt", second);
  written.add("1x2x3 nt", first);
  written.add("4x5x6 nn, bias", second);
  const PlanTable read(path, "a card");
  ASSERT_NE(read.find("1x2x3 nt"), nullptr);
  EXPECT_EQ(*read.find("1x2x3 nt"), first);
  ASSERT_NE(read.find("4x5x6 nn, bias"), nullptr);
  EXPECT_EQ(*read.find("4x5x6 nn, bias"), second);
  EXPECT_EQ(read.find("4x5x6 nn"), nullptr);
}

TEST(PlanTable, HoldsForOneCard) {
  const std::string path = scratch("cards.txt");
  PlanTable(path, "a card").add("1x2x3 nt", first);
  PlanTable other(path, "another card");
  EXPECT_EQ(other.find("1x2x3 nt"), nullptr);
  other.add("4x5x6 nn", second);
  EXPECT_EQ(PlanTable(path, "a card").find("1x2x3 nt"), nullptr);
  EXPECT_NE(PlanTable(path, "another card").find("4x5x6 nn"), nullptr);
}

TEST(PlanTable, RefusesOtherFiles) {
  const std::string path = scratch("refused.txt");
  const auto read = [&] { PlanTable(path, "a card"); };
  io::write_text(path, "[experiment]\n");
  EXPECT_NE(message_of(read).find("refused.txt:1: expected a table of products"), std::string::npos);
  PlanTable table(scratch("good.txt"), "a card");
  table.add("1x2x3 nt", first);
  const std::string good = io::read_text(scratch("good.txt"));
  for (const std::string& line :
       std::vector<std::string>{"1x2x3 nt", "1x2x3 nt = 1 2 3", "1x2x3 nt = 1 2 3 4 5 6 7 8 9",
                                "1x2x3 nt = 1 2 3 4 5 6 7 x", "1x2x3 nt = 1 2 3 4 5 6 7 -8", ""}) {
    io::write_text(path, good + line + "\n");
    EXPECT_NE(message_of(read).find("refused.txt:3: expected a product"), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace astroclip::cuda
