#include "io/table/table.h"

#include <fitsio.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/error.h"
#include "support/fits_files.h"
#include "support/hdf5_files.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;
using testing_support::FitsWriter;
using testing_support::Hdf5Written;
using testing_support::scratch;

using Integers = std::vector<int64_t>;
using Unsigned = std::vector<uint64_t>;
using Numbers = std::vector<double>;
using Truths = std::vector<bool>;
using Texts = std::vector<std::string>;

std::string written(const std::string& name, const std::string& text) {
  const std::string path = scratch(name);
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

Column column_of(const std::string& path, const std::string& name, const std::string& table = "") {
  return Table::open(path, table).read(name);
}

template <class T>
T values(const Column& column) {
  return std::get<T>(column.values);
}

TEST(CsvTest, TypesColumnsExactly) {
  const std::string path = written("types.csv",
                                   "# made by hand\n"
                                   "id,big,z,good,class,plate\r\n"
                                   "9007199254740993,1,0.5,True,GALAXY,0266\r\n"
                                   "-1,18446744073709551615,1e-3,False,\"a, \"\"b\"\"\nc\",0267\n"
                                   "\n"
                                   "# a note\n"
                                   "nan,3,,,,\n");
  const auto table = Table::open(path);
  EXPECT_EQ(table.format(), "CSV");
  EXPECT_EQ(table.rows(), 3);
  EXPECT_THAT(table.columns(), ElementsAre("id", "big", "z", "good", "class", "plate"));
  const Column id = table.read("ID");
  EXPECT_EQ(id.name, "id");
  EXPECT_EQ(values<Integers>(id), (Integers{9007199254740993, -1, 0}));
  EXPECT_TRUE(id.is_missing(2));
  EXPECT_FALSE(id.is_missing(1));
  EXPECT_EQ(values<Unsigned>(table.read("big")), (Unsigned{1, 18446744073709551615U, 3}));
  const Column z = table.read("z");
  EXPECT_EQ(values<Numbers>(z)[1], 1e-3);
  EXPECT_TRUE(z.is_missing(2));
  EXPECT_EQ(values<Truths>(table.read("good")), (Truths{true, false, false}));
  EXPECT_TRUE(table.read("good").is_missing(2));
  EXPECT_EQ(values<Texts>(table.read("class")), (Texts{"GALAXY", "a, \"b\"\nc", ""}));
  EXPECT_EQ(values<Texts>(table.read("plate")), (Texts{"0266", "0267", ""})) << "leading zeros belong to the name";
}

TEST(CsvTest, ReadsIntegersOfManyDigitsAsText) {
  const std::string path = written("digits.csv", "id\n123456789012345678901234567890\n5\n");
  EXPECT_EQ(values<Texts>(column_of(path, "id")), (Texts{"123456789012345678901234567890", "5"}));
}

TEST(CsvTest, FindsTheSeparatorAndTheHeader) {
  for (const std::string text :
       {"a\tb\n1\t2.5\n", "a;b\n1;2.5\n", "a|b\n1|2.5\n", "a  b\n 1   2.5 \n",
        "\xEF\xBB\xBF"
        "a,b\n1, 2.5",
        "# %ECSV 1.0\n# ---\n# datatype:\na b\n1 2.5\n", "# a b\n1 2.5\n", "#Table1\na,b\r1,2.5\r"}) {
    const auto table = Table::open(written("separated.csv", text));
    EXPECT_THAT(table.columns(), ElementsAre("a", "b")) << text;
    EXPECT_EQ(values<Integers>(table.read("a")), (Integers{1})) << text;
    EXPECT_EQ(values<Numbers>(table.read("b")), (Numbers{2.5})) << text;
  }
}

TEST(CsvTest, NamesTheLine) {
  const auto says = [](const std::string& text, const std::string& message) {
    const std::string path = written("wrong.csv", text);
    EXPECT_THAT([&] { Table::open(path); }, ThrowsMessage<Error>(path + ": " + message)) << text;
  };
  says("a,b\n1,2\n1,2,3\n", "line 3: expected 2 fields, as the header has, found 3");
  says("a,b\n\"x\ny\",2\n1\n", "line 4: expected 2 fields, as the header has, found 1");
  says("a,b\n1,\"2\n", "line 2: a quote is not closed");
  says("a,b\n1,\"2\"3\n", "line 2: text follows a closing quote");
  says("1,2\n3,4\n", "line 1: expected the names of the columns, found numbers");
  says("# nothing\n", "holds no table");
  says("PAR1....", "is no table but a Parquet file; write it as FITS, HDF5 or CSV");
  says(std::string("\x93NUMPY\0\0", 8), "is no table but a NumPy array (.npy); write it as FITS, HDF5 or CSV");
  const std::string path = written("names.csv", "ra,dec,z,z\n1,2,3,x\n");
  EXPECT_THAT([&] { column_of(path, "deg"); },
              ThrowsMessage<Error>(path + ": has no column 'deg'; it has ra, dec, z, z; did you mean 'dec'?"));
  EXPECT_THAT([&] { column_of(path, "z"); }, ThrowsMessage<Error>(path + ": has 2 columns 'z'"));
  const Column text = column_of(written("text.csv", "z\n0.5\nlow\n"), "z");
  EXPECT_THAT([&] { (void)text.numbers(); },
              ThrowsMessage<Error>(text.place + ", row 2: expected a number, found 'low'"));
}

TEST(FitsTableTest, ReadsEveryTypeExactly) {
  const std::string path = scratch("types.fits");
  fitsfile* file = nullptr;
  int status = 0;
  std::filesystem::remove(path);
  fits_create_diskfile(&file, path.c_str(), &status);
  const char* names[] = {"BIG", "SMALL", "FLAG", "Z", "NAME", "SCALED", "COEFF", "ID"};
  const char* forms[] = {"W", "I", "L", "E", "8A", "I", "3E", "K"};
  fits_create_tbl(file, BINARY_TBL, 0, 8, const_cast<char**>(names), const_cast<char**>(forms), nullptr, "CAT",
                  &status);
  int small_null = -99;
  fits_write_key(file, TINT, "TNULL2", &small_null, nullptr, &status);
  double scale = 0.5;
  fits_write_key(file, TDOUBLE, "TSCAL6", &scale, nullptr, &status);
  fits_set_hdustruc(file, &status);
  ULONGLONG big[] = {14127161586843054080U, 3};
  short small[] = {-99, 7};
  char flag[] = {1, 0};
  float z[] = {0.25F, NAN};
  char first[] = "NGC 1", second[] = "";
  char* texts[] = {first, second};
  double scaled[] = {1.5, 2.0};
  LONGLONG id[] = {9007199254740993, -1};
  fits_write_col(file, TULONGLONG, 1, 1, 1, 2, big, &status);
  fits_write_col(file, TSHORT, 2, 1, 1, 2, small, &status);
  fits_write_col(file, TLOGICAL, 3, 1, 1, 2, flag, &status);
  fits_write_col(file, TFLOAT, 4, 1, 1, 2, z, &status);
  fits_write_col(file, TSTRING, 5, 1, 1, 2, texts, &status);
  fits_write_col(file, TDOUBLE, 6, 1, 1, 2, scaled, &status);
  fits_write_col(file, TLONGLONG, 8, 1, 1, 2, id, &status);
  fits_close_file(file, &status);
  ASSERT_EQ(status, 0);

  const auto table = Table::open(path);
  EXPECT_EQ(table.rows(), 2);
  EXPECT_THAT(table.columns(), ElementsAre("BIG", "SMALL", "FLAG", "Z", "NAME", "SCALED", "ID"));
  EXPECT_EQ(values<Unsigned>(table.read("BIG")), (Unsigned{14127161586843054080U, 3}));
  const Column small_column = table.read("small");
  EXPECT_TRUE(small_column.is_missing(0));
  EXPECT_EQ(values<Integers>(small_column)[1], 7);
  EXPECT_EQ(values<Truths>(table.read("FLAG")), (Truths{true, false}));
  EXPECT_EQ(values<Numbers>(table.read("Z"))[0], 0.25);
  EXPECT_TRUE(table.read("Z").is_missing(1));
  EXPECT_EQ(values<Texts>(table.read("NAME")), (Texts{"NGC 1", ""}));
  EXPECT_TRUE(table.read("NAME").is_missing(1));
  EXPECT_EQ(values<Numbers>(table.read("SCALED")), (Numbers{1.5, 2.0}));
  EXPECT_EQ(values<Integers>(table.read("ID")), (Integers{9007199254740993, -1}));
  EXPECT_THAT([&] { table.read("COEFF"); }, ThrowsMessage<Error>(HasSubstr("column 'COEFF' has 3 numbers a row")));
}

TEST(FitsTableTest, ReadsAsciiTablesFromTheirText) {
  const std::string path = scratch("ascii.fits");
  fitsfile* file = nullptr;
  int status = 0;
  std::filesystem::remove(path);
  fits_create_diskfile(&file, path.c_str(), &status);
  const char* names[] = {"ID", "Z", "IMPLIED", "NAME"};
  const char* forms[] = {"I20", "D12.4", "F6.2", "A5"};
  fits_create_tbl(file, ASCII_TBL, 2, 4, const_cast<char**>(names), const_cast<char**>(forms), nullptr, "CAT", &status);
  char undefined[] = "***";
  fits_write_key(file, TSTRING, "TNULL2", undefined, nullptr, &status);
  long begins[4] = {}, row_bytes = 0;
  fits_get_acolparms(file, 1, nullptr, &begins[0], nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, &status);
  fits_get_acolparms(file, 2, nullptr, &begins[1], nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, &status);
  fits_get_acolparms(file, 3, nullptr, &begins[2], nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, &status);
  fits_get_acolparms(file, 4, nullptr, &begins[3], nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, &status);
  fits_read_key(file, TLONG, "NAXIS1", &row_bytes, nullptr, &status);
  const auto write_row = [&](long row, const std::vector<std::string>& cells) {
    std::string bytes(static_cast<size_t>(row_bytes), ' ');
    for (size_t i = 0; i < cells.size(); ++i)
      bytes.replace(static_cast<size_t>(begins[i]) - 1, cells[i].size(), cells[i]);
    fits_write_tblbytes(file, row, 1, row_bytes, reinterpret_cast<unsigned char*>(bytes.data()), &status);
  };
  write_row(1, {"   39633300968442591", "   1.25D-1", "   125", "abc"});
  write_row(2, {"                  -7", "***", "  -1.5", ""});
  fits_close_file(file, &status);
  ASSERT_EQ(status, 0);

  const auto table = Table::open(path);
  EXPECT_EQ(values<Integers>(table.read("ID")), (Integers{39633300968442591, -7}));
  EXPECT_EQ(values<Numbers>(table.read("Z"))[0], 0.125);
  EXPECT_TRUE(table.read("Z").is_missing(1));
  EXPECT_EQ(values<Numbers>(table.read("IMPLIED")), (Numbers{1.25, -1.5}));
  EXPECT_EQ(values<Texts>(table.read("NAME")), (Texts{"abc", ""}));
}

TEST(FitsTableTest, ReadsElementsOfVectors) {
  const std::string path = scratch("vectors.fits");
  FitsWriter(path).empty_primary().table(
      "CAT", 2, {{"Z", "D", {0.5, 0.7}}, {"FLUX", "3E", {1, 2, NAN, 4, 5, 6}}, {"COUNT", "2K", {}, {1, 2, 3, 4}}});
  const auto table = Table::open(path);
  EXPECT_THAT(table.columns(), ElementsAre("Z"));
  EXPECT_THAT(table.elements(), ElementsAre("FLUX[0]", "FLUX[1]", "FLUX[2]", "COUNT[0]", "COUNT[1]"));
  EXPECT_TRUE(table.has("flux[2]"));
  EXPECT_FALSE(table.has("FLUX[3]"));
  const Column middle = table.read("flux[1]");
  EXPECT_EQ(middle.name, "FLUX[1]");
  EXPECT_EQ(values<Numbers>(middle), (Numbers{2, 5}));
  EXPECT_TRUE(table.read("FLUX[2]").is_missing(0));
  EXPECT_EQ(values<Integers>(table.read("COUNT[1]")), (Integers{2, 4}));
  EXPECT_THAT(
      [&] { (void)table.read("FLUX"); },
      ThrowsMessage<Error>(path + ": column 'FLUX' has 3 numbers a row; 'FLUX[0]' to 'FLUX[2]' are its elements"));
}

TEST(FitsTableTest, AsksWhichOfSeveralTables) {
  const std::string path = scratch("two.fits");
  FitsWriter(path).empty_primary().table("ZBEST", 1, {{"Z", "D", {0.5}}}).table("FIBERMAP", 1, {{"Z", "D", {1.5}}});
  EXPECT_THAT([&] { Table::open(path); },
              ThrowsMessage<Error>(path + ": holds 2 tables; say which is wanted: 'ZBEST', 'FIBERMAP'"));
  EXPECT_THAT([&] { Table::open(path, "ZBET"); },
              ThrowsMessage<Error>(path + ": has no table 'ZBET'; it has 'ZBEST', 'FIBERMAP'; did you mean 'ZBEST'?"));
  EXPECT_EQ(values<Numbers>(column_of(path, "Z", "fibermap")), (Numbers{1.5}));
}

class Hdf5TableTest : public testing::Test {
 protected:
  static hid_t truth_type() {
    const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    const int8_t no = 0, yes = 1;
    H5Tenum_insert(type, "FALSE", &no);
    H5Tenum_insert(type, "TRUE", &yes);
    return type;
  }
  static hid_t text_type(size_t size) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    return type;
  }
};

