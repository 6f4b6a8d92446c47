// Figures of test objects: what is drawn follows from the files of the run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numbers>
#include <numeric>
#include <regex>

#include "data/dataset_adapter.h"
#include "evaluate/galleries.h"
#include "evaluate/object_files.h"
#include "io/hdf5/hdf5.h"
#include "record/figure.h"
#include "report/attention_figures.h"
#include "report/binned.h"
#include "report/gallery_figures.h"
#include "report/map_figures.h"
#include "report/morphology_figures.h"
#include "report/posterior_figures.h"
#include "report/prediction_figures.h"
#include "report/report.h"
#include "report/runs.h"
#include "report/validation_figures.h"
#include "support/message_of.h"
#include "support/small_experiment.h"

namespace astroclip::report {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing_support::finished_run;
using testing_support::message_of;
using testing_support::reports_of;
using testing_support::scratch;

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// Objects on a circle: both modalities see the angle, but the first object's spectrum is seen opposite.
TaskInput on_a_circle(int64_t objects) {
  TaskInput input;
  input.test_ids.resize(static_cast<size_t>(objects));
  std::iota(input.test_ids.begin(), input.test_ids.end(), 1000);
  input.train_ids = {1};
  for (const char* modality : {"image", "spectrum"}) {
    Representation one{"aligned", modality, true, Role::model, {}, {}};
    one.train.values = {1, 2, {1.0F, 0.0F}};
    one.train.objects = {0};
    one.test.values = {objects, 2, {}};
    for (int64_t object = 0; object < objects; ++object) {
      double angle = 2.0 * std::numbers::pi * static_cast<double>(object) / static_cast<double>(objects);
      if (object == 0 && one.modality == "spectrum") angle = std::numbers::pi;
      one.test.values.values.push_back(static_cast<float>(std::cos(angle)));
      one.test.values.values.push_back(static_cast<float>(std::sin(angle)));
      one.test.objects.push_back(object);
      if (one.modality == "image") {
        input.test_labels["redshift"].push_back(0.1 + 0.001 * static_cast<double>(object));
        input.test_labels["mag_r"].push_back(20.0 - 0.05 * static_cast<double>(object));
      }
    }
    input.representations.push_back(std::move(one));
  }
  return input;
}

/// A finished run whose test objects are those of the input, with pictures of the small experiment's.
std::string run_with(const TaskInput& input, const std::map<std::string, std::vector<Prediction>>& predictions = {},
                     const std::vector<evaluate::Attention>& attention = {}) {
  const std::string folder = finished_run("figures", reports_of());
  const auto dataset = testing_support::small_experiment({}).dataset.make();
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < std::ssize(input.test_ids); ++row) rows.push_back(row % dataset->size(Split::test));
  evaluate::write_objects(folder + "/objects.h5", input, *dataset, rows, evaluate::galleries_of(input), attention);
  evaluate::write_embeddings(folder + "/embeddings.h5", input, {});
  if (!predictions.empty()) evaluate::write_predictions(folder + "/predictions.h5", predictions, input.id_names);
  return folder;
}

/// Predictions of the redshift that are 0.01 (1 + z) too large.
Prediction too_large(const TaskInput& input, const std::string& method) {
  Prediction one{
      "aligned", "image", method, Role::model, "redshift", 80, input.test_ids, input.test_labels.at("redshift"), {}};
  for (const double truth : one.truth) one.predicted.push_back(truth + 0.01 * (1.0 + truth));
  return one;
}

