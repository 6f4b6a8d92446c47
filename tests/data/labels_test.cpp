#include "data/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/error.h"
#include "config/toml.h"
#include "data/fields.h"
#include "support/scratch.h"

namespace astroclip::data {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;
using testing_support::scratch;

/// Six objects, of which the last two are for testing: ids from 101, a row of places 10 arcsec apart.
class Objects : public Dataset {
 public:
  explicit Objects(std::vector<double> redshifts = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}) : redshifts_(std::move(redshifts)) {}
  std::vector<Field> fields() const override {
    return {{"object_id", DType::i64, {}, "", ""},
            {"ra", DType::f64, {}, "deg", ""},
            {"dec", DType::f64, {}, "deg", ""},
            {"redshift", DType::f64, {}, "", "redshift"},
            {"image", DType::f32, {2}, "nJy", ""}};
  }
  int64_t size(Split split) const override { return split == Split::train ? 4 : 2; }
  ReadPlan read_plan(Split split) const override {
    return split == Split::train ? ReadPlan{.ranges = {{0, 1}, {1, 4}}, .window = 8} : ReadPlan{.ranges = {{0, 2}}};
  }
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override {
    for (const std::string& name : names) {
      const auto all = fields();
      HostArray& array = out[name] = HostArray(*std::ranges::find(all, name, &Field::name), std::ssize(rows));
      for (size_t i = 0; i < rows.size(); ++i) {
        const int64_t object = rows[i] + (split == Split::test ? 4 : 0);
        if (name == "object_id") array.values<int64_t>()[i] = 101 + object;
        if (name == "ra") array.values<double>()[i] = 150.0 + static_cast<double>(object) / 360.0;
        if (name == "dec") array.values<double>()[i] = object == 5 ? NAN : 0.0;
        if (name == "redshift") array.values<double>()[i] = redshifts_[static_cast<size_t>(object)];
        if (name == "image") array.values<float>()[2 * i] = static_cast<float>(object);
      }
    }
  }

 private:
  std::vector<double> redshifts_;
};

std::string written(const std::string& text) {
  static int count = 0;
  const std::string path = scratch("labels" + std::to_string(count++) + ".csv");
  std::ofstream(path) << text;
  return path;
}

/// The keys of [dataset] as an experiment file gives them.
Selection selection(const std::string& toml) {
  config::Problems problems;
  const config::Table table = config::parse_text(toml, "e.toml");
  const Selection selection = selection_schema().parse(table, {"dataset"}, {}, problems);
  check_selection(selection, table, {"dataset"}, problems);
  problems.throw_if_any();
  return selection;
}

std::shared_ptr<Dataset> with(const std::string& toml, std::vector<double> redshifts = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}) {
  return labelled(std::make_shared<Objects>(redshifts), selection(toml));
}

/// A label of both splits; −1 where it is missing.
std::vector<double> values(const Dataset& dataset, const std::string& label) {
  std::vector<double> all;
  for (const Split split : {Split::train, Split::test}) {
    for (const double value : read_label(dataset, split, rows_with(dataset, split, {}), label))
      all.push_back(std::isnan(value) ? -1.0 : value);
  }
  return all;
}

TEST(LabelsTest, JoinsById) {
  const std::string file = written("id,z,zwarn\n103,1.3,0\n101,1.1,4\n,9,9\n106,1.6,\n103,8,8\n999,7,7\n");
  const auto dataset =
      with("labels = [{ file = '" + file + "', id = 'id', columns = { zmine = 'z', warning = 'zwarn' } }]");
  EXPECT_THAT(values(*dataset, "zmine"), ElementsAre(1.1, -1, 1.3, -1, -1, 1.6));
  EXPECT_THAT(values(*dataset, "warning"), ElementsAre(4, -1, 0, -1, -1, -1));
  EXPECT_THAT(values(*dataset, "redshift"), ElementsAre(0.1, 0.2, 0.3, 0.4, 0.5, 0.6));
  EXPECT_EQ(field_of(*dataset, "zmine").meaning, "column z of " + file);
  EXPECT_THAT(dataset->notes(),
              ElementsAre("labels zmine, warning of " + file +
                          ": 3 of 6 objects matched by object_id = id; 3 have no row; 1 identifier stands in several "
                          "rows, of which the first is taken; 1 row has no identifier"));
}

