#include "explore/exported_table.h"

#include <fitsio.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <pugixml.hpp>

#include "io/fits.h"
#include "io/table/table.h"
#include "support/scratch.h"

namespace astroclip::explore {
namespace {

using testing::ElementsAre;
using testing_support::scratch;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

io::Column column_of(const std::string& name, io::ColumnValues values, std::vector<bool> missing = {}) {
  return {.name = name, .place = name, .values = std::move(values), .missing = std::move(missing)};
}

/// One of every type; the second row has values at their ends, the third is missing where it can be.
ExportedTable three_rows() {
  const int64_t large = 9007199254740993;  // 2^53 + 1
  return {{{"model_hash", "f00d"}, {"selection", "a \"b\" <c> & d"}},
          {{column_of("object_id", std::vector<uint64_t>{1, UINT64_MAX, 7}), "", "identifier"},
           {column_of("count", std::vector<int64_t>{-3, large, 0}, {false, false, true}), "ct", "photons"},
           {column_of("z", std::vector<double>{0.1, -1e300, nan}), "km / s", "speed"},
           {column_of("Z", std::vector<double>{double{0.1F}, double{16777216.0F}, nan}), "mag", "", true},
           {column_of("type", std::vector<std::string>{"a,b", "say \"x\" <&>", ""}, {false, false, true}), "", "class"},
           {column_of("good", std::vector<bool>{true, false, true})}}};
}

std::string written(const std::string& name, const std::string& bytes) {
  const std::string path = scratch(name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

void expect_rows(const io::Table& table) {
  ASSERT_EQ(table.rows(), 3);
  EXPECT_EQ(table.read("object_id").text(1), "18446744073709551615");
  const io::Column counts = table.read("count");
  EXPECT_EQ(counts.text(0), "-3");
  EXPECT_EQ(counts.text(1), "9007199254740993");
  EXPECT_TRUE(counts.is_missing(2));
  const std::vector<double> speeds = table.read("z").numbers();
  EXPECT_EQ(speeds[0], 0.1);
  EXPECT_EQ(speeds[1], -1e300);
  EXPECT_TRUE(std::isnan(speeds[2]));
  const io::Column types = table.read("type");
  EXPECT_EQ(types.text(0), "a,b");
  EXPECT_EQ(types.text(1), "say \"x\" <&>");
  EXPECT_TRUE(types.is_missing(2));
  EXPECT_THAT(table.read("good").numbers(), ElementsAre(1, 0, 1));
}

TEST(ExportedTable, CsvIsReadBack) {
  const std::string text = csv_text(three_rows());
  EXPECT_THAT(text, testing::StartsWith("object_id,count,z,Z,type,good\r\n1,-3,0.1,0.1,\"a,b\",true\r\n"));
  expect_rows(io::Table::open(written("exported.csv", text)));
}

TEST(ExportedTable, FitsIsReadBackWithUnits) {
  const std::string bytes = fits_bytes(three_rows());
  EXPECT_EQ(bytes.size() % 2880, 0U);
  const std::string path = written("exported.fits", bytes);
  expect_rows(io::Table::open(path));
  const io::FitsFile file = io::FitsFile::open(path);
  EXPECT_EQ(file.column_unit("SELECTION", "count"), "ct");
  EXPECT_EQ(file.column_unit("SELECTION", "z"), "km / s");
  EXPECT_EQ(file.column_unit("SELECTION", "Z_2"), "mag");
  EXPECT_EQ(file.column("SELECTION", "Z_2")[0], double{0.1F});
  EXPECT_THAT(file.warning(), testing::IsEmpty());
  // As cfitsio itself reads them.
  fitsfile* own = nullptr;
  int status = 0, any = 0, type = 0;
  long repeat = 0, width = 0;
  fits_open_table(&own, path.c_str(), READONLY, &status);
  LONGLONG count = 0, null = -1;
  fits_read_col(own, TLONGLONG, 2, 3, 1, 1, &null, &count, &any, &status);
  EXPECT_EQ(any, 1);
  EXPECT_EQ(count, -1);
  fits_get_coltype(own, 4, &type, &repeat, &width, &status);
  EXPECT_EQ(type, TFLOAT);
  char meaning[FLEN_VALUE] = "";
  fits_read_key(own, TSTRING, "TCOMM3", meaning, nullptr, &status);
  EXPECT_STREQ(meaning, "speed");
  EXPECT_EQ(status, 0);
  fits_close_file(own, &status);
}

TEST(ExportedTable, FitsHoldsNothingThatWasInMemoryBefore) {
  const std::string earlier = fits_bytes(three_rows());
  std::vector<std::unique_ptr<char, decltype(&std::free)>> stale;
  for (int i = 0; i < 20; ++i) {
    constexpr size_t size = size_t{68} << 10;  // about what a small table takes
    stale.emplace_back(static_cast<char*>(std::malloc(size)), &std::free);
    for (size_t at = 0; at < size; at += earlier.size())
      std::memcpy(stale.back().get() + at, earlier.data(), std::min(earlier.size(), size - at));
  }
  stale.clear();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(fits_bytes(three_rows()), earlier);
    EXPECT_EQ(io::FitsFile::open(written("anew.fits", fits_bytes(three_rows()))).hdus().size(), 2U);
  }
}

TEST(ExportedTable, VotableIsReadBackWithUnits) {
  const std::string text = votable_text(three_rows());
  expect_rows(io::Table::open(written("exported.vot", text)));
  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(text.c_str()));
  const pugi::xml_node table = document.child("VOTABLE").child("RESOURCE").child("TABLE");
  std::vector<std::string> types, units;
  for (const pugi::xml_node& field : table.children("FIELD")) {
    types.emplace_back(field.attribute("datatype").value());
    units.emplace_back(field.attribute("unit").value());
  }
  EXPECT_THAT(types, ElementsAre("char", "long", "double", "float", "char", "boolean"));
  EXPECT_THAT(units, ElementsAre("", "ct", "km / s", "mag", "", ""));
  EXPECT_STREQ(table.child("FIELD").attribute("ucd").value(), "meta.id;meta.main");
  EXPECT_STREQ(table.find_child_by_attribute("PARAM", "name", "selection").attribute("value").value(),
               "a \"b\" <c> & d");
}

TEST(ExportedTable, WritesTextsThatAreNoText) {
  const ExportedTable odd{{}, {{column_of("name", std::vector<std::string>{"Å\x01", "\xFF\xC3", "é"})}}};
  const std::string text = votable_text(odd);
  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(text.c_str()));
  const pugi::xml_node table = document.child("VOTABLE").child("RESOURCE").child("TABLE");
  EXPECT_STREQ(table.child("FIELD").attribute("datatype").value(), "unicodeChar");
  std::vector<std::string> cells;
  for (const pugi::xml_node& row : table.child("DATA").child("TABLEDATA").children("TR"))
    cells.emplace_back(row.child_value("TD"));
  EXPECT_THAT(cells, ElementsAre("Å?", "??", "é"));
  const io::FitsFile file = io::FitsFile::open(written("odd.fits", fits_bytes(odd)));
  EXPECT_THAT(file.text_column("SELECTION", "name"), ElementsAre("???", "??", "??"));
}

TEST(ExportedTable, MayHaveNoRows) {
  const ExportedTable none{{},
                           {{column_of("a", std::vector<int64_t>())}, {column_of("b", std::vector<std::string>())}}};
  EXPECT_EQ(csv_text(none), "a,b\r\n");
  EXPECT_EQ(io::Table::open(written("none.fits", fits_bytes(none))).rows(), 0);
  EXPECT_EQ(io::Table::open(written("none.vot", votable_text(none))).rows(), 0);
}

}  // namespace
}  // namespace astroclip::explore