TEST(Binned, MediansOfEqualNumbersOfObjects) {
  std::vector<double> by, values;
  for (int i = 0; i < 82; ++i) {
    by.push_back(81.0 - i);
    values.push_back(i == 0 ? unknown : by.back() < 40.5 ? 1.0 + 0.1 * (i % 2) : 5.0);
  }
  by[1] = unknown;
  const std::vector<Bin> bins = binned(by, values, 2);
  ASSERT_EQ(bins.size(), 2U);
  EXPECT_EQ(bins[0].count, 40);
  EXPECT_EQ(bins[0].from, 0.0);
  EXPECT_EQ(bins[0].to, 39.0);
  EXPECT_EQ(bins[0].middle, 19.5);
  EXPECT_NEAR(bins[0].median, 1.05, 1e-12);
  EXPECT_NEAR(bins[0].error, std::sqrt(std::numbers::pi / 2.0) * 0.05 / std::sqrt(40.0), 1e-12);
  EXPECT_EQ(bins[1].median, 5.0);
  EXPECT_EQ(binned(by, values, 8).size(), 4U);  // of 20 objects or more
  EXPECT_TRUE(binned({}, {}, 8).empty());
}

TEST(Galleries, SuccessesFindThemselvesAndTheWorstDoesNot) {
  const auto galleries = evaluate::galleries_of(on_a_circle(60));
  ASSERT_EQ(galleries.size(), 2U);
  EXPECT_EQ(galleries[0].name, "successes");
  EXPECT_THAT(galleries[0].directions,
              ElementsAre("image → image", "image → spectrum", "spectrum → image", "spectrum → spectrum"));
  for (const int64_t rank : galleries[0].ranks) EXPECT_LE(rank, 10);
  EXPECT_EQ(galleries[1].queries.front(), 0);  // seen opposite: of 60 images its own is the farthest
  EXPECT_EQ(galleries[1].ranks.front(), 60);
  for (const auto& gallery : galleries) {
    EXPECT_EQ(gallery.queries.size(), 4U);
    for (size_t i = 0; i < gallery.nearest.size(); ++i) {
      const size_t query = i / (gallery.directions.size() * static_cast<size_t>(gallery.neighbours));
      EXPECT_NE(gallery.nearest[i], gallery.queries[query]) << gallery.name << ' ' << i;
    }
  }
  // The neighbours of the object at 30 of 60 by images are those beside it.
  const auto& successes = galleries[0];
  for (size_t query = 0; query < 4; ++query) {
    const size_t place = query * 4 * 5;
    EXPECT_LE(std::abs(successes.nearest[place] - successes.queries[query]), 1);
    EXPECT_NEAR(successes.cosines[place], std::cos(2.0 * std::numbers::pi / 60.0), 1e-6);
  }
}

/// Every image is seen opposite its spectrum but the first object's.
TEST(Galleries, HaveFewSuccessesWhereFewObjectsFindThemselves) {
  TaskInput input = on_a_circle(60);
  auto& spectra = input.representations[1].test.values.values;
  for (float& value : spectra) value = -value;
  const auto galleries = evaluate::galleries_of(input);
  ASSERT_EQ(galleries.size(), 2U);
  EXPECT_THAT(galleries[0].queries, ElementsAre(0));
  EXPECT_LE(galleries[0].ranks.at(0), 10);
  EXPECT_EQ(galleries[1].queries.size(), 4U);
  spectra[0] = -spectra[0];
  const auto without = evaluate::galleries_of(input);
  ASSERT_EQ(without.size(), 1U);
  EXPECT_EQ(without[0].name, "failures");
}

TEST(Galleries, OfOneModalityAreExamples) {
  TaskInput input = on_a_circle(40);
  input.representations.pop_back();
  const auto galleries = evaluate::galleries_of(input);
  ASSERT_EQ(galleries.size(), 1U);
  EXPECT_THAT(galleries[0].directions, ElementsAre("image → image"));
  EXPECT_THAT(galleries[0].queries, ElementsAre(0, 10, 20, 30));
  EXPECT_TRUE(galleries[0].ranks.empty());
  input.representations.clear();
  EXPECT_TRUE(evaluate::galleries_of(input).empty());
}

