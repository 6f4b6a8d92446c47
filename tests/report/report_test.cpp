// The report of runs: its page stands by itself, and its tables say what the runs' reports say.
#include "report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "report/condensed_svg.h"
#include "report/figure.h"
#include "report/gnuplot.h"
#include "report/runs.h"
#include "support/message_of.h"
#include "support/same_file.h"

namespace astroclip::report {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using testing_support::finished_run;
using testing_support::message_of;
using testing_support::reports_of;
using testing_support::same_file;
using testing_support::scratch;

/// The page of runs, whose folder is that of its name.
std::string page_of(const std::vector<std::string>& runs, const std::string& name = "page") {
  write_report(read_results(runs), scratch(name));
  return io::read_text(scratch(name) + "/index.html");
}

/// Lets no program be found for as long as it lives.
class NoPrograms {
 public:
  NoPrograms() { setenv("PATH", "/nonexistent", 1); }
  ~NoPrograms() { setenv("PATH", path_.c_str(), 1); }
  NoPrograms(const NoPrograms&) = delete;
  NoPrograms& operator=(const NoPrograms&) = delete;

 private:
  std::string path_ = std::getenv("PATH");
};

TEST(ReportPage, AsksForNothingFromElsewhere) {
  const std::string page = page_of({finished_run("run", reports_of())});
  for (const char* request :
       {"http:", "https:", "url(", "@import", "<script", "<link", "<iframe", "<object", "src=\"/", "srcset"})
    EXPECT_THAT(page, Not(HasSubstr(request)));
  // Links lead within the page, or to the files beside it, which are there.
  const std::regex link("href=[\"']([^\"']*)[\"']");
  int links = 0;
  for (auto found = std::sregex_iterator(page.begin(), page.end(), link); found != std::sregex_iterator(); ++found) {
    const std::string to = (*found)[1];
    EXPECT_TRUE(to.starts_with('#') || fs::is_regular_file(scratch("page") + "/" + to)) << to;
    ++links;
  }
  EXPECT_GE(links, 3);
  EXPECT_LT(page.size(), size_t{5} << 20);
}

TEST(ReportPage, IsTheSameForTheSameRun) {
  const std::string run = finished_run("run", reports_of());
  (void)page_of({run}, "once");
  fs::create_directories(scratch("elsewhere"));
  fs::copy(run, scratch("elsewhere/run"), fs::copy_options::recursive);
  (void)page_of({scratch("elsewhere/run")}, "again");
  for (const char* file : {"index.html", "tables.csv", "tables.tex", "tables.json"})
    EXPECT_TRUE(same_file(scratch("once/") + file, scratch("again/") + file)) << file;
  int figures = 0;
  for (const auto& entry : fs::directory_iterator(scratch("once/figures"))) {
    EXPECT_TRUE(same_file(entry.path(), scratch("again/figures/") + entry.path().filename().string())) << entry.path();
    ++figures;
  }
  EXPECT_GE(figures, 2);
}

TEST(ReportPage, ShowsNamesAsTextWhateverTheyAre) {
  const std::string odd = "<script>alert(\"1\")</script> & \\input{x} $_%# 'q'";
  std::vector<Report> reports = reports_of(odd);
  reports[0].title = odd, reports[0].note = odd, reports[0].rows[0].method = odd,
  reports[0].rows[0].values[0].name = odd;
  const std::string run = finished_run("odd <b>\"name\"", reports);
  io::write_text(run + "/metrics.jsonl", "{\"stage\":\"<i>'\\\" $x`ls`\\nquit\",\"step\":1,\"loss\":0.5}\n");
  const std::string page = page_of({run});
  EXPECT_THAT(io::read_text(scratch("page/figures/loss-i-x-ls-quit.gp")), Not(HasSubstr("\nquit")));
  for (const char* markup : {"<script", "<b>\"", "<i>"}) EXPECT_THAT(page, Not(HasSubstr(markup)));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; \\input{x}"));
  const std::string latex = io::read_text(scratch("page/tables.tex"));
  EXPECT_THAT(latex, Not(HasSubstr("\\input")));
  EXPECT_THAT(latex, HasSubstr("\\& \\textbackslash{}input\\{x\\} \\$\\_\\%\\#"));
  const auto tables = nlohmann::json::parse(io::read_text(scratch("page/tables.json")));
  EXPECT_EQ(tables["tables"][0]["lines"][0]["representation"], odd);
  EXPECT_THAT(io::read_text(scratch("page/tables.csv")), HasSubstr("\"<script>alert(\"\"1\"\")</script> & "));
}

TEST(ReportTables, SayWhatTheReportSays) {
  const std::string page = page_of({finished_run("run", reports_of())});
  EXPECT_THAT(page, HasSubstr("<td>80</td><td>20</td><td>0.5123±0.0033</td><td>–</td>"));
  EXPECT_THAT(page, HasSubstr("floor: pca-8"));
  EXPECT_THAT(page, HasSubstr("k = 16"));
  EXPECT_THAT(
      io::read_text(scratch("page/tables.csv")),
      HasSubstr("\n\"redshift: z\",\"run\",\"image\",\"aligned\",model,\"knn\",80,20,\"R²\",0.5123,0.0031,0.001,\n"
                "\"redshift: z\",\"run\",\"image\",\"aligned\",model,\"knn\",80,20,\"σ_NMAD\",,,,\n"
                "\"redshift: z\",\"run\",\"image\",\"pca-8\",floor,\"knn\",80,20,\"R²\",0.25,0.03,,\n"));
  EXPECT_THAT(io::read_text(scratch("page/tables.tex")),
              HasSubstr("image & aligned & knn & 80 & 20 & 0.5123$\\pm$0.0033 & -- \\\\\n"));
  const auto tables = nlohmann::json::parse(io::read_text(scratch("page/tables.json")));
  EXPECT_EQ(tables["runs"][0]["seed"], 3);
  const auto& line = tables["tables"][0]["lines"][0];
  EXPECT_EQ(line["n_test"], 20);
  EXPECT_EQ(line["values"]["R²"]["value"], 0.5123);
  EXPECT_EQ(line["values"]["R²"]["error_seeds"], 0.001);
  EXPECT_TRUE(line["values"]["R²"]["published"].is_null());
}

TEST(ReportTables, PutRunsSideBySide) {
  std::vector<Report> better = reports_of();
  better[0].rows[0].values[0].value = 0.75;
  better[0].note = "k = 8";
  const std::string page = page_of({finished_run("first", reports_of()), finished_run("second", better)});
  EXPECT_THAT(page, HasSubstr("<td class=\"text\">R²</td><td>0.5123±0.0033</td><td>0.7500±0.0033</td>"));
  const size_t first = page.find("<td class=\"text\">first</td>"), second = page.find("<td class=\"text\">second</td>");
  ASSERT_NE(first, std::string::npos);
  EXPECT_LT(first, second);
  EXPECT_THAT(page.substr(first, second - first), Not(HasSubstr("pca-8")));  // lines on one thing are neighbours
  EXPECT_THAT(page, HasSubstr("k = 16"));
  EXPECT_THAT(page, HasSubstr("k = 8"));
  EXPECT_THAT(page, HasSubstr("<b>Figure 1.</b> R² of the models of 2 runs"));
  EXPECT_THAT(io::read_text(scratch("page/figures/comparison.dat")), HasSubstr("\n0.75 0.15 0.00326\n"));
  // The key names each run once.
  const std::string curves = io::read_text(scratch("page/figures/loss-spectra.gp"));
  for (const char* run : {"first", "second"}) {
    EXPECT_THAT(curves, HasSubstr(fmt::format("title '{}'", run)));
    EXPECT_THAT(curves, Not(HasSubstr(fmt::format("title '{},", run))));
  }
}

/// 0.79: k-NN on aligned images (Parker et al. 2024).
TEST(ReportTables, HavePublishedNumbersBesideThoseOfThePublishedPairsAlone) {
  std::vector<Report> reports = reports_of();
  reports[0].protocol = "published";
  const std::string run = finished_run("pairs", reports);
  const auto with = [&](int training, int test) {
    io::write_text(run + "/provenance.toml", "[dataset]\n\"training objects\" = " + std::to_string(training) +
                                                 "\n\"test objects\" = " + std::to_string(test) + "\n");
    return page_of({run});
  };
  EXPECT_THAT(with(158109, 39523), HasSubstr("<td>0.5123±0.0033</td><td>0.79</td>"));
  EXPECT_THAT(with(158108, 39523), Not(HasSubstr("published R²")));
  reports[0].protocol = "own";
  io::write_text(run + "/report.json", evaluate::report_json(reports));
  EXPECT_THAT(with(158109, 39523), Not(HasSubstr("published R²")));
}

/// 0.74: k-NN on aligned images (Parker et al. 2024).
TEST(ReportTables, HavePublishedPropertiesUnderThePublishedProtocolAlone) {
  const auto with = [](const std::string& protocol) {
    Report properties{"properties of test objects", "", {}, {{"R²", Better::more}}, protocol};
    properties.rows.push_back({"aligned", "image", "log_mass knn", Role::model, {{"R²", 0.5}}, 80, 20});
    const std::string run = finished_run("properties-" + protocol, {properties});
    io::write_text(run + "/provenance.toml", "[dataset]\n\"training objects\" = 158109\n\"test objects\" = 39523\n");
    return page_of({run});
  };
  EXPECT_THAT(with("published"), HasSubstr("<td>0.5000</td><td>0.74</td>"));
  EXPECT_THAT(with("own"), Not(HasSubstr("published R²")));
}

TEST(ReportPage, OfManyLargeRunsHasAtMostFiveMegabytes) {
  std::vector<RunResults> runs = read_results({finished_run("large", reports_of(std::string(100000, 'x')))});
  runs.front().experiment += std::string(200000, '<');
  for (int i = 0; i < 30; ++i) runs.push_back(runs.front());
  write_report(runs, scratch("large_page"));
  const std::string page = io::read_text(scratch("large_page/index.html"));
  EXPECT_LE(page.size(), 5000000U);
  EXPECT_THAT(page, HasSubstr("Table 2 is not shown, because the page would be too large: redshift: z."));
  EXPECT_THAT(page, HasSubstr("in <code>resolved.toml</code>"));
  EXPECT_THAT(io::read_text(scratch("large_page/tables.csv")), HasSubstr("redshift: z"));
}

TEST(ReportFigures, AreLeftOutWhereThePageWouldBeTooLarge) {
  FigureSheet sheet(scratch("sheet"), 2000);
  const HtmlTable numbers{"x", {"y"}, 1, {{"1"}}}, many{"x", {"y"}, 1, std::vector<TableRow>(1000, {"1"})};
  EXPECT_THAT(sheet.add("<b>small</b>", "First.", "No errors.", numbers), HasSubstr("<b>small</b>"));
  EXPECT_THAT(sheet.add("<b>small</b>", "Second.", "No errors.", many),
              testing::AllOf(HasSubstr("<b>small</b>"), HasSubstr("Its numbers are not shown")));
  const std::string third = sheet.add(std::string(3000, 'x'), "Third.", "No errors.", numbers);
  EXPECT_THAT(third, HasSubstr("Not shown: the page would be too large"));
  EXPECT_THAT(third, HasSubstr("<b>Figure 3.</b> Third. No errors.<"));
}

/// 0.76 and 0.78: means of ten questions from images, aligned and before alignment (Parker et al. 2024).
TEST(ReportTables, HavePublishedAccuraciesBesideThoseOfGalaxyZooAlone) {
  Report mean{"morphology: mean of the questions", "", {}, {{"accuracy", Better::more}}, "published"};
  for (const char* representation : {"aligned", "before alignment", "untrained"})
    mean.rows.push_back({representation, "image", "mlp", Role::model, {{"accuracy", 0.5}}, 80, 20});
  const std::string run = finished_run("votes", {mean});
  const auto with = [&](const std::string& preset) {
    io::write_text(run + "/resolved.toml",
                   "[dataset]\nlabels = [{ file = \"votes.csv\", preset = \"" + preset + "\" }]\n");
    return page_of({run});
  };
  const std::string page = with("galaxy_zoo_decals");
  EXPECT_THAT(page, HasSubstr("published accuracy"));
  EXPECT_THAT(page, HasSubstr("<td>0.5000</td><td>0.76</td>"));
  EXPECT_THAT(page, HasSubstr("<td>0.5000</td><td>0.78</td>"));
  EXPECT_THAT(page, HasSubstr("<td>0.5000</td><td></td>"));
  EXPECT_THAT(page, HasSubstr("ZooBot (supervised) 0.88"));
  EXPECT_THAT(with("galaxy_zoo_2"), Not(HasSubstr("published accuracy")));
  mean.protocol = "own";
  io::write_text(run + "/report.json", evaluate::report_json({mean}));
  EXPECT_THAT(with("galaxy_zoo_decals"), Not(HasSubstr("published accuracy")));
}

TEST(CondensedSvg, DrawsCirclesAsDotsAndKeepsNumbersOfTexts) {
  const auto circle = [](const char* x, const char* scale, const char* colour) {
    return fmt::format("\t<use xlink:href='#gpPt6' transform='translate({},20.04) scale({})' color='rgb({})'/>\n", x,
                       scale, colour);
  };
  EXPECT_EQ(condensed_svg("<text><tspan>0.25</tspan></text>\n\t<path stroke='black' d='M56.52,303.30 L57.00,4.206\n\t "
                          "L58.25,9.75 '/>\n" +
                          circle("1.56", "2.00", " 52,  96, 140") + circle("2.00", "2.00", " 52,  96, 140") +
                          circle("3.00", "2.00", "255, 255,   0") + circle("4.00", "1.00", "255, 255,   0") + "</g>\n"),
            "<text><tspan>0.25</tspan></text>\n\t<path stroke='black' d='M56.5,303.3 L57.0,4.206\n\t L58.2,9.7 '/>\n"
            "<g stroke-width='4.41' stroke-linecap='round'>\n<path stroke='#34608c' d='M1.6 20.0h0M2.0 20.0h0'/>\n"
            "<path stroke='#ffff00' d='M3.0 20.0h0'/>\n</g>\n"
            "<g stroke-width='2.21' stroke-linecap='round'>\n<path stroke='#ffff00' d='M4.0 20.0h0'/>\n</g>\n</g>\n");
}

TEST(ReportPage, WithoutTasksSaysSo) {
  EXPECT_THAT(page_of({finished_run("bare", {})}), HasSubstr("The experiment has no tasks."));
}

TEST(ReportFigures, AreNumbersWhereThereIsNoGnuplot) {
  const std::string run = finished_run("run", reports_of());
  const NoPrograms none;
  const std::string page = page_of({run}, "plain");
  EXPECT_THAT(page, HasSubstr("apt-get install gnuplot-nox"));
  EXPECT_THAT(page, HasSubstr("Figure 1 in numbers"));
  EXPECT_THAT(page, Not(HasSubstr("<svg")));
  EXPECT_TRUE(fs::is_regular_file(scratch("plain/figures/loss-spectra.gp")));
  EXPECT_TRUE(fs::is_regular_file(scratch("plain/figures/loss-spectra.dat")));
}

/// Of 400 steps 2/1 … 2/400 in tenths, the last: the mean of 2/361 … 2/400.
TEST(ReportFigures, OfTheLossAreMeansOfSteps) {
  const std::string page = page_of({finished_run("run", reports_of())});
  double mean = 0.0;
  for (int step = 361; step <= 400; ++step) mean += 2.0 / step / 40.0;
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", mean);
  EXPECT_THAT(page, HasSubstr("<td>361–400</td><td>" + std::string(text) + "</td>"));
  EXPECT_THAT(page, HasSubstr("<td>0.0075</td></tr>"));  // 3/400, the validation there
}

TEST(ReportFigures, LeaveOutAStageWithoutALoss) {
  const std::string run = finished_run("run", reports_of());
  io::write_text(run + "/metrics.jsonl", "{\"stage\":\"a\",\"step\":1,\"learning_rate\":0.5}\n");
  EXPECT_THAT(page_of({run}), Not(HasSubstr("<figure")));
}

TEST(ReportFigures, AreDrawnWithNumberCaptionAndAltText) {
  if (!has_gnuplot()) GTEST_SKIP() << "no gnuplot";
  const std::string page = page_of({finished_run("run", reports_of())});
  EXPECT_THAT(page, HasSubstr("<svg role=\"img\" aria-labelledby=\"alt-1\""));
  EXPECT_THAT(page, HasSubstr("<title id=\"alt-1\">Curves of the loss of stage spectra"));
  EXPECT_THAT(page, HasSubstr("<b>Figure 1.</b> Loss of stage spectra over 400 steps."));
  EXPECT_THAT(page, HasSubstr("<b>Figure 2.</b> Loss of stage alignment over 1 step."));
  EXPECT_THAT(page, Not(HasSubstr("Not shown")));
}

TEST(ReportPage, OfADamagedRunIsOneClearError) {
  const auto error_of = [](const std::string& file, const std::string& text) {
    const std::string run = finished_run("damaged", reports_of());
    io::write_text(run + "/" + file, text);
    return message_of([&] { (void)read_results({run}); });
  };
  EXPECT_THAT(error_of("report.json", "[{\"title\":"), HasSubstr("report.json: damaged"));
  EXPECT_THAT(error_of("resolved.toml", "[experiment"), HasSubstr("resolved.toml:1:"));
  EXPECT_THAT(error_of("provenance.toml", "x = "), HasSubstr("provenance.toml: "));
  EXPECT_THAT(error_of("model.safetensors", "short"), HasSubstr("model.safetensors: "));
  // Lines that say nothing are passed over.
  EXPECT_EQ(error_of("metrics.jsonl", "{\"stage\":3,\"step\":\"x\"}\n{\"stage\":\"a\",\"step\":1,\"lo"), "");
  const std::string run = finished_run("damaged", {});
  fs::remove(run + "/report.json");
  EXPECT_THAT(message_of([&] { (void)read_results({run}); }), HasSubstr("the run is not finished"));
  EXPECT_THAT(message_of([] { (void)read_results({scratch("nowhere")}); }), HasSubstr("not a run folder"));
}

}  // namespace
}  // namespace astroclip::report
