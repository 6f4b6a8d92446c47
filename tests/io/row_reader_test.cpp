#include "io/hdf5/row_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

#include "base/error.h"
#include "support/hdf5_files.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;
using testing_support::Hdf5Written;
using testing_support::Stored;

constexpr int64_t rows = 23;  // no multiple of any chunk below
constexpr int64_t width = 3 * 6 * 7;
const std::vector<hsize_t> shape = {rows, 3, 6, 7};

struct Layout {
  const char* name;
  Stored stored;
  bool is_parallel;
  int64_t rows_together;
};

const Layout layouts[] = {
    {"contiguous", {}, true, 1},
    {"chunks", {.chunk = {4, 3, 6, 7}}, false, 1},
    {"gzip", {.chunk = {4, 3, 6, 7}, .deflate = 4}, true, 4},
    {"shuffle", {.chunk = {5, 3, 6, 7}, .shuffle = true}, true, 5},
    {"gzip_shuffle", {.chunk = {4, 3, 6, 7}, .shuffle = true, .deflate = 4}, true, 4},
    {"one_row_a_chunk", {.chunk = {1, 3, 6, 7}, .shuffle = true, .deflate = 1}, true, 1},
    {"ragged_on_every_axis", {.chunk = {5, 2, 4, 3}, .shuffle = true, .deflate = 4}, true, 5},
    {"checksum", {.chunk = {4, 3, 6, 7}, .checksum = true, .deflate = 4}, false, 1},
    {"halves", {.chunk = {4, 3, 6, 7}, .deflate = 4, .type = H5T_STD_I16BE}, false, 1},
};

class RowReaderTest : public testing::Test {
 protected:
  RowReaderTest() {
    for (int64_t i = 0; i < rows * width; ++i)
      values_.push_back(static_cast<float>(1000.0 * std::sin(static_cast<double>(i))));
  }
  ~RowReaderTest() override { std::filesystem::remove(path_); }