TEST(LabelsTest, JoinsByPosition) {
  // Rows: 0.5 arcsec from the first object, 0.9 and 0.2 from the second, none near the third, 0.8 from the fourth (and
  // 9.2 from the fifth), nowhere.
  const std::string file = written(
      "RA,DEC,Z\n150.0,0.000138888889,1\n150.002777777778,0.00025,2\n150.002777777778,0.0000555555556,3\n"
      "150.008555555556,0,4\nnan,0,5\n");
  const auto dataset =
      with("labels = [{ file = '" + file + "', ra = 'RA', dec = 'DEC', columns = { redshift = 'Z' } }]");
  EXPECT_THAT(values(*dataset, "redshift"), ElementsAre(1, 3, -1, 4, -1, -1));
  EXPECT_THAT(dataset->notes(),
              ElementsAre("label redshift of " + file + " replaces the dataset's",
                          "labels redshift of " + file +
                              ": 3 of 6 objects matched within 1 arcsec of RA, DEC; 3 have no row; 1 object has no "
                              "finite position; 1 has several rows within the radius, of which the nearest is taken; 1 "
                              "row has no finite position"));
  const auto wide =
      with("labels = [{ file = '" + file + "', ra = 'RA', dec = 'DEC', radius = 12, columns = { redshift = 'Z' } }]");
  EXPECT_THAT(values(*wide, "redshift"), ElementsAre(1, 3, 3, 4, 4, -1));
  EXPECT_THAT(wide->notes()[1], testing::HasSubstr("2 rows are the nearest of several objects"));
}

TEST(LabelsTest, JoinsByIdThenByPosition) {
  // The second row is at the second object's place under another id, the third at the first object's, whose id has a
  // row; the last one is at the fourth object's place and of no id.
  const std::string rows = "id,ra,dec,z\n101,150,0,1\nx,150.002777777778,0,2\ny,150,0,3\n,150.0084,0,4\n";
  const std::string file = written(rows);
  const std::string both = "labels = [{ file = '" + file + "', id = 'id', columns = { z = 'z' }";
  const auto dataset = with(both + " }]");
  EXPECT_THAT(values(*dataset, "z"), ElementsAre(1, 2, -1, 4, -1, -1));
  EXPECT_THAT(dataset->notes(),
              ElementsAre("labels z of " + file +
                          ": 1 of 6 objects matched by object_id = id, 2 of the others within 1 arcsec of ra, dec; 3 "
                          "have no row; 1 row has no identifier; 1 object has no finite position"));
  EXPECT_THAT(values(*with(both + ", radius = 0 }]"), "z"), ElementsAre(1, -1, -1, -1, -1, -1));
  EXPECT_THAT(values(*with(both + ", ra = 'ra', dec = 'dec', radius = 12 }]"), "z"), ElementsAre(1, 2, 2, 4, 4, -1));
}

TEST(LabelsTest, TakesSentinelsForMissing) {
  const std::string file = written("id,mag\n101,-999\n102,20\n103,-99.9\n104,99\n");
  const auto dataset = with("labels = [{ file = '" + file +
                            "', id = 'id', columns = { mag = 'mag' } }]\nsentinels = { mag = [-999, -99.9] }");
  EXPECT_THAT(values(*dataset, "mag"), ElementsAre(-1, 20, -1, 99, -1, -1));
  EXPECT_THAT(dataset->notes(), testing::Contains("label mag: 1 value of -999 missing"));
}

