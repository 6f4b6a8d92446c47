// Which changes of a dataset its fingerprint shows.
#include "experiment/fingerprint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/toml.h"
#include "io/output/durable_file.h"
#include "support/scratch.h"

namespace astroclip {
namespace {

/// Three hundred training objects and a hundred for testing.
class Objects final : public Dataset {
 public:
  int64_t training = 300, first_id = 0, changed_from = 400;
  std::string unit = "nJy", unreadable;
  std::vector<std::string> paths;

  std::vector<Field> fields() const override {
    return {
        {"object_id", DType::i64, {}, "", ""}, {"image", DType::f32, {2}, unit, ""}, {"mass", DType::f64, {}, "", ""}};
  }
  int64_t size(Split split) const override { return split == Split::train ? training : 100; }
  std::vector<std::string> files() const override { return paths; }
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override {
    for (const std::string& name : names) {
      if (name == unreadable) throw Error(name + " was never written");
      HostArray& column = out[name] = HostArray(fields()[name == "image"  ? 1
                                                         : name == "mass" ? 2
                                                                          : 0],
                                                std::ssize(rows));
      for (size_t i = 0; i < rows.size(); ++i) {
        const int64_t object = rows[i] + (split == Split::test ? training : 0);
        if (name == "object_id") column.values<int64_t>()[i] = first_id + object;
        if (name == "image") column.values<float>()[2 * i] = object >= changed_from ? 2.0F : 1.0F;
      }
    }
  }
};

std::vector<std::string> differing(const Objects& changed) {
  const config::Table before = fingerprint(Objects()), after = fingerprint(changed);
  std::vector<std::string> names;
  for (const auto& entry : after.entries()) {
    const config::Value* value = before.find(entry.key);
    if (value == nullptr || config::to_toml(*value) != config::to_toml(entry.value)) names.push_back(entry.key);
  }
  return names;
}

TEST(Fingerprint, OfTheSameObjectsIsTheSame) { EXPECT_THAT(differing(Objects()), testing::IsEmpty()); }

TEST(Fingerprint, ShowsWhatChanged) {
  Objects more, others, units, values;
  more.training = 301;
  others.first_id = 1;
  units.unit = "nanomaggies";
  values.changed_from = 380;
  EXPECT_THAT(differing(more), testing::Contains("training objects"));
  EXPECT_THAT(differing(others), testing::ElementsAre("object ids", "labels", "values"));
  EXPECT_THAT(differing(units), testing::ElementsAre("fields"));
  EXPECT_THAT(differing(values), testing::ElementsAre("values"));
}

/// A byte of one of many files, of which no other fact knows.
TEST(Fingerprint, ShowsWhichFileChanged) {
  Objects objects;
  for (const char* name : {"fingerprint_a.bin", "fingerprint_b.bin"}) {
    objects.paths.push_back(testing_support::scratch(name));
    io::write_text(objects.paths.back(), std::string(100'000, 'x'));
  }
  const std::string before = *fingerprint(objects).find(file_contents)->get_if<std::string>();
  EXPECT_EQ(before.substr(0, digits_of_a_file), before.substr(digits_of_a_file));
  for (const size_t changed : {size_t{0}, size_t{54'321}, size_t{99'999}}) {
    std::string bytes(100'000, 'x');
    bytes[changed] = 'y';
    io::write_text(objects.paths[1], bytes);
    const std::string after = *fingerprint(objects).find(file_contents)->get_if<std::string>();
    EXPECT_EQ(after.substr(0, digits_of_a_file), before.substr(0, digits_of_a_file));
    EXPECT_NE(after.substr(digits_of_a_file), before.substr(digits_of_a_file)) << changed;
  }
}

TEST(Fingerprint, LeavesOutLabelsThatCannotBeRead) {
  Objects objects;
  objects.unreadable = "mass";
  EXPECT_THAT(differing(objects), testing::ElementsAre("labels", "values", unreadable_labels));
  EXPECT_EQ(*fingerprint(objects).find(unreadable_labels)->get_if<std::string>(), "mass");
  for (const char* needed : {"image", "object_id"}) {
    objects.unreadable = needed;
    EXPECT_THROW(fingerprint(objects), Error) << needed;
  }
}

}  // namespace
}  // namespace astroclip