TEST_F(Hdf5TableTest, ReadsDatasetsOfAGroup) {
  const std::string path = scratch("group.h5");
  const uint64_t id[] = {9223372036854775809U, 2};
  const float z[] = {0.5F, NAN};
  const int8_t good[] = {1, 0};
  const char name[] = "abc\0\0def  ";
  const char* lists[] = {"variable", ""};
  {
    Hdf5Written file(path);
    file.write("id", {2}, id, H5T_NATIVE_UINT64, {.type = H5T_STD_U64BE});
    file.write("z", {2}, z, H5T_NATIVE_FLOAT, {});
    file.write("good", {2}, good, truth_type(), {.type = truth_type()});
    file.write("name", {2}, name, text_type(5), {.type = text_type(5)});
    file.write("list", {2}, lists, text_type(H5T_VARIABLE), {.type = text_type(H5T_VARIABLE)});
    file.write("image", {2, 3}, {1, 2, 3, 4, 5, 6});
    file.write("wave", {4}, {1, 2, 3, 4});
  }
  const auto table = Table::open(path);
  EXPECT_EQ(table.rows(), 2);
  EXPECT_EQ(values<Unsigned>(table.read("id")), (Unsigned{9223372036854775809U, 2}));
  EXPECT_EQ(values<Numbers>(table.read("z"))[0], 0.5);
  EXPECT_TRUE(table.read("z").is_missing(1));
  EXPECT_EQ(values<Truths>(table.read("good")), (Truths{true, false}));
  EXPECT_EQ(values<Texts>(table.read("name")), (Texts{"abc", "def"}));
  EXPECT_EQ(values<Texts>(table.read("list")), (Texts{"variable", ""}));
  EXPECT_FALSE(table.has("wave")) << "another number of rows";
}

