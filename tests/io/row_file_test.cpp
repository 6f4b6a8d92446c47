// Files that are filled row by row over a long time, with interruptions.
#include "io/output/row_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "support/message_of.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

namespace fs = std::filesystem;
using testing_support::message_of;

constexpr int64_t row_count = 5;
const std::vector<RowFile::Column> columns = {{"values", DType::f32, {2}}, {"id", DType::i64, Shape()}};
const RowFile::Attributes attributes = {{"model", "abc"}, {"precision", "f32"}};

std::string fresh(const std::string& name) {
  const std::string path = testing_support::scratch(name);
  fs::remove(path);
  fs::remove(path + ".partial");
  return path;
}

void write_rows(RowFile& file, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float values[2] = {static_cast<float>(row), -static_cast<float>(row)};
    const int64_t id = 1000 + row;
    file.write("values", row, 1, values);
    file.write("id", row, 1, &id);
  }
}

std::string whole_file(const std::string& name) {
  const std::string path = fresh(name);
  RowFile file(path, attributes, columns, row_count);
  write_rows(file, 0, row_count);
  file.commit(row_count);
  file.finish();
  return path;
}

/// HDF5 itself takes 64 KiB.
TEST(RowFile, AttributesMayBeLong) {
  const std::string path = fresh("attributes.h5");
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i) + "\n";
  const RowFile::Attributes long_ones = {{"inputs", text}, {"model", "abc"}};
  RowFile(path, long_ones, columns, row_count);
  EXPECT_EQ(Hdf5File::open(path + ".partial").attribute("inputs"), text);
  EXPECT_NO_THROW(RowFile(path, long_ones, columns, row_count));
  EXPECT_THAT(message_of([&] {
                RowFile(path, {{"inputs", text + "x"}}, columns, row_count);
              }),
              testing::HasSubstr("its 'inputs' is "));
}

TEST(RowFile, HoldsWhatWasWritten) {
  const std::string path = whole_file("whole.h5");
  EXPECT_FALSE(fs::exists(path + ".partial"));
  const auto file = Hdf5File::open(path);
  EXPECT_EQ(file.attribute("precision"), "f32");
  EXPECT_EQ(file.shape("values"), (Shape{5, 2}));
  std::vector<float> values(10);
  std::vector<int64_t> ids(5);
  const std::vector<int64_t> all = {0, 1, 2, 3, 4};
  file.read_rows("values", all, DType::f32, values.data());
  file.read_rows("id", all, DType::i64, ids.data());
  EXPECT_EQ(values, (std::vector<float>{0, 0, 1, -1, 2, -2, 3, -3, 4, -4}));
  EXPECT_EQ(ids, (std::vector<int64_t>{1000, 1001, 1002, 1003, 1004}));
}

TEST(RowFile, GoesOnBehindTheLastCommitToTheSameBytes) {
  const std::string path = fresh("interrupted.h5");
  {
    RowFile file(path, attributes, columns, row_count);
    EXPECT_EQ(file.done(), 0);
    write_rows(file, 0, 2);
    file.commit(2);
    write_rows(file, 2, 4);  // never committed
  }
  EXPECT_FALSE(fs::exists(path));
  {
    RowFile file(path, attributes, columns, row_count);
    EXPECT_EQ(file.done(), 2);
    write_rows(file, 2, 5);
    file.commit(5);
  }
  {
    RowFile file(path, attributes, columns, row_count);  // killed before it had its name
    EXPECT_EQ(file.done(), 5);
    file.finish();
  }
  EXPECT_TRUE(read_text(path) == read_text(whole_file("again.h5")));
  EXPECT_EQ(RowFile(path, attributes, columns, row_count).done(), 5);
}

TEST(RowFile, AKillJustBeforeTheNameLosesNothing) {
  const std::string path = whole_file("nameless.h5");
  const std::string bytes = read_text(path);
  fs::rename(path, path + ".partial");  // cut to its length, not yet renamed
  RowFile file(path, attributes, columns, row_count);
  EXPECT_EQ(file.done(), 5);
  file.finish();
  EXPECT_TRUE(read_text(path) == bytes);
}

TEST(RowFile, WhatIsOfSomethingElseIsLeftAlone) {
  const std::string path = whole_file("other.h5");
  const RowFile::Attributes bf16 = {{"model", "abc"}, {"precision", "bf16"}}, more = {{"model", "abc"}, {"batch", "8"}};
  EXPECT_EQ(message_of([&] { RowFile(path, bf16, columns, row_count); }),
            path + ": already exists for other input: its 'precision' is 'f32', expected 'bf16'");
  EXPECT_EQ(message_of([&] { RowFile(path, more, columns, row_count); }),
            path + ": already exists for other input: its 'batch' is not given, expected '8'");
  EXPECT_EQ(message_of([&] { RowFile(path, attributes, columns, row_count + 1); }),
            path + ": dataset 'values' has the shape [5, 2], expected [6, 2]");
  write_text(path, "no HDF5");
  EXPECT_EQ(message_of([&] { RowFile(path, attributes, columns, row_count); }), path + ": is not an HDF5 file");
}

TEST(RowFile, OneProcessAtATime) {
  const std::string path = fresh("locked.h5");
  const RowFile first(path, attributes, columns, row_count);
  EXPECT_EQ(message_of([&] { RowFile(path, attributes, columns, row_count); }),
            path + ".partial: another process is writing it");
}

TEST(RowFile, CommittedRowsAreNotWrittenAgain) {
  RowFile file(fresh("twice.h5"), attributes, columns, row_count);
  write_rows(file, 0, 2);
  file.commit(2);
  EXPECT_THAT(message_of([&] { write_rows(file, 1, 2); }),
              testing::HasSubstr("rows 1 to 2 cannot be written: 2 of 5 rows are done"));
  EXPECT_THAT(message_of([&] { file.finish(); }), testing::HasSubstr("has 2 of 5 rows"));
}

TEST(RowFile, NoRowsAtAllAreAFileToo) {
  const std::string path = fresh("empty.h5");
  RowFile file(path, attributes, columns, 0);
  file.commit(0);
  file.finish();
  EXPECT_EQ(Hdf5File::open(path).shape("values"), (Shape{0, 2}));
}

}  // namespace
}  // namespace astroclip::io
