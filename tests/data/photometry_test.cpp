#include "data/photometry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "data/fields.h"

namespace astroclip::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// Three objects for training and one for testing, with two magnitudes.
class Magnitudes final : public Dataset {
 public:
  std::map<std::string, std::vector<double>> labels = {{"g", {20.0, NAN, NAN, 21.0}},
                                                       {"r", {19.0, 18.0, NAN, 20.0}},
                                                       {"g_err", {0.1, 0.1, NAN, 0.2}},
                                                       {"r_err", {0.05, NAN, NAN, 0.1}}};
  std::vector<Field> fields() const override {
    std::vector<Field> fields = {{"object_id", DType::i64, {}, "", ""}};
    for (const auto& [name, values] : labels) fields.push_back({name, DType::f64, {}, "", ""});
    return fields;
  }
  int64_t size(Split split) const override { return split == Split::train ? 3 : 1; }
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override {
    for (const std::string& name : names) {
      HostArray& array = out[name] = HostArray(name == "object_id" ? DType::i64 : DType::f64, {std::ssize(rows)});
      for (size_t i = 0; i < rows.size(); ++i) {
        const int64_t object = rows[i] + (split == Split::test ? 3 : 0);
        if (name == "object_id")
          array.values<int64_t>()[i] = object;
        else
          array.values<double>()[i] = labels.at(name)[static_cast<size_t>(object)];
      }
    }
  }
};

std::shared_ptr<Dataset> photometric(const PhotometryOptions& options, Magnitudes objects = {}) {
  return with_photometry(std::make_shared<Magnitudes>(std::move(objects)), options);
}

std::vector<float> photometry_in(const Dataset& dataset, Split split, std::vector<int64_t> rows) {
  const HostBatch batch = read_fields(dataset, split, rows, {"photometry"});
  const auto values = batch.at("photometry").values<float>();
  return {values.begin(), values.end()};
}

TEST(Photometry, IsMadeOfLabels) {
  const auto dataset = photometric({{"g", "r"}, {"g_err", "r_err"}});
  EXPECT_EQ(field_of(*dataset, "photometry").shape, (Shape{3, 2}));
  EXPECT_THAT(photometry_in(*dataset, Split::train, {0}), ElementsAre(20, 19, 0.1F, 0.05F, 1, 1));
  EXPECT_THAT(photometry_in(*dataset, Split::test, {0}), ElementsAre(21, 20, 0.2F, 0.1F, 1, 1));
  // A band without magnitude or without error is 0 in everything.
  EXPECT_THAT(photometry_in(*dataset, Split::train, {2, 1}), ElementsAre(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THAT(observed(*dataset, Split::train, std::vector<int64_t>{0, 1, 2}, "photometry"),
              ElementsAre(true, false, false));
  EXPECT_THAT(dataset->notes(), ElementsAre("photometry of g, r: of 4 objects 2 without g, 2 without r, 2 without any; "
                                            "a missing band is given as not measured"));
}

TEST(Photometry, NeedsNoErrors) {
  const auto dataset = photometric({{"g", "r"}, {}});
  EXPECT_THAT(photometry_in(*dataset, Split::train, {1}), ElementsAre(0, 18, 0, 0, 0, 1));
  EXPECT_EQ(rows_with(*dataset, Split::train, {"photometry"}), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(photometric({})->notes().size(), 0U);
}

TEST(Photometry, SaysWhatIsWrong) {
  EXPECT_THAT(
      [] {
        photometric({{"g", "rr"}, {}});
      },
      ThrowsMessage<Error>("[dataset.photometry] there is no label 'rr'; there are object_id, g, g_err, r, r_err; "
                           "did you mean 'r'?"));
  Magnitudes negative, nothing;
  negative.labels["g_err"][0] = -99.0;
  EXPECT_THAT(
      [&] {
        photometric({{"g"}, {"g_err"}}, negative);
      },
      ThrowsMessage<Error>("[dataset.photometry] 'g_err' is -99 for an object; errors are not below 0, and a "
                           "missing one is named in 'sentinels'"));
  nothing.labels["g"].assign(4, NAN);
  EXPECT_THAT(
      [&] {
        photometric({{"g"}, {}}, nothing);
      },
      ThrowsMessage<Error>("[dataset.photometry] no object has a value of g"));
  config::Problems problems;
  config::Table table;
  table.set("magnitudes", {config::Array{{std::string("g"), {}}, {std::string("r"), {}}}, {}});
  table.set("errors", {config::Array{{std::string("g_err"), {}}}, {}});
  (void)photometry_schema().parse(table, {"dataset.photometry"}, {}, problems);
  EXPECT_THAT([&] { problems.throw_if_any(); },
              ThrowsMessage<Error>(HasSubstr("'errors' has 1 labels, 'magnitudes' has 2")));
}

}  // namespace
}  // namespace astroclip::data