/// The small experiment's objects under other names, with a spectrum of 50 pixels.
class Renamed final : public data::DatasetAdapter {
 public:
  explicit Renamed(std::shared_ptr<const Dataset> objects) : DatasetAdapter(std::move(objects)) {}
  std::vector<Field> fields() const override {
    return {{"hsc", DType::f32, {2, 24, 20}, "", ""},
            {"euclid", DType::f32, {1, 60, 60}, "", ""},
            {"lamost", DType::f32, {50}, "", ""}};
  }
  void read(Split, std::span<const int64_t> rows, std::span<const std::string> names, HostBatch& out) const override {
    for (const Field& field : fields()) {
      if (std::ranges::find(names, field.name) == names.end()) continue;
      HostArray& values = out[field.name] = HostArray(field, std::ssize(rows));
      std::ranges::fill(values.values<float>(), 1.0F);
    }
  }
  config::Table preprocessing() const override {
    config::Table spectrum, all;
    spectrum.set("first_wavelength", {3690.0, {}});
    spectrum.set("wavelength_step", {1.5, {}});
    all.set("lamost", {spectrum, {}});
    all.set("euclid", {config::Table(), {}});
    return all;
  }
};

TEST(Galleries, ShowFieldsOfAnyNameByTheirShape) {
  TaskInput input = on_a_circle(60);
  input.representations[0].modality = "hsc";
  input.representations[1].modality = "lamost";
  const std::string folder = run_with(input);
  const Renamed dataset(testing_support::small_experiment({}).dataset.make());
  const std::vector<evaluate::Attention> attention = {{.encoder = "arm",
                                                       .modality = "lamost",
                                                       .objects = {0},
                                                       .heads = 1,
                                                       .tokens = 2,
                                                       .weights = {0.4F, 0.6F},
                                                       .places = {10.0F, 30.0F},
                                                       .side = 50}};
  std::filesystem::remove(folder + "/objects.h5");
  evaluate::write_objects(folder + "/objects.h5", input, dataset, std::vector<int64_t>(60, 0),
                          evaluate::galleries_of(input), attention);
  write_report(read_results({folder}), scratch("renamed"));
  const std::string page = io::read_text(scratch("renamed/index.html"));
  EXPECT_THAT(page, HasSubstr("Images (hsc) of the queries"));
  EXPECT_THAT(page, HasSubstr("Images (euclid) of the queries"));
  EXPECT_THAT(page, HasSubstr("Spectra of the queries"));
  EXPECT_THAT(page, HasSubstr("<th scope=\"col\">hsc → lamost</th>"));
  EXPECT_THAT(io::read_text(scratch("renamed/figures/attention-arm.dat")),
              HasSubstr("weight in %\n3705.0 40\n3735.0 60\n"));
}

TEST(Galleries, AreShownAsPicturesWithTextForEach) {
  const std::string run = run_with(on_a_circle(60));
  write_report(read_results({run}), scratch("gallery"));
  const std::string page = io::read_text(scratch("gallery/index.html"));
  size_t pictures = 0;
  for (size_t at = page.find("<img"); at != std::string::npos; at = page.find("<img", at + 1)) {
    ++pictures;
    EXPECT_EQ(page.find(" src=\"data:image/jpeg;base64,/9j/", at) < page.find('>', at), true);
  }
  EXPECT_EQ(pictures, 2U * 4U * (1U + 4U * 5U));
  EXPECT_THAT(page, HasSubstr("alt=\"1000 (z = 0.100)\""));
  EXPECT_THAT(page, HasSubstr("Worst failures: those of 60 test objects whose own other view is farthest; the larger "
                              "of its two ranks: 60, "));
  EXPECT_TRUE(std::filesystem::is_regular_file(scratch("gallery/figures/spectra-failures.gp")));
  EXPECT_LT(page.size(), size_t{5} << 20);
}