TEST_F(Hdf5TableTest, ReadsCompoundDatasetsAndAstropysMasks) {
  struct Row {
    int64_t id;
    double z;
    int8_t masked;
  };
  const Row rows[] = {{9007199254740993, 0.5, 0}, {2, -1, 1}};
  const hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(Row));
  H5Tinsert(type, "ID", offsetof(Row, id), H5T_NATIVE_INT64);
  H5Tinsert(type, "Z", offsetof(Row, z), H5T_NATIVE_DOUBLE);
  H5Tinsert(type, "Z.mask", offsetof(Row, masked), truth_type());
  const std::string path = scratch("compound.h5");
  {
    Hdf5Written file(path);
    file.group("data");
    file.write("data/catalogue", {2}, rows, type, {.type = type});
  }
  const auto table = Table::open(path, "data/catalogue");
  EXPECT_EQ(values<Integers>(table.read("ID")), (Integers{9007199254740993, 2}));
  EXPECT_FALSE(table.read("Z").is_missing(0));
  EXPECT_TRUE(table.read("Z").is_missing(1));
}

TEST_F(Hdf5TableTest, ReadsElementsOfArraysInCompoundDatasets) {
  struct Row {
    float theta[3];
    double z;
  };
  const Row rows[] = {{{1, 2, 3}, 0.5}, {{4, 5, 6}, 0.7}};
  const hsize_t width = 3;
  const hid_t array = H5Tarray_create2(H5T_NATIVE_FLOAT, 1, &width);
  const hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(Row));
  H5Tinsert(type, "THETA", offsetof(Row, theta), array);
  H5Tinsert(type, "Z", offsetof(Row, z), H5T_NATIVE_DOUBLE);
  const std::string path = scratch("arrays.h5");
  { Hdf5Written(path).write("catalogue", {2}, rows, type, {.type = type}); }
  const auto table = Table::open(path);
  EXPECT_THAT(table.columns(), ElementsAre("Z"));
  EXPECT_EQ(values<Numbers>(table.read("THETA[0]")), (Numbers{1, 4}));
  EXPECT_EQ(values<Numbers>(table.read("THETA[2]")), (Numbers{3, 6}));
}

