// Damage that libhdf5 would not survive, and files of other versions.
#include <gmock/gmock.h>

#include <cstddef>
#include <variant>

#include "base/error.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "io/table/table.h"
#include "support/hdf5_files.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class Hdf5DamageTest : public testing::Test {
 protected:
  /// Texts of variable length, which lie in the file's global heap: a collection's header and objects 1, 2 and 0, the
  /// free space, each with a header of 16 bytes whose last 8 are its size.
  Hdf5DamageTest() {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    const std::vector<const char*> texts = {"spiral", "barred"};
    testing_support::Hdf5Written(path_).write("x", {2}, texts.data(), type, {.type = type});
    H5Tclose(type);
    bytes_ = read_text(path_);
    heap_ = bytes_.find("GCOL");
    EXPECT_NE(heap_, std::string::npos);
  }
  /// The file with a number of 8 bytes at a place of its heap.
  void change(size_t at, uint64_t number) const {
    std::string changed = bytes_;
    for (size_t i = 0; i < sizeof number; ++i) changed[heap_ + at + i] = static_cast<char>(number >> (8 * i));
    write_text(path_, changed);
  }
  std::vector<std::string> texts() const { return Hdf5File::open(path_).read_texts("x", std::vector<int64_t>{0, 1}); }

  std::string path_ = testing_support::scratch("damaged.h5"), bytes_;
  size_t heap_ = 0;
};

constexpr size_t header = 16, size_of_object = 8, size_of_collection = 8;

TEST_F(Hdf5DamageTest, ObjectsOfTheGlobalHeapMustLieWithinIt) {
  EXPECT_THAT(texts(), testing::ElementsAre("spiral", "barred"));
  const size_t second = header + header + 8, free_space = second + header + 8;
  for (const char reserved : {0, 1}) {  // which the library passes over
    bytes_[heap_ + 5] = reserved;
    for (const auto& [at, number] : {std::pair(header + size_of_object, uint64_t{1} << 20),  // reads beyond its memory
                                     {second + size_of_object, ~uint64_t{0}},
                                     {free_space + size_of_object, 0},  // never ends
                                     {size_of_collection, uint64_t{1} << 40}}) {
      change(at, number);
      EXPECT_THAT([&] { (void)texts(); }, ThrowsMessage<Error>(HasSubstr("is damaged"))) << at;
    }
  }
}