TEST(LabelsTest, ARedshiftOfMinus999IsNone) {
  const std::vector<double> redshifts = {0.1, -999, -99, 0.4, -55, -999};
  const auto dataset = with("", redshifts);
  EXPECT_THAT(values(*dataset, "redshift"), ElementsAre(0.1, -1, -1, 0.4, -55, -1));
  EXPECT_THAT(dataset->notes(),
              ElementsAre("label redshift: 2 values of -999 missing", "label redshift: 1 value of -99 missing",
                          "label redshift: 1 value below -1, which no redshift is (sentinels names those that are "
                          "missing)"));
  EXPECT_THAT(values(*with("sentinels = { redshift = [-55] }", redshifts), "redshift"),
              ElementsAre(0.1, -999, -99, 0.4, -1, -999));
  EXPECT_TRUE(with("")->notes().empty());
}

TEST(LabelsTest, KeepsTheObjectsThatMeetTheCondition) {
  const std::string file = written("id,type,q\n101,GALAXY,1\n102,STAR,1\n103,GALAXY,\n104,GALAXY,2\n105,GALAXY,3\n");
  const auto dataset = with("where = \"type == 'GALAXY' && q > 0 && redshift < 0.45\"\nlabels = [{ file = '" + file +
                            "', id = 'id', columns = { type = 'type', q = 'q' } }]");
  EXPECT_EQ(dataset->size(Split::train), 2);
  EXPECT_EQ(dataset->size(Split::test), 0);
  EXPECT_THAT(values(*dataset, "object_id"), ElementsAre(101, 104));
  EXPECT_THAT(values(*dataset, "q"), ElementsAre(1, 2));
  const std::vector<int64_t> rows = {1, 0};
  HostBatch batch = read_fields(*dataset, Split::train, rows, {"image"});
  EXPECT_EQ(batch.at("image").values<float>()[0], 3.0F);
  EXPECT_THAT(dataset->notes().back(),
              "where type == 'GALAXY' && q > 0 && redshift < 0.45: 2 of 6 objects are kept; 1 is left out because a "
              "value is missing");
  const ReadPlan plan = dataset->read_plan(Split::train);
  ASSERT_EQ(plan.ranges.size(), 2U);
  EXPECT_EQ(plan.ranges[0].end, 1);
  EXPECT_EQ(plan.ranges[1].begin, 1);
  EXPECT_EQ(plan.ranges[1].end, 2);
}

/// A dataset's own texts, identifiers and integers, which no field holds as they are.
TEST(LabelsTest, ConditionsUseTextsAndExactIntegers) {
  class Named final : public Objects {
   public:
    std::vector<Field> fields() const override {
      std::vector<Field> all = Objects::fields();
      all.push_back({"TARGETID", DType::i64, {}, "", ""});
      return all;
    }
    void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
              HostBatch& out) const override {
      Objects::read(split, rows, names, out);
      if (!out.contains("TARGETID")) return;
      for (size_t i = 0; i < rows.size(); ++i)
        out["TARGETID"].values<int64_t>()[i] = 39633300968441868 + rows[i] + (split == Split::test ? 4 : 0);
    }
    std::vector<std::string> text_labels() const override { return {"type"}; }
    std::vector<std::string> texts(Split, std::span<const int64_t> rows, const std::string&) const override {
      std::vector<std::string> all;
      for (const int64_t row : rows) all.push_back(row == 0 ? "PSF" : row == 1 ? "" : "SER");
      return all;
    }
    IdKind id_kind() const override { return IdKind::text; }
    std::vector<std::string> id_texts(Split, std::span<const int64_t> rows) const override {
      std::vector<std::string> all;
      for (const int64_t row : rows) all.push_back("s" + std::to_string(row));
      return all;
    }
  };
  const auto kept = [](const std::string& where) {
    const auto dataset = labelled(std::make_shared<Named>(), selection("where = \"" + where + "\""));
    return values(*dataset, "ra").size();
  };
  EXPECT_EQ(kept("type == 'SER'"), 2U);
  EXPECT_EQ(kept("type != 'SER'"), 2U) << "without those of which it is not known";
  EXPECT_EQ(kept("object_id == 's1'"), 2U);
  EXPECT_EQ(kept("TARGETID == '39633300968441869'"), 1U);
  EXPECT_THAT([&] { kept("type == 1"); },
              ThrowsMessage<Error>("[dataset] 'where': at character 1: '==' compares the text 'type' with a number"));
  const auto dataset = labelled(std::make_shared<Named>(), selection("where = \"type == 'SER'\""));
  EXPECT_THAT(dataset->texts(Split::train, std::vector<int64_t>{0}, "type"), ElementsAre("SER"));
}