/// libhdf5 reserves a whole row, and a damaged file may say that it has gigabytes.
TEST_F(Hdf5TableTest, RefusesRowsOfManyMegabytes) {
  constexpr size_t bytes = (1 << 24) + 8;
  const hid_t type = H5Tcreate(H5T_COMPOUND, bytes);
  H5Tinsert(type, "Z", bytes - sizeof(double), H5T_NATIVE_DOUBLE);
  const std::string path = scratch("long.h5");
  { Hdf5Written(path).write("catalogue", {1}, std::vector<char>(bytes).data(), type, {.type = type}); }
  EXPECT_THAT([&] { column_of(path, "Z"); },
              ThrowsMessage<Error>(path + ": column 'Z': expected rows of at most 16777216 bytes, found 16777224"));
}

TEST_F(Hdf5TableTest, RefusesADatasetThatNothingWasWrittenTo) {
  const std::string path = scratch("never.h5");
  { Hdf5Written(path).write("z", {2}, nullptr, H5T_NATIVE_FLOAT, {}); }
  EXPECT_THAT([&] { column_of(path, "z"); },
              ThrowsMessage<Error>(path + ": column 'z': rows 0 to 1 were never written; what is missing is not zero"));
}

std::string votable(const std::string& data) {
  return R"(<?xml version="1.0"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results"><TABLE name="cat">
<FIELD name="id" datatype="long"/><FIELD name="n" datatype="short"><VALUES null="-9"/></FIELD>
<FIELD name="z" datatype="float"/><FIELD name="name" datatype="char" arraysize="*"/>
<FIELD name="good" datatype="boolean"/><FIELD name="pair" datatype="int" arraysize="2"/><DATA>)" +
         data + "</DATA></TABLE></RESOURCE></VOTABLE>\n";
}