TEST(Galleries, ThatAreDamagedAreOneClearError) {
  const TaskInput input = on_a_circle(60);
  const auto page_with = [&](const std::string& dataset, std::vector<int64_t> values, const Shape& shape) {
    const std::string run = run_with(input);
    const std::string path = run + "/objects.h5";
    std::filesystem::remove(path);
    io::OutputFile output(path, io::OutputFile::Mode::create);
    auto file = io::Hdf5File::create(output);
    const auto write = [&](const std::string& name, DType dtype, const Shape& extents, const void* from) {
      file.make_dataset(name, dtype, extents);
      file.write_rows(name, 0, extents[0], dtype, from);
    };
    const std::vector<int64_t> ids = {1, 2}, objects = {0, 1}, query = {0}, nearest = {1};
    const std::vector<double> cosine = {0.5};
    file.write_ids("object_id", {IdKind::int64, ids});
    write("pictures/object", DType::i64, {2}, objects.data());
    const auto either = [&](const std::string& name, const std::vector<int64_t>& own, const Shape& extents) {
      if (name == dataset) return write("galleries/successes/" + name, DType::i64, shape, values.data());
      write("galleries/successes/" + name, DType::i64, extents, own.data());
    };
    either("queries", query, {1});
    either("nearest", nearest, {1, 1, 1});
    write("galleries/successes/cosines", DType::f64, {1, 1, 1}, cosine.data());
    file.write_ids("galleries/successes/directions", {IdKind::text, {0}, {"image → image"}});
    file.close();
    return message_of([&] { write_report(read_results({run}), scratch("damaged_page")); });
  };
  EXPECT_EQ(page_with("", {}, {}), "");
  EXPECT_THAT(page_with("nearest", {7}, {1, 1, 1}), HasSubstr("objects.h5: 'galleries/successes' names object 7"));
  EXPECT_THAT(page_with("queries", {-1}, {1}), HasSubstr("objects.h5: 'galleries/successes' names object -1"));
  EXPECT_THAT(page_with("nearest", {1, 1}, {1, 2, 1}), HasSubstr("galleries/successes/nearest"));
}

/// Two objects, two heads, and the four quarters of an image of 48 pixels, or three windows behind a token of none.
std::vector<evaluate::Attention> quarters() {
  return {
      {.encoder = "image",
       .modality = "image",
       .objects = {0, 3},
       .heads = 2,
       .tokens = 4,
       .weights = {0.1F, 0.2F, 0.3F, 0.4F, 0.7F, 0.1F, 0.1F, 0.1F, 0.25F, 0.25F, 0.25F, 0.25F, 1.0F, 0.0F, 0.0F, 0.0F},
       .places = {11.5F, 11.5F, 35.5F, 11.5F, 11.5F, 35.5F, 35.5F, 35.5F},
       .side = 48},
      {.encoder = "spectrum",
       .modality = "spectrum",
       .objects = {0},
       .heads = 1,
       .tokens = 4,
       .weights = {0.4F, 0.1F, 0.3F, 0.2F},
       .places = {NAN, 500.0F, 1000.0F, 1500.0F},
       .side = 7781}};
}

TEST(AttentionFigures, ShowTheWeightsOfTokensOverImagesAndAlongSpectra) {
  const std::string run = run_with(on_a_circle(60), {}, quarters());
  write_report(read_results({run}), scratch("attention"));
  const std::string page = io::read_text(scratch("attention/index.html"));
  EXPECT_THAT(page, HasSubstr("by the encoder image attends to in 2 test objects: the weight of each of its 4 tokens"));
  EXPECT_THAT(page, HasSubstr("alt=\"1003 (z = 0.103), attention of head 2\""));
  // Mean of both heads 0.4, 0.15, 0.2, 0.25: the greatest is 1.6 times an even one, and two tokens have half.
  EXPECT_THAT(page, HasSubstr("<td class=\"text\">mean</td><td>0.400</td><td>1.6</td><td>12, 12</td><td>2</td>"));
  EXPECT_THAT(page, HasSubstr("<td class=\"text\">1</td><td>0.400</td><td>1.6</td><td>none</td><td>2</td>"));
  const std::string data = io::read_text(scratch("attention/figures/attention-spectrum.dat"));
  EXPECT_THAT(data, HasSubstr("weight in %\n4000.0 10\n4400.0 30\n4800.0 20\n"));
}