TEST(LabelsTest, ComputesLabelsFromOthers) {
  const std::string file = written("id,flux,err\n101,100,5\n102,0,1\n103,,1\n");
  const auto dataset = with("labels = [{ file = '" + file +
                            "', id = 'id', columns = { flux = 'flux', err = 'err' } }]\n"
                            "derived = { mag = '22.5 - 2.5 * log10(flux)', half = 'mag / 2', z2 = 'sqrt(redshift)', "
                            "redshift = 'exp(ln(redshift)) + 1' }");
  EXPECT_THAT(values(*dataset, "mag"), ElementsAre(17.5, -1, -1, -1, -1, -1));
  EXPECT_THAT(values(*dataset, "half"), ElementsAre(8.75, -1, -1, -1, -1, -1));
  EXPECT_NEAR(values(*dataset, "z2")[3], std::sqrt(0.4), 1e-15);
  EXPECT_NEAR(values(*dataset, "redshift")[1], 1.2, 1e-15);
  EXPECT_EQ(field_of(*dataset, "mag").meaning, "22.5 - 2.5 * log10(flux)");
  EXPECT_EQ(dataset->notes().back(), "label redshift = exp(ln(redshift)) + 1 replaces the dataset's");
}

/// Two rows at one place: the first of them is taken.
TEST(LabelsTest, TakesTheFirstOfTwoRowsAtOnePosition) {
  const std::string file = written("RA,DEC,Z\n150.0,0.0001,1\n150.0,0.0001,2\n");
  const auto dataset = with("labels = [{ file = '" + file + "', ra = 'RA', dec = 'DEC', columns = { z2 = 'Z' } }]");
  EXPECT_THAT(values(*dataset, "z2"), ElementsAre(1, -1, -1, -1, -1, -1));
  EXPECT_THAT(dataset->notes(),
              ElementsAre("labels z2 of " + file +
                          ": 1 of 6 objects matched within 1 arcsec of RA, DEC; 5 have no row; 1 object has no finite "
                          "position; 1 has several rows within the radius, of which the nearest is taken"));
}