/// Base64 of RFC 4648, of a whole number of groups of 3 bytes.
std::string base64(std::string bytes) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string padding = bytes.size() % 3 == 0 ? "" : bytes.size() % 3 == 1 ? "==" : "=";
  bytes.resize((bytes.size() + 2) / 3 * 3);
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](size_t k) { return static_cast<uint32_t>(static_cast<unsigned char>(bytes[i + k])); };
    const uint32_t bits = at(0) << 16 | at(1) << 8 | at(2);
    for (const int shift : {18, 12, 6, 0}) text += digits[bits >> shift & 63U];
    if (i % 48 == 0) text += "\n";
  }
  while (text.back() == '\n') text.pop_back();
  return text.replace(text.size() - padding.size(), padding.size(), padding);
}

std::string big_endian(uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}

/// The same two rows in every serialisation.
void expect_rows(const std::string& path) {
  const auto table = Table::open(path);
  EXPECT_EQ(table.rows(), 2);
  EXPECT_THAT(table.columns(), ElementsAre("id", "n", "z", "name", "good"));
  EXPECT_EQ(values<Integers>(table.read("id")), (Integers{9007199254740993, -2}));
  const Column n = table.read("n");
  EXPECT_EQ(values<Integers>(n)[0], 300);
  EXPECT_FALSE(n.is_missing(0));
  EXPECT_TRUE(n.is_missing(1));
  const Column z = table.read("z");
  EXPECT_EQ(values<Numbers>(z)[0], 0.5);
  EXPECT_TRUE(z.is_missing(1));
  EXPECT_EQ(values<Texts>(table.read("name")), (Texts{"A<B", ""}));
  EXPECT_EQ(values<Truths>(table.read("good"))[0], true);
  EXPECT_TRUE(table.read("good").is_missing(1));
}