/// A bit of what is selected of a part is changed, which the library would find out only after it has acted on it.
TEST_F(Hdf5DamageTest, ThePartsOfAVirtualDatasetHaveTheirChecksum) {
  const std::string path = testing_support::scratch("damaged_virtual.h5");
  const hsize_t rows = 6, part = 2;
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(1, &rows, nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
  const hid_t source = H5Screate_simple(1, &part, nullptr);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, &part, nullptr, &part, nullptr);
  H5Pset_virtual(properties, space, "part.h5", "values", source);
  H5Dclose(H5Dcreate2(file, "all", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  for (const hid_t one : {source, space}) H5Sclose(one);
  H5Pclose(properties);
  H5Fclose(file);
  EXPECT_EQ(Hdf5File::open(path).shape("all"), Shape({6}));
  std::string bytes = read_text(path);
  const size_t names = bytes.find("part.h5", bytes.find("GCOL"));
  ASSERT_NE(names, std::string::npos);
  bytes[names + std::string("part.h5 values ").size() + 12] ^= 4;
  write_text(path, bytes);
  EXPECT_THAT([&] { (void)Hdf5File::open(path).shape("all"); },
              ThrowsMessage<Error>(HasSubstr("the global heap is damaged")));
}

TEST_F(Hdf5DamageTest, RefusesMoreValuesThanCanBeCounted) {
  const hsize_t extents[] = {hsize_t{1} << 40, hsize_t{1} << 30}, chunk[] = {1, 1};
  const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(2, extents, nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(properties, 2, chunk);
  H5Dclose(H5Dcreate2(file, "x", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  H5Sclose(space);
  H5Pclose(properties);
  H5Fclose(file);
  EXPECT_THAT([&] { (void)Hdf5File::open(path_).shape("x"); },
              ThrowsMessage<Error>(HasSubstr("dataset 'x': is damaged: it has more values than can be counted")));
}

TEST_F(Hdf5DamageTest, RefusesTextsOfAbsurdLength) {
  const hsize_t rows = 2, chunk = 1;
  const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(1, &rows, nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, size_t{1} << 30);
  H5Pset_chunk(properties, 1, &chunk);
  H5Dclose(H5Dcreate2(file, "x", type, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  H5Tclose(type);
  H5Sclose(space);
  H5Pclose(properties);
  H5Fclose(file);
  EXPECT_THAT([&] { (void)texts(); },
              ThrowsMessage<Error>(HasSubstr("dataset 'x': has texts of 1073741824 bytes; at most 16777216 are read")));
}

/// What a dataset holds of a text: its length in 4 bytes, its heap's place in 8, and its number there in 4.
std::string text_place(uint32_t length, uint64_t heap, uint32_t number) {
  std::string bytes;
  for (const auto& [value, size] : {std::pair<uint64_t, size_t>{length, 4}, {heap, 8}, {number, 4}})
    for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

/// Files whose text of the second row is not where it is said to be: of another length, with a number that no object
/// has, in what is no heap, and beyond the file. It has six letters and a number in its heap.
std::vector<std::string> with_lost_text(const std::string& bytes, uint64_t heap, uint32_t number) {
  std::vector<std::string> files;
  for (const std::string& lost :
       {text_place(5, heap, number), text_place(0, heap, number), text_place(7 + (1U << 25), heap, number),
        text_place(6, heap, 3), text_place(6, heap, 0), text_place(6, heap, 1U << 31), text_place(6, heap + 8, number),
        text_place(6, 8, number), text_place(6, 1 << 20, number), text_place(6, ~uint64_t{0}, number)}) {
    const size_t at = bytes.find(text_place(6, heap, number));
    EXPECT_NE(at, std::string::npos);
    files.push_back(bytes);
    files.back().replace(at, lost.size(), lost);
  }
  return files;
}

constexpr const char* lost_text =
    "is damaged: no text of the length that is said lies where that of row 1 is said to be";

TEST_F(Hdf5DamageTest, TextsMustLieWhereTheyAreSaidToLie) {
  for (const std::string& file : with_lost_text(bytes_, heap_, 1)) {
    write_text(path_, file);
    EXPECT_THAT([&] { (void)texts(); }, ThrowsMessage<Error>(HasSubstr(std::string("dataset 'x': ") + lost_text)));
  }
}

/// The library looks for each text in its own file.
TEST_F(Hdf5DamageTest, TextsOfAVirtualDatasetsPartsMustLieInTheirFile) {
  const std::string path = testing_support::scratch("texts_of_parts.h5");
  const hsize_t rows = 2, both = 4;
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  const std::string other = testing_support::scratch("other_texts.h5");
  const std::vector<const char*> words = {"a ring", "an arc of a lens"};
  testing_support::Hdf5Written(other).write("x", {2}, words.data(), type, {.type = type});
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(1, &both, nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
  const hid_t source = H5Screate_simple(1, &rows, nullptr);
  hsize_t start = 0;
  for (const std::string& part : {path_, other}) {
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, nullptr, &rows, nullptr);
    H5Pset_virtual(properties, space, part.c_str(), "x", source);
    start += rows;
  }
  H5Dclose(H5Dcreate2(file, "x", type, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  for (const hid_t one : {source, space}) H5Sclose(one);
  H5Pclose(properties);
  H5Tclose(type);
  H5Fclose(file);
  const auto read = [&] { return Hdf5File::open(path).read_texts("x", std::vector<int64_t>{0, 1, 2, 3}); };
  EXPECT_THAT(read(), testing::ElementsAre("spiral", "barred", "a ring", "an arc of a lens"));
  for (const std::string& damaged : with_lost_text(bytes_, heap_, 1)) {
    write_text(path_, damaged);
    EXPECT_THAT([&] { (void)read(); }, ThrowsMessage<Error>(HasSubstr(lost_text)));
  }
}

/// A column of a table that is one member of a compound dataset, compressed.
TEST_F(Hdf5DamageTest, TextsOfCompoundDatasetsMustLieWhereTheyAreSaidToLie) {
  struct Row {
    double flux;
    const char* name;
  };
  const std::vector<Row> table = {{1.5, "spiral"}, {2.5, "barred"}};
  const hid_t text = H5Tcopy(H5T_C_S1), type = H5Tcreate(H5T_COMPOUND, sizeof(Row));
  H5Tset_size(text, H5T_VARIABLE);
  H5Tinsert(type, "flux", offsetof(Row, flux), H5T_NATIVE_DOUBLE);
  H5Tinsert(type, "name", offsetof(Row, name), text);
  testing_support::Hdf5Written(path_).write("t", {2}, table.data(), type, {.chunk = {2}, .type = type});
  H5Tclose(text);
  H5Tclose(type);
  const auto read = [&] {
    const Table opened = Table::open(path_);
    return std::get<std::vector<std::string>>(opened.read("name").values);
  };
  EXPECT_THAT(read(), testing::ElementsAre("spiral", "barred"));
  const std::string bytes = read_text(path_);
  for (const std::string& damaged : with_lost_text(bytes, bytes.find("GCOL"), 2)) {
    write_text(path_, damaged);
    EXPECT_THAT([&] { (void)read(); }, ThrowsMessage<Error>(HasSubstr(lost_text)));
  }
}

/// Addresses in a file count from the end of what precedes its superblock.
TEST_F(Hdf5DamageTest, ReadsTextsOfAFileThatBeginsWithAUserBlock) {
  write_text(path_, std::string(512, 'u') + bytes_);
  EXPECT_THAT(texts(), testing::ElementsAre("spiral", "barred"));
}

/// Which the library would read as soon as it is asked how the dataset lies in the file.
TEST_F(Hdf5DamageTest, TheFillValueOfTextsIsNotLookedFor) {
  const hsize_t rows = 2;
  const char* fill = "unknown";
  const std::vector<const char*> words = {"spiral", "barred"};
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(1, &rows, nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_fill_value(properties, type, &fill);
  const hid_t set = H5Dcreate2(file, "x", type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, words.data());
  H5Dclose(set);
  H5Sclose(space);
  H5Pclose(properties);
  H5Tclose(type);
  H5Fclose(file);
  EXPECT_THAT(texts(), testing::ElementsAre("spiral", "barred"));
  std::string bytes = read_text(path_);
  const uint64_t heap = bytes.find("GCOL");
  const size_t at = bytes.find(text_place(7, heap, 1));
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, 16, text_place(7, heap, 1U << 31));  // the library ends the program
  write_text(path_, bytes);
  EXPECT_THAT(texts(), testing::ElementsAre("spiral", "barred"));
}

/// Values that lie in a dataset's header, which is then said to hold none.
TEST_F(Hdf5DamageTest, ValuesInAHeaderMustAllBeThere) {
  const hsize_t rows = 3;
  const std::vector<double> values = {1.5, 2.5, 3.5};
  const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(1, &rows, nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_layout(properties, H5D_COMPACT);
  const hid_t set = H5Dcreate2(file, "x", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(set);
  H5Sclose(space);
  H5Pclose(properties);
  H5Fclose(file);
  const std::vector<int64_t> all = {0, 1, 2};
  std::vector<double> found(3);
  const auto read = [&] { Hdf5File::open(path_).read_rows("x", all, DType::f64, found.data()); };
  read();
  EXPECT_EQ(found, values);
  std::string bytes = read_text(path_);
  const size_t at = bytes.find(std::string(reinterpret_cast<const char*>(values.data()), 24));
  ASSERT_NE(at, std::string::npos);
  ASSERT_EQ(bytes[at - 2], 24);  // before the values, how many bytes they have
  bytes[at - 2] = 0;
  write_text(path_, bytes);
  EXPECT_THAT(read, ThrowsMessage<Error>(HasSubstr("dataset 'x': is damaged: its header holds 0 bytes")));
}

/// The library decodes datatypes whatever they say, and copies beyond what it decoded.
TEST_F(Hdf5DamageTest, DatatypesMustFitTogether) {
  struct Row {
    int32_t count;
    double flux;
  };
  const hsize_t rows = 2;
  const int8_t no = 0, yes = 1;
  const hid_t truth = H5Tenum_create(H5T_STD_I8LE), compound = H5Tcreate(H5T_COMPOUND, sizeof(Row));
  H5Tenum_insert(truth, "FALSE", &no);
  H5Tenum_insert(truth, "TRUE", &yes);
  H5Tinsert(compound, "count", offsetof(Row, count), H5T_STD_I32LE);
  H5Tinsert(compound, "flux", offsetof(Row, flux), H5T_IEEE_F64LE);
  const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(1, &rows, nullptr);
  for (const auto& [name, type] : {std::pair("truth", truth), {"row", compound}, {"number", H5T_STD_I16BE}}) {
    const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (type == H5T_STD_I16BE) H5Aclose(H5Acreate2(set, "scale", H5T_IEEE_F32BE, space, H5P_DEFAULT, H5P_DEFAULT));
    H5Dclose(set);
  }
  for (const hid_t type : {truth, compound}) H5Tclose(type);
  H5Sclose(space);
  H5Fclose(file);
  const std::string bytes = read_text(path_);
  struct Damage {
    std::string dataset,
        found;  ///< a type's version and class, three bytes of flags, four of its size, and what follows
    size_t at;
    char byte;
  };
  const auto text = [](std::initializer_list<int> values) { return std::string(values.begin(), values.end()); };
  const std::string count = text({0x10, 8, 0, 0, 4, 0, 0, 0, 0, 0, 32, 0}),
                    big = text({0x10, 9, 0, 0, 2, 0, 0, 0, 0, 0, 16, 0});
  for (const Damage& damage :
       {Damage{"truth", text({0x18, 2, 0, 0, 1, 0, 0, 0, 0x10}), 4, 64},  // wider than its integers
        {"truth", text({0x18, 2, 0, 0, 1, 0, 0, 0, 0x10}), 1, 99},        // names beyond the message
        {"row", text({0x16, 2, 0, 0, 16, 0, 0, 0}), 4, 8},                // smaller than its members
        {"row", count, 10, 33},                                           // more bits than it has
        {"number", big, 4, 0},
        {"number", text({0x11, 33, 31, 0, 4, 0, 0, 0}), 2, 32},  // of its attribute: the sign's bit
        {"number", text({0x11, 33, 31, 0, 4, 0, 0, 0}), 4, 1}}) {
    const size_t at = bytes.find(damage.found);
    ASSERT_NE(at, std::string::npos) << damage.dataset;
    std::string damaged = bytes;
    damaged[at + damage.at] = damage.byte;
    write_text(path_, damaged);
    EXPECT_THAT([&] { (void)Hdf5File::open(path_).shape(damage.dataset); },
                ThrowsMessage<Error>(testing::AllOf(HasSubstr(damage.dataset), HasSubstr("datatype is damaged"))))
        << damage.at;
  }
  write_text(path_, bytes);
  for (const char* name : {"truth", "row", "number"}) EXPECT_EQ(Hdf5File::open(path_).shape(name), Shape({2}));
}

/// The index of chunks says of one that it has 4 GiB.
TEST_F(Hdf5DamageTest, RefusesChunksLargerThanTheFile) {
  for (const unsigned deflate : {4U, 0U}) {
    testing_support::Hdf5Written(path_).write("x", {4, 2}, std::vector<float>(8, 0.5F),
                                              {.chunk = {2, 2}, .checksum = deflate == 0, .deflate = deflate});
    std::string bytes = read_text(path_);
    const size_t tree = bytes.find(std::string("TREE\x01\x00\x02\x00", 8));  // of chunks, with two entries
    ASSERT_NE(tree, std::string::npos);
    for (const size_t at : {0, 1, 2, 3}) bytes[tree + 24 + at] = '\xff';
    write_text(path_, bytes);
    std::vector<double> values(8);
    const auto file = Hdf5File::open(path_);
    const auto refuses = testing::ThrowsMessage<Error>(
        HasSubstr("dataset 'x': is damaged: the chunk of row 0 would have 4294967295 bytes, more than the file"));
    EXPECT_THAT([&] { file.read_rows("x", std::vector<int64_t>{0}, DType::f64, values.data()); }, refuses);
    if (deflate == 0) continue;  // a checksum is left to the library
    std::vector<std::byte> raw;
    EXPECT_THAT([&] { (void)file.read_chunk("x", std::vector<int64_t>{0, 0}, raw); }, refuses);
  }
}

/// Numbers of another byte order, which the library reads: it would take as many bytes as the shape says out of a
/// buffer that holds fewer.
TEST_F(Hdf5DamageTest, RefusesChunksThatUnpackToLessThanTheirValues) {
  const std::vector<uint8_t> literals = {7, 0, 1, 0, 2, 0, 3, 0, 4};                     // LZF: eight bytes follow
  const std::vector<uint8_t> stored = {0x78, 1, 1, 2, 0, 0xfd, 0xff, 0, 7, 0, 9, 0, 8};  // deflate: two bytes
  const std::vector<uint8_t> summed = {0, 7, 0, 8, 15, 0, 22, 0};                        // Fletcher-32 of four bytes
  const auto first = [&](const std::string& name) {
    std::vector<double> value(1);
    Hdf5File::open(path_).read_rows(name, std::vector<int64_t>{0}, DType::f64, value.data());
    return value[0];
  };
  {
    testing_support::Hdf5Written file(path_);
    file.write_compressed("lzf", {4}, 32000, literals, H5T_STD_I16BE, {4, 261, 8});
    file.write_compressed("deflate", {1}, H5Z_FILTER_DEFLATE, stored, H5T_STD_I16BE, {4});
    file.write_compressed("checksum", {2}, H5Z_FILTER_FLETCHER32, summed, H5T_STD_I16BE);
  }
  EXPECT_EQ(first("lzf"), 1);
  EXPECT_EQ(first("deflate"), 7);
  EXPECT_EQ(first("checksum"), 7);
  {
    testing_support::Hdf5Written file(path_);
    file.write_compressed("lzf", {4000}, 32000, literals, H5T_STD_I16BE, {4, 261, 8});
    file.write_compressed("deflate", {4000}, H5Z_FILTER_DEFLATE, stored, H5T_STD_I16BE, {4});
    file.write_compressed("checksum", {4000}, H5Z_FILTER_FLETCHER32, summed, H5T_STD_I16BE);
    file.write_compressed("shuffle", {4000}, H5Z_FILTER_SHUFFLE, literals, H5T_STD_I16BE);
    file.write_compressed("bomb", {400000}, H5Z_FILTER_DEFLATE, stored, H5T_STD_I16BE, {4});
  }
  for (const auto& [name, reason] : {std::pair("lzf", "it holds 8 bytes, expected 8000"),
                                     {"deflate", "it holds 2 bytes, expected 8000"},
                                     {"checksum", "it holds 4 bytes, expected 8000"},
                                     {"shuffle", "it holds 9 bytes, expected 8000"},
                                     {"bomb", "it holds fewer than 800000 bytes"}}) {
    EXPECT_THAT([&] { (void)first(name); },
                ThrowsMessage<Error>(
                    testing::AllOf(HasSubstr("the chunk of rows 0 to "), HasSubstr("is damaged"), HasSubstr(reason))))
        << name;
  }
}

TEST_F(Hdf5DamageTest, RefusesNumbersOfAbsurdWidth) {
  const hid_t type = H5Tcopy(H5T_STD_I32LE);
  H5Tset_size(type, 64);
  const std::vector<int32_t> numbers = {1, 2};
  testing_support::Hdf5Written(path_).write("x", {2}, numbers.data(), H5T_NATIVE_INT32, {.type = type});
  H5Tclose(type);
  std::vector<double> values(2);
  EXPECT_THAT(
      [&] {
        Hdf5File::open(path_).read_rows("x", std::vector<int64_t>{0, 1}, DType::f64, values.data());
      },
      ThrowsMessage<Error>(HasSubstr("dataset 'x': has numbers of 64 bytes; at most 16 are read")));
}

TEST_F(Hdf5DamageTest, SaysThatAFileIsOfANewerVersion) {
  bytes_[8] = 9;  // of the superblock
  write_text(path_, bytes_);
  EXPECT_THAT([&] { Hdf5File::open(path_); }, ThrowsMessage<Error>(HasSubstr("it was written for an HDF5 newer than")));
}

}  // namespace
}  // namespace astroclip::io
