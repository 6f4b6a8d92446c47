#include "fits/label_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/error.h"
#include "support/fits_files.h"
#include "support/scratch.h"

namespace astroclip::fits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;
using testing_support::FitsWriter;
using testing_support::scratch;

const std::vector<std::string> ids = {"39633300968442591", "39633300968442592"};
const std::vector<SkyPosition> places = {{180.0, 5.0}, {180.1, 5.0}};

std::string written(const std::string& name, const std::string& text) {
  const std::string path = scratch(name);
  std::ofstream(path) << text;
  return path;
}

TEST(LabelTablesTest, JoinsByIdentifierWhereOneIsAnObjects) {
  // Ids that differ by less than float64 can tell; their places would be the other way round.
  const std::string path = written("by_id.csv",
                                   "TARGETID,RA,DEC,mass,good,class\n39633300968442592,180,5,11,True,a\n"
                                   "39633300968442591,180.1,5,10,False,b\n");
  const TableLabels joined = join_tables(std::vector{path}, ids, places);
  ASSERT_EQ(joined.labels.size(), 2U);
  EXPECT_THAT(joined.labels.at("mass"), ElementsAre(10, 11));
  EXPECT_THAT(joined.labels.at("good"), ElementsAre(0, 1));
  EXPECT_THAT(joined.notes,
              ElementsAre("labels mass, good of " + path +
                          ": 2 of 2 objects matched by object_id = TARGETID; kept as texts, of which no label is made: "
                          "class; left out: TARGETID, RA, DEC"));
  EXPECT_THAT(joined.texts.at("class"), ElementsAre("b", "a"));
}

TEST(LabelTablesTest, ElseByPosition) {
  const std::string path = scratch("by_place.fits");
  FitsWriter(path)
      .empty_primary()
      .table("STARS", 1, {{"Z", "D", {0.0}}})
      .table(
          "CAT", 2,
          {{"id", "K", {}, {1, 2}}, {"ra", "D", {180.1, 170.0}}, {"dec", "D", {5.0001, 5.0}}, {"z", "D", {0.3, 0.4}}});
  const TableLabels joined = join_tables(std::vector{path + "[CAT]"}, ids, places);
  EXPECT_TRUE(std::isnan(joined.labels.at("z")[0]));
  EXPECT_EQ(joined.labels.at("z")[1], 0.3);
  EXPECT_THAT(joined.notes[0], HasSubstr("1 of 2 objects matched within 1 arcsec of ra, dec; 1 has no row"));
  EXPECT_THAT([&] { join_tables(std::vector{path}, ids, places); },
              ThrowsMessage<Error>(path + ": holds 2 tables; say which is wanted: 'STARS', 'CAT'"));
}

TEST(LabelTablesTest, SaysWhatATableLacks) {
  const std::string no_key = written("no_key.csv", "name,z\na,0.1\n"),
                    no_label = written("no_label.csv", "id,redshift\n1,2\n");
  EXPECT_THAT([&] { join_tables(std::vector{no_key}, ids, places); },
              ThrowsMessage<Error>(no_key + ": has no column of identifiers (as TARGETID or object_id) and none of "
                                            "positions (as ra and dec); it has name, z"));
  EXPECT_THAT([&] { join_tables(std::vector{no_label}, ids, places); },
              ThrowsMessage<Error>(no_label + ": has no column of numbers or texts that can be a label"));
}

}  // namespace
}  // namespace astroclip::fits