TEST(VoTableTest, ReadsTabledata) {
  expect_rows(written("tabledata.vot",
                      votable("<TABLEDATA><TR><TD>9007199254740993</TD><TD> 300 </TD><TD>0.5</TD><TD>A&lt;B</TD>"
                              "<TD>T</TD><TD>1 2</TD></TR>\n<TR><TD>-2</TD><TD>-9</TD><TD/><TD></TD><TD>?</TD>"
                              "<TD>1 2</TD></TR></TABLEDATA>")));
}

TEST(VoTableTest, ReadsBinary) {
  const uint64_t minus_two = static_cast<uint64_t>(-2), quiet_nan = 0x7FC00000, pair = 0x0000000100000002;
  const std::string first = big_endian(9007199254740993, 8) + big_endian(300, 2) + big_endian(0x3F000000, 4) +
                            big_endian(3, 4) + "A<B" + "T" + big_endian(pair, 8);
  const std::string second = big_endian(minus_two, 8) + big_endian(static_cast<uint64_t>(-9), 2) +
                             big_endian(quiet_nan, 4) + big_endian(0, 4) + "?" + big_endian(pair, 8);
  expect_rows(written("binary.vot", votable("<BINARY><STREAM encoding=\"base64\">\n" + base64(first + second) +
                                            "\n</STREAM></BINARY>")));
  // A bit for each field before each row, set where its value is missing: n, z and good of the second.
  const std::string unmasked = big_endian(minus_two, 8) + big_endian(5, 2) + big_endian(0x3F000000, 4) +
                               big_endian(0, 4) + "T" + big_endian(pair, 8);
  const std::string masks = std::string(1, '\0') + first + static_cast<char>(0b01101000) + unmasked;
  expect_rows(
      written("binary2.vot", votable("<BINARY2><STREAM encoding=\"base64\">" + base64(masks) + "</STREAM></BINARY2>")));
}