TEST(AttentionFigures, ThatAreDamagedAreOneClearError) {
  const auto error_of = [](std::vector<evaluate::Attention> attention) {
    const std::string run = run_with(on_a_circle(60), {}, attention);
    const TestObjects objects{.ids = {"1000", "1001"}, .labels = {}};  // fewer than the file shows
    FigureSheet sheet(scratch("sheet"), 1000);
    return message_of([&] { (void)attention_html(record::RunFolder::open(run), objects, sheet); });
  };
  EXPECT_THAT(error_of(quarters()), HasSubstr("'attention/image/object' names object 3"));
  EXPECT_EQ(error_of({quarters().back()}), "");
}

/// What a loss drew of one object's spectrum, of which the values of two pixels were hidden.
void write_validation_figure(const std::string& run, const std::string& name, const std::string& title, double made) {
  std::filesystem::create_directories(run + "/figures");
  record::write_figure(run + "/figures/" + name,
                       {title,
                        "flux [Jy]",
                        {.view = "masked",
                         .x_label = "vacuum wavelength [Å]",
                         .x = {1, 2, 3, 4},
                         .lines = {{"spectrum", {1, 2, 4, 1}}, {"reconstruction", {NAN, made, made, NAN}}},
                         .shaded = {{2, 3}}}});
}

TEST(ValidationFigures, AreThoseOfTheLastStep) {
  const std::string run = finished_run("validation", {});
  write_validation_figure(run, "spectra-00000100-1", "stage spectra after 100 steps: object 7, not trained on", 0.0);
  write_validation_figure(run, "spectra-00000400-1", "stage spectra after 400 steps: object 7, not trained on", 3.0);
  write_validation_figure(run, "spectra-00000400-2", "stage spectra after 400 steps: object <8>, not trained on", 2.0);
  write_validation_figure(run, "spectra-2-00000900-1", "stage spectra-2 after 900 steps: object 9, not trained on",
                          2.0);
  const auto figures = validation_figures(read_results({run}).front());
  ASSERT_EQ(figures.size(), 1U);
  EXPECT_THAT(figures[0].caption, HasSubstr("What the loss makes of 2 objects at the last validation, stage spectra "
                                            "after 400 steps: spectrum and reconstruction."));
  // Hidden are 2 and 4, and 3 is made of both: the difference is 1, and so is the deviation.
  EXPECT_THAT(figures[0].table.rows.at(0), ElementsAre("object 7, not trained on", "reconstruction", "2", "1", "1"));
  EXPECT_THAT(figures[0].script, HasSubstr("set ylabel 'flux [Jy]'"));
  EXPECT_THAT(figures[0].script, HasSubstr("rectangle from 2, graph 0 to 3, graph 1"));
  io::write_text(run + "/figures/spectra-00000400-1.dat", "# cut");
  EXPECT_THAT(message_of([&] { write_report(read_results({run}), scratch("cut")); }),
              HasSubstr("spectra-00000400-1.dat: not a figure's table"));
}

TEST(TestObjects, HaveTheUnitsOfTheirLabels) {
  const RunResults results = read_results({run_with(on_a_circle(60))}).front();
  const TestObjects objects = read_test_objects(results.folder);
  EXPECT_EQ(objects.with_unit("mag_r"), "mag_r [AB mag]");
  EXPECT_EQ(objects.with_unit("redshift"), "redshift");
}