TEST(LabelsTest, SaysWhatIsWrong) {
  const std::string file = written("id,type,big,near\n101,GALAXY,39633300968442591,1.5\n");
  const auto says = [](const std::string& toml, const std::string& message) {
    EXPECT_THAT([&] { with(toml); }, ThrowsMessage<Error>(message)) << toml;
  };
  const std::string joined = "labels = [{ file = '" + file + "', id = 'id', columns = ";
  says("where = 'redshit > 0'",
       "[dataset] 'where': there is no label 'redshit'; there are object_id, ra, dec, redshift; did you mean "
       "'redshift'?");
  says("where = 'image > 0'", "[dataset] 'where': there is no label 'image'; there are object_id, ra, dec, redshift");
  says("where = 'redshift > 7'", "[dataset] where redshift > 7: 0 of 6 objects are kept");
  says("where = 'redshift >'",
       "e.toml:1:9: error: [dataset] 'where': at character 11: expected a label or a number, found the end");
  says("sentinels = { redshift = -999 }",
       "e.toml:1:15: error: [dataset.sentinels] 'redshift' must be a list of numbers, found an integer");
  says("sentinels = { mag = [-999] }",
       "[dataset] 'sentinels': there is no label 'mag'; there are object_id, ra, dec, redshift");
  says(joined + "{ big = 'big' } }]", file +
                                          ": column 'big', row 1: 39633300968442591 is beyond ±2^53, which the "
                                          "label 'big' (float64) cannot hold exactly");
  says(joined + "{ image = 'big' } }]",
       "[dataset.labels] " + file + ": a table cannot give 'image', which says what the objects are");
  says(joined + "{ z = 'zz' } }]", file + ": has no column 'zz'; it has id, type, big, near");
  says("labels = [{ file = '" + file + "', id = 'near', columns = { big = 'type' } }]",
       file +
           ": column 'near', row 1: 1.5 identifies no object exactly; expected integers, "
           "texts, or floating-point numbers below 2^53 without a fraction");
  says("labels = [{ file = '" + file + "', id = 'TARGETID', columns = { big = 'big' } }]",
       file + ": has no column 'TARGETID'; it has id, type, big, near");
  const std::string names = written("id,z\nJ1000+05,1\nJ1000+06,1\n,1\nJ1,1\nJ2,1\n");
  const std::string places = written("ra,dec,z\n10,5,1\n10,6,1\n");
  says("labels = [{ file = '" + names + "', id = 'id', columns = { z2 = 'z' } }]",
       "[dataset.labels] " + names +
           ": 0 of 6 objects matched by object_id = id; 6 have no row; 1 row has no identifier; the objects are 101, "
           "102, 103 …, the rows J1000+05, J1000+06, J1 …");
  says("labels = [{ file = '" + places + "', ra = 'ra', dec = 'dec', columns = { z2 = 'z' } }]",
       "[dataset.labels] " + places +
           ": 0 of 6 objects matched within 1 arcsec of ra, dec; 6 have no row; 1 object has no finite position");
  says("derived = { x = 'redshift >' }",
       "e.toml:1:11: error: [dataset.derived] 'x': at character 11: expected a label or a number, found the end");
  says("derived = { x = 'redshift > 1' }",
       "[dataset] derived label 'x': at character 1: expected a number, found a condition");
  says("derived = { x = 'reshift' }",
       "[dataset] derived label 'x': there is no label 'reshift'; there are object_id, ra, dec, redshift; did you mean "
       "'redshift'?");
  says("derived = { image = 'redshift' }",
       "[dataset.derived] a formula cannot give 'image', which says what the objects are");
  says("labels = [{ file = '" + file + "', columns = { z = 'z' } }]",
       "e.toml:1:11: error: [dataset.labels] rows are joined by 'id', or by 'ra' and 'dec'");
  says("labels = [{ file = '" + file + "', id = 'id' }]",
       "e.toml:1:11: error: [dataset.labels] 'columns' is empty: it says label = column");
  const std::string table = "{ file = '" + file + "', id = 'id', columns = { near = 'near' } }";
  says("labels = [" + table + ", " + table + "]",
       "[dataset.labels] " + file + ": another table gives the label 'near', too");
  says(joined + "{ kind = 'type' } }]\nsentinels = { kind = [-1] }", "[dataset] 'sentinels': the label 'kind' is text");
}

TEST(LabelsTest, JoiningByPositionNeedsPositionsOfTheObjects) {
  class WithoutPlaces final : public Objects {
    std::vector<Field> fields() const override {
      std::vector<Field> all = Objects::fields();
      std::erase_if(all, [](const Field& field) { return field.name == "ra" || field.name == "dec"; });
      return all;
    }
  };
  const std::string file = written("RA,DEC,Z\n150.0,0.0,1\n");
  const auto chosen = selection("labels = [{ file = '" + file + "', ra = 'RA', dec = 'DEC', columns = { z2 = 'Z' } }]");
  EXPECT_THAT(
      [&] { (void)labelled(std::make_shared<WithoutPlaces>(), chosen); },
      ThrowsMessage<Error>("[dataset] labels are joined by position, and the dataset has no labels 'ra' and 'dec'"));
}

}  // namespace
}  // namespace astroclip::data
