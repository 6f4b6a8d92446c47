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
const std::vector<SkyPosition> places = {{180.0, 5.0}, {180.0, 5.0 + 10.0 / 3600.0}};

std::string written(const std::string& name, const std::string& text) {
  const std::string path = scratch(name);
  std::ofstream(path) << text;
  return path;
}

TEST(LabelTablesTest, JoinsByIdentifier) {
  // Ids that differ by less than float64 can tell; their places would be the other way round.
  const std::string path = written("by_id.csv",
                                   "TARGETID,RA,DEC,mass,good,class\n39633300968442592,180,5,11,True,a\n"
                                   "39633300968442591,180,5.00277777778,10,False,b\n");
  const TableLabels joined = LabelTables(std::vector{path}).join(ids, places);
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
          {{"id", "K", {}, {1, 2}}, {"ra", "D", {180.0, 170.0}}, {"dec", "D", {5.0029, 5.0}}, {"z", "D", {0.3, 0.4}}});
  const TableLabels joined = LabelTables(std::vector{path + "[CAT]"}).join(ids, places);
  EXPECT_TRUE(std::isnan(joined.labels.at("z")[0]));
  EXPECT_EQ(joined.labels.at("z")[1], 0.3);
  EXPECT_THAT(joined.notes[0], HasSubstr("0 of 2 objects matched by object_id = id, 1 of the others within 1 arcsec of "
                                         "ra, dec; 1 has no row"));
  EXPECT_THAT([&] { LabelTables(std::vector{path}).join(ids, places); },
              ThrowsMessage<Error>(path + ": holds 2 tables; say which is wanted: 'STARS', 'CAT'"));
}

/// A survey's objects by its ids, and those of another survey in the same catalogue by their places.
TEST(LabelTablesTest, JoinsWhatHasNoRowByPosition) {
  const std::string path = written("mixed.csv", "id,ra,dec,z\n39633300968442591,180,5,0.1\nsdss-1,180,5.0028,0.2\n");
  const TableLabels joined = LabelTables(std::vector{path}).join(ids, places);
  EXPECT_THAT(joined.labels.at("z"), ElementsAre(0.1, 0.2));
  EXPECT_THAT(joined.notes[0], HasSubstr("1 of 2 objects matched by object_id = id, 1 of the others within 1 arcsec of "
                                         "ra, dec; left out"));
}

/// Numbers of rows are no identifiers of another catalogue's objects.
TEST(LabelTablesTest, ARowOfTheSameIdentifierThatIsFarAwayIsNotTaken) {
  const std::string path = written("numbered.csv", "id,ra,dec,z\n1,10,20,0.1\n2,180,5,0.2\n");
  const TableLabels joined = LabelTables(std::vector{path}).join(std::vector<std::string>{"1", "7"}, places);
  EXPECT_EQ(joined.labels.at("z")[0], 0.2);
  EXPECT_TRUE(std::isnan(joined.labels.at("z")[1]));
  EXPECT_THAT(
      joined.notes[0],
      HasSubstr("0 of 2 objects matched by object_id = id, 1 of the others within 1 arcsec of ra, dec; 1 has no "
                "row; 1 row of the same identifier is not taken, as it lies over 60 arcsec away"));
}

TEST(LabelTablesTest, SaysWhatATableLacks) {
  const std::string no_key = written("no_key.csv", "name,z\na,0.1\n"),
                    no_label = written("no_label.csv", "id,redshift\n1,2\n");
  EXPECT_THAT([&] { LabelTables(std::vector{no_key}).join(ids, places); },
              ThrowsMessage<Error>(no_key + ": has no column of identifiers (as TARGETID or object_id) and none of "
                                            "positions (as ra and dec); it has name, z"));
  EXPECT_THAT([&] { LabelTables(std::vector{no_label}).join(ids, places); },
              ThrowsMessage<Error>(no_label + ": has no column of numbers or texts that can be a label"));
}

}  // namespace
}  // namespace astroclip::fits