TEST(PredictionFigures, HaveResidualsInBinsByRedshiftAndMagnitude) {
  const TaskInput input = on_a_circle(60);
  const std::string run = run_with(
      input, {{"redshift", {too_large(input, "knn"), too_large(input, "attentive"), too_large(input, "mlp")}}});
  const RunResults results = read_results({run}).front();
  const TestObjects objects = read_test_objects(results.folder);
  EXPECT_EQ(objects.redshift(), "redshift");
  EXPECT_EQ(objects.magnitude(), "mag_r");
  EXPECT_EQ(objects.ids.at(3), "1003");
  const auto figures = prediction_figures(results, objects, read_predictions(results, objects));
  ASSERT_EQ(figures.size(), 1U);  // of the most able probe
  EXPECT_THAT(figures[0].caption, HasSubstr("redshift of 60 test objects from image (aligned, attentive)"));
  ASSERT_EQ(figures[0].table.rows.size(), 6U);  // three bins of 20 each
  EXPECT_THAT(figures[0].table.rows[0],
              ElementsAre("redshift", "0.1", "0.119", "20", "0.01", testing::_, "0.01", "0.01"));
  EXPECT_THAT(figures[0].table.rows[3],
              ElementsAre("mag_r [AB mag]", "17.05", "18", "20", "0.01", testing::_, "0.01", "0.01"));
  EXPECT_THAT(figures[0].script, HasSubstr("with points"));
}

TEST(PredictionFigures, OfManyObjectsAreDensities) {
  const TaskInput input = on_a_circle(2001);
  const std::string run = run_with(input, {{"redshift", {too_large(input, "knn")}}});
  const RunResults results = read_results({run}).front();
  const TestObjects objects = read_test_objects(results.folder);
  const Figure figure = prediction_figures(results, objects, read_predictions(results, objects)).at(0);
  EXPECT_THAT(figure.script, HasSubstr("with boxxyerror"));
  // The numbers of objects in the squares are those of all that lie within the axes.
  std::istringstream lines(figure.data.substr(0, figure.data.find("\n\n")));
  std::string line;
  int64_t drawn = 0;
  for (std::getline(lines, line); std::getline(lines, line);) drawn += std::stoll(line.substr(line.rfind(' ') + 1));
  EXPECT_GT(drawn, 1900);
  EXPECT_THAT(figure.caption, HasSubstr(drawn == 2001 ? "true" : std::to_string(2001 - drawn) + " outside"));
}

/// Transforms of objects, within the central half only.
Prediction transforms(const std::vector<int64_t>& ids) {
  Prediction one{"aligned", "image", "coupling_flow PIT", Role::model, "z", 80, ids, {}, {}};
  one.outputs = {"z"};
  for (size_t i = 0; i < ids.size(); ++i) {
    one.truth.push_back(0.0);
    one.predicted.push_back(0.25 + 0.5 * (static_cast<double>(i) + 0.5) / static_cast<double>(ids.size()));
  }
  return one;
}

TEST(PosteriorFigures, TellHowManyTrueValuesLieWithinIntervals) {
  std::vector<int64_t> ids(100);
  std::iota(ids.begin(), ids.end(), 0);
  StoredPrediction one{"posterior", transforms(ids)};
  const auto figures = posterior_figures({one});
  ASSERT_EQ(figures.size(), 1U);
  // Bins of the transform from 0.25 to 0.75 have 10 objects each; a level of 0.2 has 40 of the 100.
  ASSERT_EQ(figures[0].table.rows.size(), 20U + 19U);
  EXPECT_THAT(figures[0].table.rows.at(0), ElementsAre("z", "100", "density of the PIT", "0.025", "0.000", "0.000"));
  EXPECT_THAT(figures[0].table.rows.at(5), ElementsAre("z", "100", "density of the PIT", "0.275", "2.000", "0.632"));
  EXPECT_THAT(figures[0].table.rows.at(23), ElementsAre("z", "100", "share within level", "0.2", "0.400", "0.049"));
  EXPECT_THAT(figures[0].table.rows.at(35), ElementsAre("z", "100", "share within level", "0.8", "1.000", "0.000"));
  one.values.method = "coupling_flow";
  EXPECT_TRUE(posterior_figures({one}).empty());
}

