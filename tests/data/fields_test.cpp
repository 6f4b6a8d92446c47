#include "data/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace astroclip::data {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;

/// Two rows of one field, handed over as a test says.
class OneField final : public Dataset {
 public:
  OneField(Field field, HostArray given) : field_(std::move(field)), given_(std::move(given)) {}
  std::vector<Field> fields() const override { return {field_}; }
  int64_t size(Split) const override { return 2; }
  void read(Split, std::span<const int64_t>, std::span<const std::string>, HostBatch& out) const override {
    out[field_.name] = given_;
  }

 private:
  Field field_;
  HostArray given_;
};

template <class T>
HostArray array_of(const Shape& shape, const std::vector<T>& values) {
  HostArray array(dtype_of<T>, shape);
  std::ranges::copy(values, array.values<T>().begin());
  return array;
}

const std::vector<int64_t> both = {0, 1};

TEST(HostArrayTest, IsNeverReadAsAnotherDtype) {
  const HostArray array = array_of<double>({2}, {0.1, 0.2});
  EXPECT_THAT([&] { array.values<float>(); }, ThrowsMessage<Error>("an array of f64 was asked for values of f32"));
}

TEST(ReadFields, GivesWhatTheDatasetDeclares) {
  const OneField dataset({"flux", DType::f64, {3}, "", ""}, array_of<double>({2, 3}, {1, 2, 3, 4, 5, 6}));
  const HostBatch batch = read_fields(dataset, Split::train, both, {"flux"});
  EXPECT_THAT(batch.at("flux").values<double>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT([&] { read_fields(dataset, Split::train, both, {"fluxes"}); },
              ThrowsMessage<Error>("[dataset] has no field 'fluxes'; it has flux"));
}

TEST(ReadFields, RefusesAnotherDtypeOrShapeByName) {
  const OneField dtype({"flux", DType::f32, {3}, "", ""}, HostArray(DType::f64, {2, 3}));
  EXPECT_THAT([&] { read_fields(dtype, Split::train, both, {"flux"}); },
              ThrowsMessage<Error>("[dataset] field 'flux': expected f32 [2, 3], as declared, found f64 [2, 3]"));
  const OneField shape({"flux", DType::f32, {3}, "", ""}, HostArray(DType::f32, {2, 4}));
  EXPECT_THAT([&] { read_fields(shape, Split::train, both, {"flux"}); },
              ThrowsMessage<Error>("[dataset] field 'flux': expected f32 [2, 3], as declared, found f32 [2, 4]"));
  HostArray cut(DType::f32, {2, 3});
  cut.bytes.resize(20);
  const OneField bytes({"flux", DType::f32, {3}, "", ""}, cut);
  EXPECT_THAT(
      [&] { read_fields(bytes, Split::train, both, {"flux"}); },
      ThrowsMessage<Error>("[dataset] field 'flux': expected f32 [2, 3], as declared, found f32 [2, 3] in 20 bytes"));
}

TEST(AsFloats, ConvertsEveryDtype) {
  EXPECT_THAT(as_floats(array_of<double>({2}, {0.1, -2.5}), "a").values<float>(), ElementsAre(0.1F, -2.5F));
  EXPECT_THAT(as_floats(array_of<uint8_t>({2}, {0, 255}), "a").values<float>(), ElementsAre(0.0F, 255.0F));
  EXPECT_THAT(as_floats(array_of<int64_t>({2}, {-16777216, 3}), "a").values<float>(), ElementsAre(-16777216.0F, 3.0F));
  EXPECT_THAT(as_floats(array_of<BFloat16>({1}, {BFloat16(0.5F)}), "a").values<float>(), ElementsAre(0.5F));
  EXPECT_THAT(
      [] {
        as_floats(array_of<int64_t>({2}, {1, 16777217}), "mask");
      },
      ThrowsMessage<Error>("[dataset] field 'mask': views are of f32, which cannot hold 16777217 of i64"));
}

TEST(ReadIds, TakesIntegersOfAnyWidthAndNothingElse) {
  const OneField narrow({"object_id", DType::i32, {}, "", ""}, array_of<int32_t>({2}, {7, -8}));
  EXPECT_THAT(read_ids(narrow, Split::train, both), ElementsAre(7, -8));
  const OneField wrong({"object_id", DType::f64, {}, "", ""}, array_of<double>({2}, {7, 8}));
  EXPECT_THAT([&] { read_ids(wrong, Split::train, both); },
              ThrowsMessage<Error>("[dataset] field 'object_id': expected integers, found f64"));
}

TEST(ReadLabel, GivesDoublesWhateverTheDtype) {
  const OneField label({"class", DType::u8, {}, "", ""}, array_of<uint8_t>({2}, {3, 4}));
  EXPECT_THAT(read_label(label, Split::train, both, "class"), ElementsAre(3.0, 4.0));
}

}  // namespace
}  // namespace astroclip::data
