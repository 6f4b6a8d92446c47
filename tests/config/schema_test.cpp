#include "config/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/toml.h"

namespace astroclip::config {
namespace {

using ::testing::ElementsAre;

struct Patch {
  int64_t size = 12;
  double overlap = 0.5;
};

struct Parameters {
  int64_t dim = 1024;
  double drop_path = 0.3;
  bool use_bias = true;
  std::string head = "cls";
  std::vector<std::string> probes = {"knn"};
  std::vector<double> betas = {0.9, 0.95};
  std::vector<int64_t> sizes;
  std::string file;
  Patch patch;
};

const Schema<Parameters>& schema() {
  static const auto patch = Schema<Patch>("Patches.")
                                .field("size", &Patch::size, "side in pixels", above(0))
                                .field("overlap", &Patch::overlap, "share of a patch", between(0.0, 1.0));
  static const auto instance =
      Schema<Parameters>("A transformer.")
          .field("dim", &Parameters::dim, "width of a token", between(64, 4096))
          .field("drop_path", &Parameters::drop_path, "stochastic depth rate", between(0.0, 1.0))
          .field("use_bias", &Parameters::use_bias, "with biases")
          .field("head", &Parameters::head, "what pools the tokens", one_of({"cls", "mean"}))
          .field("probes", &Parameters::probes, "probes to train", each(one_of({"knn", "mlp"})))
          .field("betas", &Parameters::betas, "decay of the moments", each(between(0.0, 1.0)))
          .field("sizes", &Parameters::sizes, "sides of crops")
          .required("file", &Parameters::file, "where the weights are")
          .section("patch", &Parameters::patch, "how images are cut", patch)
          .check([](const Parameters& p) {
            return p.dim % p.patch.size == 0 ? "" : "'dim' must be a multiple of 'patch.size'";
          });
  return instance;
}

/// The problems of one section [encoders.image] whose first line is the file's first.
std::vector<std::string> problems_of(const std::string& text, const Section& where = {"encoders.image", "vit"}) {
  const Table file = parse_text("[encoders.image]\n" + text, "bad.toml");
  const Value& section = *file.find("encoders")->get_if<Table>()->find("image");
  Problems problems;
  schema().parse(*section.get_if<Table>(), where, section.location(), problems);
  return problems.messages();
}

TEST(Schema, ReadsEveryType) {
  const Table table = parse_text(R"(
plugin = "vit"
dim = 96
drop_path = 1
use_bias = false
head = "mean"
probes = ["mlp", "knn"]
betas = [0, 0.5]
sizes = [1, 2]
file = "a b"
patch = { size = 8 })",
                                 "good.toml");
  Problems problems;
  const auto p = schema().parse(table, {"encoders.image", "vit"}, {}, problems);
  EXPECT_THAT(problems.messages(), ElementsAre());
  EXPECT_EQ(p.dim, 96);
  EXPECT_EQ(p.drop_path, 1.0);
  EXPECT_FALSE(p.use_bias);
  EXPECT_EQ(p.head, "mean");
  EXPECT_THAT(p.probes, ElementsAre("mlp", "knn"));
  EXPECT_THAT(p.betas, ElementsAre(0.0, 0.5));
  EXPECT_THAT(p.sizes, ElementsAre(1, 2));
  EXPECT_EQ(p.file, "a b");
  EXPECT_EQ(p.patch.size, 8);
  EXPECT_EQ(p.patch.overlap, 0.5);
}

TEST(Schema, UnknownKeyNamesThePluginAndSuggests) {
  EXPECT_THAT(
      problems_of("file = 'x'\ndimm = 96\n"),
      ElementsAre("bad.toml:3:1: error: [encoders.image] plugin 'vit' has no parameter 'dimm'; did you mean 'dim'?"));
}

TEST(Schema, UnknownKeyWithoutAnythingNear) {
  EXPECT_THAT(problems_of("file = 'x'\nwavelength = 96\n"),
              ElementsAre("bad.toml:3:1: error: [encoders.image] plugin 'vit' has no parameter 'wavelength'"));
}

TEST(Schema, UnknownKeyOutsideAPlugin) {
  EXPECT_THAT(problems_of("file = 'x'\n  haed = 96\n", {"experiment"}),
              ElementsAre("bad.toml:3:3: error: [experiment] unknown key 'haed'; did you mean 'head'?"));
}

TEST(Schema, UnknownKeyOfAFile) {
  EXPECT_THAT(problems_of("file = 'x'\nhaed = 96\n", {}),
              ElementsAre("bad.toml:3:1: error: unknown key 'haed'; did you mean 'head'?"));
}

TEST(Schema, OutOfRange) {
  EXPECT_THAT(problems_of("file = 'x'\ndrop_path = 3\n"),
              ElementsAre("bad.toml:3:13: error: [encoders.image] 'drop_path' = 3 is outside 0..1"));
  EXPECT_THAT(problems_of("file = 'x'\ndrop_path = nan\n"),
              ElementsAre("bad.toml:3:13: error: [encoders.image] 'drop_path' = nan is outside 0..1"));
  EXPECT_THAT(problems_of("file = 'x'\ndim = 8\n"),
              ElementsAre("bad.toml:3:7: error: [encoders.image] 'dim' = 8 is outside 64..4096"));
  EXPECT_THAT(problems_of("file = 'x'\npatch = { size = 0 }\n"),
              ElementsAre("bad.toml:3:18: error: [encoders.image.patch] 'size' = 0 is not above 0"));
}

TEST(Schema, NotOneOfTheChoices) {
  EXPECT_THAT(
      problems_of("file = 'x'\nhead = 'meen'\n"),
      ElementsAre("bad.toml:3:8: error: [encoders.image] 'head' = \"meen\" is not one of \"cls\", \"mean\"; did "
                  "you mean 'mean'?"));
  EXPECT_THAT(problems_of("file = 'x'\nprobes = ['knn', 'tree']\n"),
              ElementsAre("bad.toml:3:10: error: [encoders.image] 'probes' = [\"knn\", \"tree\"] is not one of "
                          "\"knn\", \"mlp\""));
}

TEST(Schema, WrongType) {
  EXPECT_THAT(problems_of("file = 'x'\ndim = 'wide'\n"),
              ElementsAre("bad.toml:3:7: error: [encoders.image] 'dim' must be an integer, found a string"));
  EXPECT_THAT(problems_of("file = 'x'\ndim = 96.0\n"),
              ElementsAre("bad.toml:3:7: error: [encoders.image] 'dim' must be an integer, found a number"));
  EXPECT_THAT(problems_of("file = 'x'\ndrop_path = true\n"),
              ElementsAre("bad.toml:3:13: error: [encoders.image] 'drop_path' must be a number, found a boolean"));
  EXPECT_THAT(problems_of("file = 'x'\nuse_bias = 1\n"),
              ElementsAre("bad.toml:3:12: error: [encoders.image] 'use_bias' must be true or false, found an integer"));
  EXPECT_THAT(problems_of("file = [1]\n"),
              ElementsAre("bad.toml:2:8: error: [encoders.image] 'file' must be a string, found a list"));
  EXPECT_THAT(problems_of("file = 'x'\npatch = 3\n"),
              ElementsAre("bad.toml:3:9: error: [encoders.image] 'patch' must be a table, found an integer"));
  EXPECT_THAT(
      problems_of("file = 'x'\nsizes = 3\n"),
      ElementsAre("bad.toml:3:9: error: [encoders.image] 'sizes' must be a list of integers, found an integer"));
  EXPECT_THAT(problems_of("file = 'x'\nsizes = [3, 'x']\n"),
              ElementsAre("bad.toml:3:13: error: [encoders.image] 'sizes' must be a list of integers, found a string "
                          "as element 2"));
}

TEST(Schema, MissingRequiredKeyPointsAtTheSection) {
  EXPECT_THAT(problems_of("dim = 96\n"),
              ElementsAre("bad.toml:1:1: error: [encoders.image] 'file' is missing (string: where the weights are)"));
}

TEST(Schema, RuleOverSeveralFieldsSpeaksOnlyWhenTheFieldsAreSound) {
  EXPECT_THAT(problems_of("file = 'x'\ndim = 100\n"),
              ElementsAre("bad.toml:1:1: error: [encoders.image] 'dim' must be a multiple of 'patch.size'"));
  EXPECT_THAT(problems_of("file = 'x'\ndim = 100\ndrop_path = -1\n"),
              ElementsAre("bad.toml:4:13: error: [encoders.image] 'drop_path' = -1 is outside 0..1"));
}

TEST(Schema, AllProblemsComeTogetherSortedByPlace) {
  Problems problems;
  const Table table = parse_text("use_bias = 0\ndimm = 96\ndim = 1\nfile = 'x'\n[patch]\nsiez = 3", "bad.toml");
  schema().parse(table, {"dataset"}, {"bad.toml", 1, 1}, problems);
  try {
    problems.throw_if_any();
    FAIL() << "threw nothing";
  } catch (const ProblemList& error) {
    EXPECT_STREQ(error.what(),
                 "bad.toml:1:12: error: [dataset] 'use_bias' must be true or false, found an integer\n"
                 "bad.toml:2:1: error: [dataset] unknown key 'dimm'; did you mean 'dim'?\n"
                 "bad.toml:3:7: error: [dataset] 'dim' = 1 is outside 64..4096\n"
                 "bad.toml:6:1: error: [dataset.patch] unknown key 'siez'; did you mean 'size'?");
  }
}

TEST(Schema, DumpParsesBackToTheSameParameters) {
  Parameters before;
  before.dim = 240;
  before.drop_path = 0.1;
  before.head = "mean";
  before.sizes = {7, 9};
  before.file = "quote \" and \\ and\nline";
  before.patch.overlap = 1.0 / 3.0;
  Problems problems;
  const Table again = parse_text(to_toml(schema().dump(before)), "dump");
  const auto after = schema().parse(again, {}, {}, problems);
  EXPECT_THAT(problems.messages(), ElementsAre());
  EXPECT_EQ(after.dim, 240);
  EXPECT_EQ(after.drop_path, 0.1);
  EXPECT_EQ(after.head, "mean");
  EXPECT_EQ(after.sizes, before.sizes);
  EXPECT_EQ(after.file, before.file);
  EXPECT_EQ(after.patch.overlap, before.patch.overlap);
}

TEST(Schema, DescribesEveryField) {
  const auto fields = schema().describe();
  ASSERT_EQ(fields.size(), 9U);
  EXPECT_EQ(fields[0].name, "dim");
  EXPECT_EQ(fields[0].type, "integer");
  EXPECT_EQ(fields[0].fallback, "1024");
  EXPECT_EQ(fields[0].range, "64..4096");
  EXPECT_EQ(fields[0].meaning, "width of a token");
  EXPECT_EQ(fields[3].fallback, "\"cls\"");
  EXPECT_EQ(fields[3].range, "one of \"cls\", \"mean\"");
  EXPECT_EQ(fields[5].type, "list of numbers");
  EXPECT_EQ(fields[5].fallback, "[0.9, 0.95]");
  EXPECT_EQ(fields[7].fallback, "");
  EXPECT_EQ(fields[8].type, "section");
  ASSERT_EQ(fields[8].fields.size(), 2U);
  EXPECT_EQ(fields[8].fields[0].range, "above 0");
}

struct Tall {
  Patch patch{.overlap = 0.75};
};

TEST(Schema, ASectionStartsFromWhatTheStructAroundItGivesIt) {
  static const auto patch = Schema<Patch>("Patches.")
                                .field("size", &Patch::size, "side in pixels", above(0))
                                .field("overlap", &Patch::overlap, "share of a patch", between(0.0, 1.0));
  static const auto tall = Schema<Tall>("Tall.").section("patch", &Tall::patch, "how images are cut", patch);
  Problems problems;
  const Tall read = tall.parse(parse_text("patch = { size = 8 }", "t.toml"), {}, {}, problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(read.patch.size, 8);
  EXPECT_EQ(read.patch.overlap, 0.75);
  EXPECT_EQ(tall.describe()[0].fields[1].fallback, "0.75");
}

struct Wall : Patch {
  std::vector<Patch> tiles;
};

const Schema<Wall>& wall() {
  static const auto tile = Schema<Patch>("A tile.")
                               .required("size", &Patch::size, "side in pixels", above(0))
                               .field("overlap", &Patch::overlap, "share of a patch", between(0.0, 1.0));
  static const auto instance = Schema<Wall>("A wall.")
                                   .field("size", &Wall::size, "a member of the base", above(0))
                                   .tables("tiles", &Wall::tiles, "what stands on it", tile);
  return instance;
}

TEST(Schema, ReadsAndPrintsAnArrayOfTables) {
  Problems problems;
  const Table table = parse_text("size = 7\n[[tiles]]\nsize = 1\n[[tiles]]\nsize = 2\noverlap = 0.25", "w.toml");
  const Wall read = wall().parse(table, {}, {}, problems);
  EXPECT_THAT(problems.messages(), ElementsAre());
  EXPECT_EQ(read.size, 7);
  ASSERT_EQ(read.tiles.size(), 2U);
  EXPECT_EQ(read.tiles[0].overlap, 0.5);
  EXPECT_EQ(read.tiles[1].size, 2);
  const std::string text = to_toml(wall().dump(read));
  EXPECT_EQ(to_toml(wall().dump(wall().parse(parse_text(text, "again.toml"), {}, {}, problems))), text);
  EXPECT_EQ(wall().describe()[1].type, "list of sections");
  EXPECT_EQ(wall().describe()[1].fields.at(0).fallback, "");
}

TEST(Schema, SaysWhatIsWrongInAnArrayOfTables) {
  const auto problems_in = [](const std::string& text) {
    Problems problems;
    wall().parse(parse_text(text, "w.toml"), {"house"}, {}, problems);
    return problems.messages();
  };
  EXPECT_THAT(problems_in("tiles = 3"),
              ElementsAre("w.toml:1:9: error: [house] 'tiles' must be an array of tables, found an integer"));
  EXPECT_THAT(problems_in("tiles = [{ size = 1 }, 2]"),
              ElementsAre("w.toml:1:24: error: [house] 'tiles' must be an array of tables, found an integer"));
  EXPECT_THAT(problems_in("[[tiles]]\nsize = 1\n[[tiles]]\noverlapp = 0.1"),
              ElementsAre("w.toml:3:1: error: [house.tiles] 'size' is missing (integer: side in pixels)",
                          "w.toml:4:1: error: [house.tiles] unknown key 'overlapp'; did you mean 'overlap'?"));
}

TEST(Schema, ATableOfAnArrayGoesByItsName) {
  struct Named {
    std::string name;
    double overlap = 0.5;
  };
  struct Row {
    std::vector<Named> tiles;
  };
  const auto tile = Schema<Named>("A tile.")
                        .required("name", &Named::name, "names it")
                        .field("overlap", &Named::overlap, "share of a patch", between(0.0, 1.0));
  const auto row = Schema<Row>("A row.").tables("tiles", &Row::tiles, "what stands in it", tile);
  Problems problems;
  row.parse(parse_text("[[tiles]]\nname = 'first'\noverlap = 3", "r.toml"), {}, {}, problems);
  EXPECT_THAT(problems.messages(), ElementsAre("r.toml:3:11: error: [tiles.first] 'overlap' = 3 is outside 0..1"));
}

TEST(Schema, ARenamedKeyIsRefusedWithItsNewName) {
  const auto schema =
      Schema<Patch>("Patches.").required("size", &Patch::size, "side in pixels", above(0)).renamed("side", "size");
  const Table table = parse_text("side = 8", "p.toml");
  Problems problems;
  schema.parse(table, {"patch"}, {}, problems);
  EXPECT_THAT(problems.messages(), ElementsAre("p.toml:1:1: error: [patch] 'side' is now called 'size'"));
  ASSERT_EQ(schema.describe().size(), 1U);
  EXPECT_EQ(schema.describe()[0].name, "size");
}

TEST(Schema, ARemovedKeyIsRefusedWithWhatTakesItsPlace) {
  const auto schema = Schema<Patch>("Patches.")
                          .field("size", &Patch::size, "side in pixels")
                          .removed("overlap", "patches no longer overlap");
  const Table table = parse_text("overlap = 0.5\nsize = 9", "p.toml");
  Problems problems;
  schema.parse(table, {"patch"}, {}, problems);
  EXPECT_THAT(problems.messages(),
              ElementsAre("p.toml:1:1: error: [patch] 'overlap' is no key any more: patches no longer overlap"));
  Problems none;
  EXPECT_EQ(schema.parse(table, {.path = "patch", .takes_old_keys = true}, {}, none).size, 9);
  EXPECT_THAT(none.messages(), ElementsAre());
}

TEST(Schema, AFileOfAnOlderVersionIsReadByItsOldKeys) {
  const auto patch = Schema<Patch>("Patches.").field("size", &Patch::size, "side in pixels").renamed("side", "size");
  const auto tall = Schema<Wall>("A wall.").tables("tiles", &Wall::tiles, "what stands on it", patch);
  Problems problems;
  const Section old{.path = "wall", .takes_old_keys = true};
  const Wall read = tall.parse(parse_text("tiles = [{ side = 8 }, { size = 9 }]", "w.toml"), old, {}, problems);
  EXPECT_THAT(problems.messages(), ElementsAre());
  ASSERT_EQ(read.tiles.size(), 2U);
  EXPECT_EQ(read.tiles[0].size, 8);
  EXPECT_EQ(read.tiles[1].size, 9);
}

enum class Shade { light, dark };

struct Paint {
  Shade shade = Shade::dark;
  std::vector<Shade> layers = {Shade::light};
  uint64_t seed = 7;
  double gloss = 0.5;
  std::vector<std::pair<std::string, std::string>> names;
};

const Schema<Paint>& paint() {
  using Name = std::pair<std::string, std::string>;
  static const Choices<Shade> shades = {{"light", Shade::light}, {"dark", Shade::dark}};
  static const auto finish =
      Schema<Paint>("").field("gloss", &Paint::gloss, "how bright", between(0.0, 1.0)).no_effect_on_results();
  static const auto instance = Schema<Paint>("Paint.")
                                   .choice("shade", &Paint::shade, "of the top", shades)
                                   .choices("layers", &Paint::layers, "from below", shades)
                                   .field("seed", &Paint::seed, "of the grain")
                                   .no_effect_on_results()
                                   .section("finish", "how it looks", finish)
                                   .pairs("names", &Paint::names, &Name::first, &Name::second, "in other tongues");
  return instance;
}

std::vector<std::string> paint_problems(const std::string& text) {
  Problems problems;
  paint().parse(parse_text(text, "p.toml"), {"paint"}, {}, problems);
  return problems.messages();
}

TEST(Schema, ReadsAndPrintsChoicesOwnSectionsAndPairs) {
  Problems problems;
  const std::string text =
      "shade = \"light\"\nlayers = [\"dark\", \"light\"]\nseed = 3\n\n[finish]\ngloss = 0.25\n\n"
      "[names]\nde = \"Farbe\"\ncy = \"paent\"\n";
  const Paint read = paint().parse(parse_text(text, "p.toml"), {}, {}, problems);
  EXPECT_THAT(problems.messages(), ElementsAre());
  EXPECT_EQ(read.shade, Shade::light);
  EXPECT_THAT(read.layers, ElementsAre(Shade::dark, Shade::light));
  EXPECT_EQ(read.seed, 3U);
  EXPECT_EQ(read.gloss, 0.25);
  ASSERT_EQ(read.names.size(), 2U);
  EXPECT_EQ(read.names[0].second, "Farbe");
  EXPECT_EQ(to_toml(paint().dump(read)), text);
}

TEST(Schema, DescribesChoicesLikeStrings) {
  const auto fields = paint().describe();
  EXPECT_EQ(fields[0].type, "string");
  EXPECT_EQ(fields[0].fallback, "\"dark\"");
  EXPECT_EQ(fields[0].range, "one of \"light\", \"dark\"");
  EXPECT_EQ(fields[1].type, "list of strings");
  EXPECT_EQ(fields[1].fallback, "[\"light\"]");
  EXPECT_EQ(fields[1].range, "each one of \"light\", \"dark\"");
  EXPECT_EQ(fields[2].fallback, "7");
  EXPECT_EQ(fields[3].fields.at(0).fallback, "0.5");
  EXPECT_EQ(fields[4].type, "table of strings");
}

TEST(Schema, SaysWhatIsWrongWithChoicesSeedsAndPairs) {
  EXPECT_THAT(paint_problems("shade = 'drak'"),
              ElementsAre("p.toml:1:9: error: [paint] 'shade' = \"drak\" is not one of \"light\", \"dark\"; did you "
                          "mean 'dark'?"));
  EXPECT_THAT(paint_problems("shade = 3"),
              ElementsAre("p.toml:1:9: error: [paint] 'shade' must be a string, found an integer"));
  EXPECT_THAT(
      paint_problems("layers = ['dark', 'x']"),
      ElementsAre("p.toml:1:10: error: [paint] 'layers' = [\"dark\", \"x\"] is not one of \"light\", \"dark\""));
  EXPECT_THAT(paint_problems("seed = -1"), ElementsAre("p.toml:1:8: error: [paint] 'seed' = -1 is below 0"));
  EXPECT_THAT(paint_problems("names = { de = 3 }"),
              ElementsAre("p.toml:1:16: error: [paint.names] 'de' must be a string, found an integer"));
  EXPECT_THAT(paint_problems("finish = { glos = 1 }"),
              ElementsAre("p.toml:1:12: error: [paint.finish] unknown key 'glos'; did you mean 'gloss'?"));
}

TEST(Schema, TellsKeysThatDoNotAffectResults) {
  const Table table = affecting_results(paint().dump({}), paint().describe());
  EXPECT_EQ(table.find("seed"), nullptr);
  EXPECT_EQ(table.find("finish")->get_if<Table>()->find("gloss"), nullptr);
  EXPECT_NE(table.find("shade"), nullptr);
}

/// A plugin whose one parameter is its size.
struct FakePlugin {
  std::string plugin;
  Table parameters;
  static FakePlugin read(const Value& value, const Section& where, Problems& problems) {
    const auto* table = value.get_if<Table>();
    const Value* name = table == nullptr ? nullptr : table->find("plugin");
    if (name == nullptr) {
      problems.add(value.location(), where.says("no plugin"));
      return {};
    }
    const Section own{where.path, *name->get_if<std::string>()};
    static const auto schema = Schema<Patch>("Fake.").field("size", &Patch::size, "side in pixels", above(0));
    Table parameters = schema.dump(schema.parse(*table, own, value.location(), problems));
    parameters.set("plugin", *name);
    return {own.plugin, parameters};
  }
};

struct Tower {
  std::string name;
  FakePlugin plugin;
};

struct Castle {
  FakePlugin gate;
  std::vector<FakePlugin> walls;
  std::vector<Tower> towers;
};

const Schema<Castle>& castle() {
  static const auto instance =
      Schema<Castle>("A castle.")
          .plugin("gate", &Castle::gate, "the way in")
          .plugins("walls", &Castle::walls, "around it")
          .named_plugins("towers", &Castle::towers, &Tower::name, &Tower::plugin, "at its corners");
  return instance;
}

TEST(Schema, ReadsPluginsAloneInListsAndByName) {
  Problems problems;
  const Table table = parse_text(
      "gate = { plugin = 'iron' }\nwalls = [{ plugin = 'stone', size = 3 }]\ntowers.west = { plugin = 'round' }\n"
      "towers.east = { plugin = 'square', size = 4 }",
      "c.toml");
  const Castle read = castle().parse(table, {}, {}, problems);
  EXPECT_THAT(problems.messages(), ElementsAre());
  EXPECT_EQ(read.gate.plugin, "iron");
  EXPECT_EQ(read.walls.at(0).plugin, "stone");
  ASSERT_EQ(read.towers.size(), 2U);
  EXPECT_EQ(read.towers[0].name, "west");
  EXPECT_EQ(to_toml(castle().dump(read)),
            "[gate]\nsize = 12\nplugin = \"iron\"\n\n[[walls]]\nsize = 3\nplugin = \"stone\"\n\n"
            "[towers.west]\nsize = 12\nplugin = \"round\"\n\n[towers.east]\nsize = 4\nplugin = \"square\"\n");
}

TEST(Schema, PutsProblemsOfPluginsAtTheirPlaces) {
  Problems problems;
  const Table table =
      parse_text("walls = [{ plugin = 'stone', size = 0 }]\ntowers.west = { plugin = 'round', siez = 3 }", "c.toml");
  castle().parse(table, {}, {"c.toml", 1, 1}, problems);
  EXPECT_THAT(problems.messages(),
              ElementsAre("c.toml:1:1: error: 'gate' is missing (plugin: the way in)",
                          "c.toml:1:37: error: [walls] 'size' = 0 is not above 0",
                          "c.toml:2:35: error: [towers.west] plugin 'round' has no parameter 'siez'; did you mean "
                          "'size'?"));
}

}  // namespace
}  // namespace astroclip::config