/// Tables of the task morphology: accuracies of three questions, and what is taken for what on one.
std::vector<Report> morphology_reports() {
  Report answers{"morphology: answers of test objects from representations of training objects", "", {}};
  for (const char* question : {"bar", "merging", "smooth"}) {
    const std::string name = question;
    answers.rows.push_back({"aligned", "image", name + " mlp", Role::model, {{"accuracy", 0.75, 0.02}}, 80, 40});
    answers.rows.push_back({"majority answer", "image", name + " majority", Role::floor, {{"accuracy", 0.5}}, 80, 40});
  }
  Report confusion{"morphology: what is taken for what on bar", "", {}};
  confusion.rows = {{"aligned", "image", "knn, true: strong", Role::model, {{"strong", 0.5}, {"no", 0.5}}, 80, 12},
                    {"aligned", "image", "mlp, true: strong", Role::model, {{"strong", 0.25}, {"no", 0.75}}, 80, 12},
                    {"aligned", "image", "mlp, true: no", Role::model, {{"strong", unknown}, {"no", unknown}}, 80, 0}};
  return {answers, confusion};
}

TEST(MorphologyFigures, AreOfTheTablesOfTheTask) {
  const std::string run = finished_run("morphology", morphology_reports());
  const auto figures = morphology_figures(read_results({run}).front());
  ASSERT_EQ(figures.size(), 2U);  // of what is taken for what that of the most able probe
  EXPECT_THAT(figures[0].table.rows.at(0), ElementsAre("bar", "image, aligned, mlp", "40", "0.750±0.020"));
  EXPECT_EQ(figures[0].table.rows.size(), 6U);
  EXPECT_THAT(figures[1].table.rows.at(0), ElementsAre("strong", "12", "0.25±0.12", "0.75±0.12"));
  EXPECT_THAT(figures[1].table.rows.at(1), ElementsAre("no", "0", "–", "–"));
  EXPECT_THAT(figures[1].data, Not(HasSubstr("nan")));
  write_report(read_results({run}), scratch("morphology_page"));
  EXPECT_THAT(io::read_text(scratch("morphology_page/index.html")),
              HasSubstr("<details><summary>Table 2. morphology: what is taken for what on bar</summary>"));
}

TEST(MapFigures, AreColouredByOneAnswerOfEachQuestion) {
  TaskInput input = on_a_circle(60);
  for (int object = 0; object < 60; ++object) {
    const double share = 0.01 * object;
    input.test_labels["bar_weak_fraction"].push_back(share);
    input.test_labels["bar_no_fraction"].push_back(1.0 - 0.5 * share);
    input.test_labels["bar_total-votes"].push_back(object);
    input.test_labels["merging_merger_fraction"].push_back(object == 0 ? unknown : 0.1 * share);
    input.test_labels["zeta"].push_back(share);
  }
  const RunResults results = read_results({run_with(input)}).front();
  const auto figures = map_figures(results, read_test_objects(results.folder), {});
  std::vector<std::string> labels;
  for (const TableRow& row : figures.at(0).table.rows) labels.push_back(row.at(0));
  EXPECT_THAT(labels,
              ElementsAre("redshift", "mag_r [AB mag]", "bar_weak_fraction", "zeta", "merging_merger_fraction"));
}

TEST(MapFigures, ShowEveryLabelOfObjectsWithEmbeddings) {
  TaskInput input = on_a_circle(60);
  input.test_labels["constant"].assign(60, 1.0);
  input.test_labels["redshift"][5] = unknown;
  const RunResults results = read_results({run_with(input)}).front();
  const auto figures = map_figures(results, read_test_objects(results.folder), {});
  ASSERT_EQ(figures.size(), 2U);
  EXPECT_THAT(figures[0].caption, HasSubstr("60 test objects by the encoder image"));
  ASSERT_EQ(figures[0].table.rows.size(), 2U);  // without what is the same for all
  EXPECT_THAT(figures[0].table.rows[0].at(0), "redshift");
  EXPECT_THAT(figures[0].table.rows[0].at(1), "59");
  EXPECT_LT(std::stod(figures[0].table.rows[1].at(5)), 0.7);  // on a circle neighbours are alike
}

