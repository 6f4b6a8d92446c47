// A table as a dataset.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "data/fields.h"
#include "support/fits_files.h"
#include "support/scratch.h"
#include "testing/plugins.h"

namespace astroclip {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;
using testing_support::make_dataset;
using testing_support::scratch;

std::string table_of_ten() {
  const std::string path = scratch("catalogue.fits");
  std::vector<int64_t> ids;
  std::vector<double> z, flux;
  std::vector<std::string> names;
  for (int i = 0; i < 10; ++i) {
    ids.push_back(39633300968442590 + i);
    z.push_back(0.1 * i);
    flux.push_back(i);
    flux.push_back(10.0 + i);
    names.push_back("NGC " + std::to_string(i));
  }
  testing_support::FitsWriter(path).empty_primary().table(
      "CAT", 10, {{"ID", "K", {}, ids}, {"Z", "D", z}, {"FLUX", "2D", flux}, {"NAME", "8A", {}, {}, names}});
  return path;
}

std::vector<double> values(const Dataset& dataset, Split split, const std::string& label) {
  return data::read_label(dataset, split, data::rows_with(dataset, split, {}), label);
}

TEST(Catalogue, SplitsTheRowsAtRandom) {
  const auto dataset = make_dataset("catalogue", "file = '" + table_of_ten() + "'");
  EXPECT_EQ(dataset->size(Split::train), 8);
  EXPECT_EQ(dataset->size(Split::test), 2);
  std::vector<double> all = values(*dataset, Split::train, "object_id");
  std::ranges::copy(values(*dataset, Split::test, "object_id"), std::back_inserter(all));
  std::ranges::sort(all);
  EXPECT_THAT(all, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  const auto other = make_dataset("catalogue", "file = '" + table_of_ten() + "'\nseed = 1\ntrain_fraction = 0.5");
  EXPECT_EQ(other->size(Split::train), 5);
  EXPECT_THAT(dataset->notes(), ElementsAre("columns of text are no labels: NAME"));
}

TEST(Catalogue, GivesColumnsAndElementsOfVectorsAsLabels) {
  const auto dataset = make_dataset("catalogue", "file = '" + table_of_ten() + "'\nid = 'id'\ntrain_fraction = 1.0");
  std::vector<std::string> labels;
  for (const Field& field : dataset->fields()) labels.push_back(field.name);
  EXPECT_THAT(labels, ElementsAre("object_id", "Z", "FLUX[0]", "FLUX[1]"));
  EXPECT_EQ(values(*dataset, Split::train, "FLUX[1]")[3], 13.0);
  EXPECT_EQ(dataset->id_texts(Split::train, std::vector<int64_t>{9, 0}),
            (std::vector<std::string>{"39633300968442599", "39633300968442590"}));
}

TEST(Catalogue, SaysWhatIsWrong) {
  const std::string empty = scratch("empty.csv"), holes = scratch("holes.csv");
  std::ofstream(empty) << "id,z\n";
  std::ofstream(holes) << "id,z\n5,1\n,2\n";
  const auto says = [](const std::string& toml, const std::string& message) {
    EXPECT_THAT([&] { make_dataset("catalogue", toml); }, ThrowsMessage<Error>(message)) << toml;
  };
  says("file = '" + empty + "'", empty + ": the table has no rows");
  says("file = '" + holes + "'\nid = 'id'", holes + ": column 'id', row 2: has no identifier");
  says("file = '" + table_of_ten() + "'\nid = 'Z'",
       table_of_ten() + ": column 'Z': identifiers must be integers or texts, found numbers");
  says("file = '" + table_of_ten() + "'\nid = 'OBJID'", table_of_ten() + ": has no column 'OBJID'; it has ID, Z, NAME");
}

}  // namespace
}  // namespace astroclip