/// 150° is 10 h and 5π/6.
TEST(TableTest, AnglesAreTakenByTheirUnits) {
  const std::string hours = scratch("hours.fits");
  FitsWriter(hours).empty_primary().table("CAT", 1,
                                          {{"ra", "D", {10.0}, {}, {}, {}, "hourangle"},
                                           {"dec", "D", {7200.0}, {}, {}, {}, "arcsec"},
                                           {"mass", "D", {3.0}, {}, {}, {}, "solMass"}});
  const Table fits = Table::open(hours);
  EXPECT_EQ(fits.unit("RA"), "hourangle");
  EXPECT_EQ(std::get<Numbers>(fits.degrees("ra").values), Numbers{150.0});
  EXPECT_EQ(std::get<Numbers>(fits.degrees("dec").values), Numbers{2.0});
  EXPECT_THAT([&] { (void)fits.degrees("mass"); },
              ThrowsMessage<Error>(hours + ": column 'mass': its unit is 'solMass'; angles in deg, rad, h, arcmin, "
                                           "arcsec, mas and uas are read"));
  const std::string radians =
      written("radians.vot",
              "<VOTABLE><RESOURCE><TABLE><FIELD name=\"ra\" datatype=\"double\" unit=\"rad\"/><DATA><TABLEDATA>"
              "<TR><TD>2.6179938779914944</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>");
  EXPECT_NEAR(std::get<Numbers>(Table::open(radians).degrees("ra").values)[0], 150.0, 1e-12);
  const std::string ecsv = written("units.ecsv",
                                   "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, unit: h, datatype: float64}\n"
                                   "# - {name: dec, datatype: float64}\nra dec\n10.0 2.5\n");
  EXPECT_EQ(std::get<Numbers>(Table::open(ecsv).degrees("ra").values), Numbers{150.0});
  EXPECT_EQ(std::get<Numbers>(Table::open(ecsv).degrees("dec").values), Numbers{2.5});
  const std::string sexagesimal = written("sexagesimal.csv", "ra,dec\n10:00:00.0,+02:00:00\n");
  EXPECT_THAT([&] { (void)Table::open(sexagesimal).degrees("ra"); },
              ThrowsMessage<Error>(sexagesimal + ": column 'ra': expected an angle in degrees, found '10:00:00.0'"));
}

TEST(VoTableTest, SaysWhatIsWrong) {
  const auto says = [](const std::string& text, const std::string& message) {
    const std::string path = written("wrong.vot", text);
    EXPECT_THAT([&] { column_of(path, "n"); }, ThrowsMessage<Error>(path + ": " + message)) << text;
  };
  says(votable("<TABLEDATA><TR><TD>1</TD><TD>many</TD></TR></TABLEDATA>"),
       "column 'n', row 1: expected an integer of 64 bits, found 'many'");
  says(votable("<TABLEDATA><TR><TD>1</TD></TR></TABLEDATA>"), "column 'n', row 1: the row has fewer cells than fields");
  says(votable("<BINARY><STREAM encoding=\"base64\">AAAA</STREAM></BINARY>"),
       "is damaged: its stream ends within a row");
  says(votable("<BINARY><STREAM encoding=\"base64\">AA?A</STREAM></BINARY>"), "is damaged: its stream is not base64");
  says(votable("<BINARY><STREAM href=\"http://example.org/x\"/></BINARY>"),
       "its stream is another file; expected base64 text in the file itself");
  says(votable("<FITS/>"), "its data are FITS; expected TABLEDATA, BINARY or BINARY2");
  says("<page><body>Not found</body></page>", "is an XML file of <page>, not a VOTable");
  says("<VOTABLE><RESOURCE><INFO name=\"QUERY_STATUS\" value=\"ERROR\">no such column</INFO></RESOURCE></VOTABLE>",
       "holds the error of a query: no such column");
  says("<VOTABLE><RESOURCE>", "is damaged: Start-end tags mismatch (at byte 18)");
}

}  // namespace
}  // namespace astroclip::io