TEST(MapFigures, AreColouredByWhatTheRunPredictsFirst) {
  TaskInput input = on_a_circle(60);
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) input.test_labels[name] = input.test_labels["mag_r"];
  const RunResults results = read_results({run_with(input)}).front();
  StoredPrediction predicted;
  predicted.values.label = "f";
  const auto figures = map_figures(results, read_test_objects(results.folder), {predicted});
  ASSERT_EQ(figures.at(0).table.rows.size(), 6U);
  EXPECT_EQ(figures[0].table.rows[2].at(0), "f");
  EXPECT_EQ(figures[0].table.rows[3].at(0), "a");
}

TEST(ReportFigures, SayOfHowManyTheyAreAndHowErrorsWereEstimated) {
  const TaskInput input = on_a_circle(60);
  const std::string run = run_with(
      input, {{"redshift", {too_large(input, "mlp")}}, {"posterior", {transforms(input.test_ids)}}}, quarters());
  write_validation_figure(run, "spectra-00000400-1", "stage spectra after 400 steps: object 7, not trained on", 3.0);
  std::vector<Report> reports = morphology_reports();
  reports.push_back(reports_of()[0]);
  io::write_text(run + "/report.json", evaluate::report_json(reports));
  io::write_text(run + "/resolved.toml", "[[stages]]\nname = \"spectra\"\nbatch = 32\naccumulate = 2\n");
  write_report(read_results({run}), scratch("one_run"));
  write_report(read_results({run, finished_run("other", reports), finished_run("without", {})}), scratch("three_runs"));
  const std::regex caption("<figcaption><b>Figure [0-9]+.</b> ([^<]*)</figcaption>"),
      number("[0-9]+ (test )?(objects|steps?)|to [0-9]+ questions");
  const auto captions_of = [&](const std::string& name) {
    const std::string page = io::read_text(scratch(name + "/index.html"));
    std::vector<std::string> captions;
    for (auto found = std::sregex_iterator(page.begin(), page.end(), caption); found != std::sregex_iterator(); ++found)
      captions.push_back((*found)[1]);
    return captions;
  };
  // Four galleries, predictions, answers, confusion, posterior, two maps, attention of each encoder, validation,
  // curves.
  std::vector<std::string> captions = captions_of("one_run");
  EXPECT_EQ(captions.size(), 4U + 1U + 2U + 1U + 2U + 2U + 1U + 2U);
  EXPECT_THAT(captions, Contains(HasSubstr("over 400 steps of 64 objects. Training: means of up to 3 steps")));
  const std::vector<std::string> compared = captions_of("three_runs");
  EXPECT_THAT(compared, Contains(HasSubstr("R² of the models of 2 runs on 20 test objects. Bars are standard errors: "
                                           "over test objects, by the bootstrap")));
  captions.insert(captions.end(), compared.begin(), compared.end());
  for (const std::string& one : captions) {
    EXPECT_TRUE(std::regex_search(one, number)) << one;
    EXPECT_THAT(one, HasSubstr("error"));
  }
}

TEST(TestObjects, ThatAreDamagedAreOneClearError) {
  const TaskInput input = on_a_circle(30);
  const std::string run = run_with(input, {{"redshift", {too_large(input, "knn")}}});
  for (const char* file : {"/objects.h5", "/predictions.h5", "/embeddings.h5"}) {
    const std::string bytes = io::read_text(run + file);
    io::write_text(run + file, bytes.substr(0, bytes.size() / 2));
    EXPECT_THAT(message_of([&] { write_report(read_results({run}), scratch("cut")); }), HasSubstr(file));
    io::write_text(run + file, bytes);
  }
  EXPECT_EQ(message_of([&] { write_report(read_results({run}), scratch("cut")); }), "");
}

}  // namespace
}  // namespace astroclip::report