  RowReader reader(const std::string& name, int64_t cache_bytes = 1 << 20) const {
    return RowReader(Hdf5File::open(path_), name, std::make_shared<BlockCache>(cache_bytes));
  }
  /// Rows as the library reads them on its own.
  std::vector<float> by_library(const std::string& name, const std::vector<int64_t>& wanted) const {
    std::vector<float> out(wanted.size() * width);
    Hdf5File::open(path_).read_rows(name, wanted, DType::f32, out.data());
    return out;
  }
  static std::vector<float> read(const RowReader& reader, const std::vector<int64_t>& wanted) {
    std::vector<float> out(wanted.size() * width);
    reader.read(wanted, DType::f32, out.data());
    return out;
  }
  /// Rows of one number each.
  std::vector<float> read_any(const std::string& name, const std::vector<int64_t>& wanted) const {
    std::vector<float> out(wanted.size());
    reader(name).read(wanted, DType::f32, out.data());
    return out;
  }
  /// A part of a virtual dataset of one axis: the first rows of another.
  struct Part {
    std::string file, dataset;
    hsize_t first, rows;
  };
  void write_virtual(hsize_t rows_of_all, const std::vector<Part>& parts) const {
    const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(1, &rows_of_all, nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
    for (const Part& part : parts) {
      const hid_t source = H5Screate_simple(1, &part.rows, nullptr);
      H5Sselect_hyperslab(space, H5S_SELECT_SET, &part.first, nullptr, &part.rows, nullptr);
      H5Pset_virtual(properties, space, part.file.c_str(), part.dataset.c_str(), source);
      H5Sclose(source);
    }
    H5Dclose(H5Dcreate2(file, "all", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, properties, H5P_DEFAULT));
    H5Pclose(properties);
    H5Sclose(space);
    H5Fclose(file);
  }
  static std::vector<int64_t> all_rows() {
    std::vector<int64_t> all(rows);
    std::iota(all.begin(), all.end(), 0);
    return all;
  }

  std::string path_ = testing_support::scratch("rows.h5");
  std::vector<float> values_;
};

TEST_F(RowReaderTest, ReadsEveryLayoutAsTheLibraryDoes) {
  {
    Hdf5Written file(path_);
    for (const auto& layout : layouts) file.write(layout.name, shape, values_, layout.stored);
  }
  const std::vector<int64_t> some = {22, 3, 4, 5, 5, 0, 21, 20, 7};
  for (const auto& layout : layouts) {
    SCOPED_TRACE(layout.name);
    const RowReader reader = this->reader(layout.name);
    EXPECT_EQ(reader.shape(), (Shape{rows, 3, 6, 7}));
    EXPECT_EQ(reader.is_parallel(), layout.is_parallel);
    EXPECT_EQ(reader.rows_together(), layout.rows_together);
    if (layout.stored.type == H5T_NATIVE_FLOAT) {
      EXPECT_EQ(read(reader, all_rows()), values_);
    }
    EXPECT_EQ(read(reader, all_rows()), by_library(layout.name, all_rows()));
    EXPECT_EQ(read(reader, some), by_library(layout.name, some));
  }
}

TEST_F(RowReaderTest, ConvertsToOtherTypes) {
  Hdf5Written(path_).write("images", shape, values_, {.chunk = {4, 3, 6, 7}, .deflate = 1});
  std::vector<double> wide(2 * width);
  reader("images").read(std::vector<int64_t>{2, 9}, DType::f64, wide.data());
  for (size_t i = 0; i < width; ++i) {
    EXPECT_EQ(wide[i], static_cast<double>(values_[2 * width + i]));
    EXPECT_EQ(wide[width + i], static_cast<double>(values_[9 * width + i]));
  }
}

TEST_F(RowReaderTest, ManyThreadsAgreeWithTheLibraryWhateverTheCacheHolds) {
  {
    Hdf5Written file(path_);
    for (const auto& layout : layouts) file.write(layout.name, shape, values_, layout.stored);
  }
  const int64_t block = 4 * width * 4;
  for (const int64_t cache_bytes : {int64_t{0}, block, 3 * block, int64_t{1} << 20}) {
    const auto cache = std::make_shared<BlockCache>(cache_bytes);
    const Hdf5File file = Hdf5File::open(path_);
    std::vector<RowReader> readers;
    for (const auto& layout : layouts) readers.emplace_back(file, layout.name, cache);
    std::vector<int> wrong(8, 0);
    std::vector<std::thread> threads;
    for (size_t t = 0; t < wrong.size(); ++t)
      threads.emplace_back([&, t] {
        for (int64_t turn = 0; turn < 40; ++turn)
          for (size_t i = 0; i + 1 < readers.size(); ++i) {  // the last is rounded
            const int64_t first = (turn * 7 + static_cast<int64_t>(t) * 5) % rows, second = (first * 3 + turn) % rows;
            const auto found = read(readers[i], {first, second});
            for (int64_t k = 0; k < width; ++k)
              wrong[t] += found[static_cast<size_t>(k)] != values_[static_cast<size_t>(first * width + k)] ||
                          found[static_cast<size_t>(width + k)] != values_[static_cast<size_t>(second * width + k)];
          }
      });
    for (auto& thread : threads) thread.join();
    EXPECT_THAT(wrong, testing::Each(0)) << cache_bytes;
  }
}

TEST_F(RowReaderTest, RefusesRowsThatWereNeverWritten) {
  {
    Hdf5Written file(path_);
    file.write("chunks", shape, nullptr, H5T_NATIVE_FLOAT, {.chunk = {4, 3, 6, 7}, .deflate = 1});
    file.write("plain_chunks", shape, nullptr, H5T_NATIVE_FLOAT, {.chunk = {4, 3, 6, 7}});
    file.write("contiguous", shape, nullptr, H5T_NATIVE_FLOAT, {});
  }
  const auto message = [&](const std::string& name, const std::string& where) {
    return path_ + ": dataset '" + name + "': rows " + where + " were never written; what is missing is not zero";
  };
  EXPECT_THAT([&] { read(reader("chunks"), {22}); }, ThrowsMessage<Error>(message("chunks", "20 to 22")));
  EXPECT_THAT([&] { read(reader("plain_chunks"), {5}); }, ThrowsMessage<Error>(message("plain_chunks", "4 to 7")));
  EXPECT_THAT([&] { read(reader("contiguous"), {22}); }, ThrowsMessage<Error>(message("contiguous", "0 to 22")));
}

TEST_F(RowReaderTest, ReadsTheChunksThatWereWritten) {
  const std::vector<float> first(values_.begin(), values_.begin() + 8 * width);
  for (const int deflate : {0, 1}) {
    Hdf5Written(path_).write_first("chunks", shape, 8, first,
                                   {.chunk = {4, 3, 6, 7}, .deflate = static_cast<unsigned>(deflate)});
    EXPECT_EQ(read(reader("chunks"), {7}), std::vector<float>(first.end() - width, first.end()));
    EXPECT_THAT([&] { read(reader("chunks"), {8}); }, ThrowsMessage<Error>(HasSubstr("rows 8 to 11 were never")));
  }
}

TEST_F(RowReaderTest, FillValuesThatTheFileChoseAreRead) {
  const hsize_t extents[] = {3};
  const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(1, extents, nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
  const double missing = -99.0, zero = 0.0;
  H5Pset_fill_value(properties, H5T_NATIVE_DOUBLE, &missing);
  H5Dclose(H5Dcreate2(file, "missing", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  H5Pset_fill_value(properties, H5T_NATIVE_DOUBLE, &zero);
  H5Dclose(H5Dcreate2(file, "zero", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  H5Pclose(properties);
  H5Sclose(space);
  H5Fclose(file);
  const auto read_one = [&](const char* name) {
    double value = 1.0;
    reader(name).read(std::vector<int64_t>{1}, DType::f64, &value);
    return value;
  };
  EXPECT_EQ(read_one("missing"), -99.0);
  EXPECT_THAT([&] { read_one("zero"); }, ThrowsMessage<Error>(HasSubstr("rows 0 to 2 were never written")));
}

TEST_F(RowReaderTest, AMissingPartOfAVirtualDatasetIsNamed) {
  write_virtual(3, {{"no_such_part.h5", "x", 0, 3}});
  EXPECT_THAT([&] { read_any("all", {0}); },
              ThrowsMessage<Error>(path_ + ": dataset 'all': its part in no_such_part.h5 is missing: there is no such "
                                           "file"));
}

/// What no part gives, and what parts do not hold, the library reads as zeros.
TEST_F(RowReaderTest, WhatIsMissingOfAVirtualDatasetIsNotZero) {
  const std::string part = testing_support::scratch("part.h5"),
                    where = path_ + ": dataset 'all': ", name = std::filesystem::path(part).filename();
  {
    Hdf5Written file(part);
    file.write("x", {3}, {1.0F, 2.0F, 3.0F});
    file.write("empty", {3}, nullptr, H5T_NATIVE_FLOAT, {.chunk = {1}});
    file.write_first("begun", {4}, 2, {5.0F, 6.0F}, {.chunk = {2}});
  }
  write_virtual(5, {{name, "x", 0, 3}});
  EXPECT_THAT(read_any("all", {0, 2}), ElementsAre(1.0F, 3.0F));
  EXPECT_THAT(
      [&] {
        read_any("all", {1, 4});
      },
      ThrowsMessage<Error>(where + "rows 3 to 4 are in none of its parts; what is missing is not zero"));
  write_virtual(6, {{name, "x", 0, 3}, {name, "y", 3, 3}});
  EXPECT_THAT(read_any("all", {2}), ElementsAre(3.0F));
  EXPECT_THAT([&] { read_any("all", {3}); },
              ThrowsMessage<Error>(where + "its part in " + part + " is missing: there is no dataset 'y'"));
  write_virtual(3, {{name, "empty", 0, 3}});
  EXPECT_THAT(
      [&] { read_any("all", {1}); },
      ThrowsMessage<Error>(where + "its part in " + part +
                           " is missing: 'empty': rows 0 to 0 were never written; what is missing is not zero"));
  write_virtual(4, {{name, "begun", 0, 4}});
  EXPECT_THAT([&] { read_any("all", {0}); }, ThrowsMessage<Error>(HasSubstr("'begun': rows 2 to 3 were never")));
  write_virtual(4, {{name, "x", 0, 4}});
  EXPECT_THAT([&] { read_any("all", {0}); },
              ThrowsMessage<Error>(HasSubstr("'x' has the shape [3], from which its rows")));
}

/// The library opens the files of all parts that a read meets, and ends the program when they are too many.
TEST_F(RowReaderTest, ReadsAVirtualDatasetOfMoreFilesThanMayBeOpen) {
  constexpr hsize_t parts = 150;
  std::vector<Part> all;
  std::vector<int64_t> rows_of_all;
  std::vector<float> expected;
  for (hsize_t part = 0; part < parts; ++part) {
    const std::string path = testing_support::scratch("part_" + std::to_string(part) + ".h5");
    Hdf5Written(path).write("x", {1}, {static_cast<float>(part) + 1.0F});
    all.push_back({path, "x", part, 1});
    rows_of_all.push_back(static_cast<int64_t>(part));
    expected.push_back(static_cast<float>(part) + 1.0F);
  }
  write_virtual(parts, all);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low = {120, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(read_any("all", rows_of_all), expected);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/// Blocks without end, each in a file of its own by a pattern of names.
TEST_F(RowReaderTest, PartsOfAVirtualDatasetMayBeWithoutEnd) {
  const std::string folder = std::filesystem::path(path_).parent_path();
  for (const int part : {0, 1, 2}) {
    const std::vector<float> values = {2.0F * static_cast<float>(part), 2.0F * static_cast<float>(part) + 1.0F};
    Hdf5Written(folder + "/block-" + std::to_string(part) + ".h5")
        .write("x", {2}, part == 2 ? nullptr : values.data(), H5T_NATIVE_FLOAT, {.chunk = {2}});
  }
  const hsize_t extents[] = {6}, endless[] = {H5S_UNLIMITED}, two[] = {2}, zero[] = {0};
  const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(1, extents, endless), source = H5Screate_simple(1, two, nullptr);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, zero, two, endless, two);
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_virtual(properties, space, "block-%b.h5", "x", source);
  H5Dclose(H5Dcreate2(file, "all", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  H5Pclose(properties);
  H5Sclose(source);
  H5Sclose(space);
  H5Fclose(file);
  EXPECT_THAT(read_any("all", {0, 3}), ElementsAre(0.0F, 3.0F));
  EXPECT_THAT([&] { read_any("all", {4}); },
              ThrowsMessage<Error>(HasSubstr("block-2.h5 is missing: 'x': rows 0 to 1 were never written")));
}

TEST_F(RowReaderTest, AnExternalRawFileThatIsGoneOrShortIsNamed) {
  const std::string raw = testing_support::scratch("values.raw");
  const hsize_t extents[] = {3};
  const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(1, extents, nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(properties, raw.c_str(), 4, 12);
  H5Dclose(H5Dcreate2(file, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  H5Pclose(properties);
  H5Sclose(space);
  H5Fclose(file);
  std::filesystem::remove(raw);
  EXPECT_THAT([&] { read_any("x", {0}); },
              ThrowsMessage<Error>(HasSubstr(": dataset 'x': its values are in the file " + raw +
                                             ", which cannot be "
                                             "read: no such file or directory")));
  const std::vector<float> values = {-1.0F, 1.0F, 2.0F, 3.0F};
  std::ofstream(raw, std::ios::binary).write(reinterpret_cast<const char*>(values.data()), 12);
  EXPECT_THAT(read_any("x", {1}), ElementsAre(2.0F));
  EXPECT_THAT([&] { read_any("x", {1, 2}); }, ThrowsMessage<Error>(HasSubstr("which has 12 bytes; 16 are needed")));
}

/// More files than are kept open, and than the process may have open.
TEST_F(RowReaderTest, HoldsAnyNumberOfFiles) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  constexpr rlim_t few = 300;
  const rlimit low = {few, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const std::string folder = testing_support::scratch("many");
  std::filesystem::create_directories(folder);
  constexpr size_t count = 400;
  std::vector<RowReader> readers;
  const auto cache = std::make_shared<BlockCache>(1 << 20);
  for (size_t i = 0; i < count; ++i) {
    const std::string path = folder + "/" + std::to_string(i) + ".h5";
    Hdf5Written(path).write("x", {1}, {static_cast<float>(i)});
    readers.emplace_back(Hdf5File::open(path), "x", cache);
  }
  for (const size_t i : {size_t{0}, count - 1, size_t{1}, size_t{0}}) {
    float value = -1.0F;
    readers[i].read(std::vector<int64_t>{0}, DType::f32, &value);
    EXPECT_EQ(value, static_cast<float>(i));
  }
  // One that was closed meanwhile must be as it was.
  Hdf5Written(folder + "/5.h5").write("x", {2}, {7.0F, 8.0F});
  float value = 0.0F;
  EXPECT_THAT([&] { readers[5].read(std::vector<int64_t>{0}, DType::f32, &value); },
              ThrowsMessage<Error>(folder + "/5.h5: was changed while it was being read"));
  std::filesystem::remove_all(folder);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(RowReaderTest, NamesTheFilterThatIsMissing) {
  Hdf5Written(path_).write_compressed("x", {2}, 32001, {1, 2, 3});
  float value = 0.0F;
  EXPECT_THAT([&] { reader("x").read(std::vector<int64_t>{0}, DType::f32, &value); },
              ThrowsMessage<Error>(HasSubstr("it is compressed by filter 32001 (Blosc), which is not installed")));
}

TEST_F(RowReaderTest, SaysThatAnotherProgramWritesTheFile) {
  Hdf5Written(path_).write("x", {1}, {1.0F});
  const int other = ::open(path_.c_str(), O_RDWR);
  ASSERT_EQ(flock(other, LOCK_EX), 0);
  EXPECT_THAT([&] { reader("x"); }, ThrowsMessage<Error>(HasSubstr("another program has it open for writing")));
  ::close(other);
}

TEST_F(RowReaderTest, TruthValuesAreNumbersAndUnsignedOnesAreRounded) {
  const hid_t truth = H5Tenum_create(H5T_NATIVE_INT8);
  const int8_t no = 0, yes = 1;
  H5Tenum_insert(truth, "FALSE", &no);
  H5Tenum_insert(truth, "TRUE", &yes);
  const std::vector<int8_t> flags = {1, 0, 1};
  const std::vector<uint64_t> large = {1, 2, uint64_t{1} << 63};
  {
    Hdf5Written file(path_);
    file.write("flags", {3}, flags.data(), truth, {.type = truth});
    file.write("large", {3}, large.data(), H5T_NATIVE_UINT64, {.type = H5T_STD_U64LE});
    file.write("pairs", {3, 2}, std::vector<float>(6));
  }
  H5Tclose(truth);
  const Hdf5File file = Hdf5File::open(path_);
  std::vector<int64_t> found(3);
  reader("flags").read(std::vector<int64_t>{0, 1, 2}, file.dtype("flags"), found.data());
  EXPECT_THAT(found, ElementsAre(1, 0, 1));
  std::vector<double> rounded(3);
  ASSERT_EQ(file.dtype("large"), DType::f64);
  reader("large").read(std::vector<int64_t>{0, 1, 2}, DType::f64, rounded.data());
  EXPECT_THAT(rounded, ElementsAre(1.0, 2.0, 9223372036854775808.0));
  EXPECT_EQ(file.column_of("flags", 3), Hdf5File::Column::numbers);
  EXPECT_EQ(file.column_of("flags", 4), Hdf5File::Column::none);
  EXPECT_EQ(file.column_of("pairs", 3), Hdf5File::Column::none);
}

/// Offsets are of the file in which the dataset lies.
TEST_F(RowReaderTest, FollowsLinksToOtherFiles) {
  const std::string other = testing_support::scratch("linked.h5");
  Hdf5Written(other).write("images", shape, values_, {});
  {
    Hdf5Written file(path_);
    file.link("images", other, "images");
    file.write("noise", {rows, 3, 6, 7}, std::vector<float>(values_.size(), -1.0F), {});
  }
  EXPECT_EQ(read(reader("images"), all_rows()), values_);
  std::filesystem::remove(other);
}

/// Types that the decoder does not know are the library's, and so is their decompression.
TEST_F(RowReaderTest, DecodesLzfOfOtherTypesByTheLibrary) {
  const std::vector<uint8_t> literals = {7, 0, 1, 0, 2, 0, 3, 0xff, 0xfe};  // eight bytes follow
  Hdf5Written(path_).write_compressed("words", {4}, 32000, literals, H5T_STD_I16BE, {4, 261, 8});
  std::vector<int64_t> out(4);
  reader("words").read(std::vector<int64_t>{0, 1, 2, 3}, DType::i64, out.data());
  EXPECT_THAT(out, ElementsAre(1, 2, 3, -2));
}

/// Chunks at the edge, which are as large as the others, may be left without filters.
TEST_F(RowReaderTest, ReadsChunksWithoutFiltersAtTheEdge) {
  const hsize_t extent = 5, together = 2;
  const std::vector<float> written = {1, 2, 3, 4, 5};
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
  const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  const hid_t space = H5Screate_simple(1, &extent, nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(properties, 1, &together);
  H5Pset_deflate(properties, 4);
  H5Pset_chunk_opts(properties, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
  const hid_t set = H5Dcreate2(file, "x", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, written.data());
  H5Dclose(set);
  H5Sclose(space);
  H5Pclose(properties);
  H5Pclose(access);
  H5Fclose(file);
  std::vector<float> out(extent);
  reader("x").read(std::vector<int64_t>{0, 1, 2, 3, 4}, DType::f32, out.data());
  EXPECT_EQ(out, written);
}

TEST_F(RowReaderTest, DecodesLzf) {
  // Four literals (1.0F, little-endian), then 16 bytes from four back; a literal, then three bytes from one back.
  const std::vector<uint8_t> short_copy = {3, 0, 0, 0x80, 0x3f, 0xe0, 7, 3};
  const std::vector<uint8_t> overlapping = {0, 0, 0x20, 0};
  const std::vector<uint8_t> far = {3, 0, 0, 0x80, 0x3f, 0x20, 9};
  {
    Hdf5Written file(path_);
    file.write_compressed("ones", {5}, 32000, short_copy);
    file.write_compressed("zero", {1}, 32000, overlapping);
    file.write_compressed("far", {5}, 32000, far);
    file.write_compressed("cut", {5}, 32000, {7, 1, 2});
    file.write_compressed("long", {1}, 32000, short_copy);
  }
  const auto floats = [&](const std::string& name, size_t count) {
    std::vector<float> out(count);
    std::vector<int64_t> wanted(count);
    std::iota(wanted.begin(), wanted.end(), 0);
    reader(name).read(wanted, DType::f32, out.data());
    return out;
  };
  EXPECT_THAT(floats("zero", 1), ElementsAre(0.0F));
  EXPECT_THAT(floats("ones", 5), ElementsAre(1.0F, 1.0F, 1.0F, 1.0F, 1.0F));
  EXPECT_THAT([&] { floats("far", 5); },
              ThrowsMessage<Error>(path_ + ": dataset 'far': the chunk of rows 0 to 4 is damaged: "
                                           "its LZF stream cannot be decoded"));
  EXPECT_THAT([&] { floats("cut", 5); },
              ThrowsMessage<Error>(path_ + ": dataset 'cut': the chunk of rows 0 to 4 is damaged: "
                                           "its LZF stream cannot be decoded"));
  EXPECT_THAT([&] { floats("long", 1); },
              ThrowsMessage<Error>(path_ + ": dataset 'long': the chunk of rows 0 to 0 is damaged: "
                                           "it holds more than 4 bytes"));
}

TEST_F(RowReaderTest, NamesWhatIsWrong) {
  {
    Hdf5Written file(path_);
    file.write("images", shape, values_, {});
    file.write("gzip", shape, values_, {.chunk = {4, 3, 6, 7}, .deflate = 4});
    file.write_compressed("short", {3}, H5Z_FILTER_DEFLATE, {0x78, 0x9c, 0x63, 0, 0, 0, 1, 0, 1});
  }
  std::vector<float> out(width);
  for (const std::string name : {"images", "gzip"})
    EXPECT_THAT([&] { reader(name).read(std::vector<int64_t>{rows}, DType::f32, out.data()); },
                ThrowsMessage<Error>(path_ + ": dataset '" + name + "': has 23 rows; row 23 was requested"));
  EXPECT_THAT([&] { reader("spectra"); }, ThrowsMessage<Error>(path_ + ": has no dataset 'spectra'"));
  EXPECT_THAT([&] { reader("short").read(std::vector<int64_t>{0}, DType::f32, out.data()); },
              ThrowsMessage<Error>(path_ + ": dataset 'short': the chunk of rows 0 to 2 is damaged: "
                                           "it holds 1 bytes, expected 12"));
  const int64_t offset = testing_support::first_chunk_offset(path_, "gzip");
  std::fstream(path_, std::ios::in | std::ios::out | std::ios::binary).seekp(offset).write("\xff\xff\xff\xff", 4);
  EXPECT_THAT([&] { reader("gzip").read(std::vector<int64_t>{0}, DType::f32, out.data()); },
              ThrowsMessage<Error>(path_ + ": dataset 'gzip': the chunk of rows 0 to 3 is damaged: "
                                           "its deflate stream cannot be decoded"));
}

TEST_F(RowReaderTest, NoticesAFileThatIsCutOffWhileItIsRead) {
  Hdf5Written(path_).write("images", shape, values_, {});
  {
    const RowReader reader = this->reader("images");
    std::filesystem::resize_file(path_, 3000);
    EXPECT_THAT([&] { read(reader, {22}); },
                ThrowsMessage<Error>(testing::MatchesRegex(".*\\.h5: is truncated: it has [0-9]+ bytes, fewer than its "
                                                           "HDF5 header says")));
  }
  EXPECT_THAT([&] { this->reader("images"); },
              ThrowsMessage<Error>(path_ + ": is truncated: it has 3000 bytes, fewer than its HDF5 header says"));
}

}  // namespace
}  // namespace astroclip::io
