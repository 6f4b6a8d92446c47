#include "report/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/markup.h"
#include "io/output/durable_file.h"
#include "report/attention_figures.h"
#include "report/comparison_figure.h"
#include "report/curves.h"
#include "report/figure.h"
#include "report/gallery_figures.h"
#include "report/gnuplot.h"
#include "report/html.h"
#include "report/map_figures.h"
#include "report/morphology_figures.h"
#include "report/posterior_figures.h"
#include "report/prediction_figures.h"
#include "report/result_tables.h"
#include "report/test_objects.h"
#include "report/validation_figures.h"

namespace astroclip::report {

namespace {

constexpr size_t most_page_bytes = 5'000'000, most_table_bytes = 2'000'000, most_origin_bytes = 500'000,
                 room_for_headings = 10'000;

std::string title_of(const std::vector<RunResults>& runs) {
  return runs.size() == 1 ? runs.front().name : fmt::format("{} runs", runs.size());
}

/// What stands before the tables, of one run.
std::string facts_of(const RunResults& run) {
  std::string text = fmt::format("seed {}", run.seed);
  if (run.objects > 0) text += fmt::format(", a dataset of {} objects", run.objects);
  if (!run.machine.empty()) text += fmt::format(", {}", run.machine);
  if (!run.model_hash.empty()) text += fmt::format(", model {}", run.model_hash);
  return fmt::format("<p class=\"soft\">{}: {}</p>\n", markup_text(run.name), markup_text(text));
}

std::string section(const char* id, const char* title, const std::string& body) {
  return body.empty() ? ""
                      : fmt::format("<section aria-labelledby=\"{0}\">\n<h2 id=\"{0}\">{1}</h2>\n{2}</section>\n", id,
                                    title, body);
}

class Page {
 public:
  explicit Page(const std::vector<RunResults>& runs) : runs_(runs), tables_(result_tables(runs)) {}

  std::string html(const std::string& figures_folder) {
    const std::string tables = tables_html(), origins = origins_html();
    std::string header = fmt::format("<header>\n<h1>{}</h1>\n", markup_text(title_of(runs_)));
    for (const RunResults& run : runs_) header += facts_of(run);
    const size_t others = tables.size() + origins.size() + header.size() + html_page("", "").size() + room_for_headings;
    FigureSheet sheet(figures_folder, most_page_bytes - std::min(most_page_bytes, others));
    const std::string results =
        runs_.size() == 1 ? results_html(runs_.front(), sheet)
                          : section("comparison", "Comparison", sheet.add(comparison_figures(tables_, runs_)));
    const std::string curves = sheet.add(curve_figures(runs_));
    std::string body = header;
    body +=
        "<p>The same numbers: <a href=\"tables.csv\">CSV</a>, <a href=\"tables.tex\">LaTeX</a>, "
        "<a href=\"tables.json\">JSON</a>. Errors are standard errors: over test objects by the bootstrap, and over "
        "the random starts of probes that have one, added in quadrature. Lines of floors and baselines are "
        "marked.</p>\n";
    if (sheet.count() > 0 && !has_gnuplot())
      body +=
          "<p><b>The figures are not drawn, because gnuplot was not found.</b> Their numbers are here, and their "
          "scripts in <code>figures/</code>. Install gnuplot (Debian: <code>apt-get install gnuplot-nox</code>) and "
          "run "
          "<code>astroclip report</code> on the run again.</p>\n";
    body += "</header>\n<main>\n";
    body += section("tables", "Tables", tables);
    body += results;
    body += section("training", "Training", curves);
    body += section("made-from", "What it was made from", origins);
    return html_page(title_of(runs_), body + "</main>\n");
  }

  const std::vector<ResultTable>& tables() const { return tables_; }

 private:
  std::string numbered(HtmlTable table) {
    table.caption = fmt::format("Table {}. {}", ++table_count_, table.caption);
    return html_of(table);
  }

  std::string tables_html() {
    std::string html;
    const auto add = [&](const HtmlTable& cells, const std::vector<std::string>& notes, bool is_folded) {
      std::string table = numbered(cells);
      for (const std::string& note : notes) table += fmt::format("<p class=\"note\">{}</p>\n", markup_text(note));
      if (is_folded) table = html_fold(fmt::format("Table {}. {}", table_count_, cells.caption), table);
      html +=
          html.size() + table.size() > most_table_bytes
              ? fmt::format("<p class=\"note\">Table {} is not shown, because the page would be too large: {}.</p>\n",
                            table_count_, markup_text(cells.caption))
              : table;
    };
    if (runs_.size() > 1) add(overview(tables_, runs_), {}, false);
    for (const ResultTable& table : tables_) {
      if (!table.lines.empty()) {
        // Figures show what these have, of one run.
        add(cells_of(table, runs_), table.notes, runs_.size() == 1 && is_confusion(table.title));
        continue;
      }
      html += fmt::format("<h3>{}</h3>\n", markup_text(table.title));
      for (const std::string& note : table.notes) html += fmt::format("<p class=\"note\">{}</p>\n", markup_text(note));
    }
    return html.empty() ? "<p>The experiment has no tasks.</p>\n" : html;
  }

  /// The figures of one run.
  static std::string results_html(const RunResults& run, FigureSheet& sheet) {
    const TestObjects objects = read_test_objects(run.folder);
    const std::vector<StoredPrediction> predictions = read_predictions(run, objects);
    std::string html = section("galleries", "Retrieval", galleries_html(run.folder, objects, sheet));
    html += section("predictions", "Predictions", sheet.add(prediction_figures(run, objects, predictions)));
    html += section("morphology", "Morphology", sheet.add(morphology_figures(run)));
    html += section("posteriors", "Posterior densities", sheet.add(posterior_figures(predictions)));
    html += section("maps", "Maps of the embeddings", sheet.add(map_figures(run, objects, predictions)));
    html += section("attention", "Attention", attention_html(run.folder, objects, sheet));
    return html + section("validation", "At the last validation", sheet.add(validation_figures(run)));
  }

  std::string origins_html() const {
    std::string html;
    for (const RunResults& run : runs_) {
      std::string folds = html_fold(fmt::format("{}: the resolved experiment, which can be run again", run.name),
                                    html_verbatim(run.experiment));
      if (!run.provenance.empty()) {
        folds += html_fold(fmt::format("{}: hashes of data and code, versions of libraries", run.name),
                           html_verbatim(run.provenance));
      }
      if (html.size() + folds.size() > most_origin_bytes) {
        return html +
               "<p class=\"note\">Others are in <code>resolved.toml</code> and <code>provenance.toml</code> of the "
               "runs' folders: the page would be too large.</p>\n";
      }
      html += folds;
    }
    return html;
  }

  const std::vector<RunResults>& runs_;
  std::vector<ResultTable> tables_;
  int64_t table_count_ = 0;
};

}  // namespace

void write_report(const std::vector<RunResults>& runs, const std::string& folder) {
  io::make_folder(folder);
  Page page(runs);
  io::write_text(folder + "/tables.csv", tables_csv(page.tables(), runs));
  io::write_text(folder + "/tables.tex", tables_latex(page.tables(), runs));
  io::write_text(folder + "/tables.json", tables_json(page.tables(), runs));
  io::write_text(folder + "/index.html", page.html(folder + "/figures"));
}

}  // namespace astroclip::report
