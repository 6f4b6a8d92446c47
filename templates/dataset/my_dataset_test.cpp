#include <gtest/gtest.h>
#include <testing/plugins.h>

#include <algorithm>

namespace {

using namespace astroclip;
using namespace astroclip::testing_support;

constexpr const char* silent = "objects = 10\nside = 8\npixels = 101\nnoise = 0.0";

HostBatch read(const Dataset& dataset, Split split, const std::vector<int64_t>& rows) {
  std::vector<std::string> names;
  for (const Field& field : dataset.fields()) names.push_back(field.name);
  HostBatch batch;
  dataset.read(split, rows, names, batch);
  return batch;
}

TEST(MyDatasetTest, FieldsHaveTheDeclaredShapes) {
  const auto dataset = make_dataset("my_dataset", silent);
  HostBatch batch = read(*dataset, Split::train, {3, 0});
  for (const Field& field : dataset->fields()) {
    EXPECT_EQ(batch.at(field.name).dtype, field.dtype) << field.name;
    EXPECT_EQ(batch.at(field.name).shape.numel(), 2 * field.shape.numel()) << field.name;
  }
}

TEST(MyDatasetTest, SplitsShareNoObject) {
  const auto dataset = make_dataset("my_dataset", silent);
  ASSERT_EQ(dataset->size(Split::train) + dataset->size(Split::test), 10);
  HostBatch train = read(*dataset, Split::train, {0, 1, 2, 3, 4, 5, 6, 7}), test = read(*dataset, Split::test, {0, 1});
  for (const int64_t id : test.at("object_id").values<int64_t>()) {
    const auto ids = train.at("object_id").values<int64_t>();
    EXPECT_EQ(std::ranges::count(ids, id), 0);
  }
}

TEST(MyDatasetTest, TheLineTellsTheRedshift) {
  const auto dataset = make_dataset("my_dataset", silent);
  HostBatch batch = read(*dataset, Split::test, {1});
  const auto flux = batch.at("spectrum").values<float>();
  const auto peak = static_cast<double>(std::ranges::max_element(flux) - flux.begin());
  EXPECT_NEAR(batch.at("redshift").values<double>()[0], peak / 100.0, 0.0051);
}

TEST(MyDatasetTest, AnObjectIsTheSameWhateverIsReadWithIt) {
  const auto dataset = make_dataset("my_dataset", "objects = 10");
  HostBatch alone = read(*dataset, Split::train, {5}), among = read(*dataset, Split::train, {2, 5, 2});
  const auto one = alone.at("image").values<float>(), three = among.at("image").values<float>();
  EXPECT_TRUE(std::ranges::equal(one, three.subspan(one.size(), one.size())));
  EXPECT_TRUE(std::ranges::equal(three.first(one.size()), three.last(one.size())));
}

}  // namespace
