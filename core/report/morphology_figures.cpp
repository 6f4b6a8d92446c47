#include "report/morphology_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string_view>

#include "evaluate/report.h"
#include "report/able_probes.h"
#include "report/blocks.h"
#include "report/gnuplot.h"

namespace astroclip::report {

namespace {

constexpr std::string_view true_mark = ", true: ";
constexpr double letter_width = 7.2;  // pixels, of the font's 13
const std::string answers_title = "morphology: answers", confusion_title = "morphology: what is taken for what on ";

const Metric* accuracy_of(const Measurement& line) {
  const auto found = std::ranges::find(line.values, "accuracy", &Metric::name);
  return found == line.values.end() ? nullptr : &*found;
}

/// Lines of one representation and probe, by question.
struct Spoke {
  std::string question;
  Metric accuracy;
  int64_t objects = 0;
};
struct Ring {
  std::string name;
  bool is_model = false;
  std::vector<Spoke> spokes;
};

std::vector<Ring> rings_of(const Report& report) {
  std::vector<Ring> rings;
  for (const Measurement& line : report.rows) {
    const size_t blank = line.method.rfind(' ');
    const Metric* accuracy = accuracy_of(line);
    const bool is_majority = line.method.ends_with(" majority");
    if (blank == std::string::npos || accuracy == nullptr || (line.role != Role::model && !is_majority)) continue;
    const std::string name =
        is_majority ? "majority answer"
                    : fmt::format("{}, {}, {}", line.modality, line.representation, line.method.substr(blank + 1));
    auto ring = std::ranges::find(rings, name, &Ring::name);
    if (ring == rings.end()) ring = rings.insert(rings.end(), {name, !is_majority, {}});
    const std::string question = line.method.substr(0, blank);
    const auto same = [&](const Spoke& spoke) { return spoke.question == question; };
    if (std::ranges::none_of(ring->spokes, same)) ring->spokes.push_back({question, *accuracy, line.n_test});
  }
  std::ranges::stable_partition(rings, &Ring::is_model);
  return rings;
}

/// Accuracies on the spokes of a wheel, from 0 in its middle to 1.
Figure radar_of(const Report& report) {
  Figure figure{.name = "morphology-accuracy", .width = 620, .height = 560};
  std::vector<std::string> questions;
  const std::vector<Ring> rings = rings_of(report);
  for (const Ring& ring : rings) {
    for (const Spoke& spoke : ring.spokes) {
      if (std::ranges::find(questions, spoke.question) == questions.end()) questions.push_back(spoke.question);
    }
  }
  const auto count = static_cast<double>(questions.size());
  const auto direction = [&](const std::string& question) {
    const auto place = static_cast<double>(std::ranges::find(questions, question) - questions.begin());
    return 0.5 * std::numbers::pi - 2.0 * std::numbers::pi * place / count;
  };
  figure.table = {"Accuracy by question", {"question", "of", "n", "accuracy"}, 2, {}};
  figure.script =
      "unset border\nunset tics\nset size ratio -1\nset xrange [-1.5:1.5]\nset yrange [-1.25:1.25]\nset key bmargin "
      "center vertical\n"
      "set trange [0:2*pi]\nset parametric\n";
  for (const std::string& question : questions) {
    const double angle = direction(question), x = std::cos(angle), y = std::sin(angle);
    figure.script += fmt::format(
        "set arrow from 0,0 to {0:.4f},{1:.4f} nohead linecolor rgb '#888888' linewidth 0.5\nset label {4} at "
        "{2:.4f},{3:.4f} {5}\n",
        x, y, 1.07 * x, 1.07 * y, gnuplot_text(question),
        std::abs(x) < 0.3 ? "center"
        : x > 0.0         ? "left"
                          : "right");
  }
  figure.script += "set label '0.5' at 0.02,0.53 font ',10'\nset label '1' at 0.02,0.95 font ',10'\n";
  std::string plots =
      "plot 0.5*cos(t),0.5*sin(t) linecolor rgb '#888888' linewidth 0.5, cos(t),sin(t) linecolor rgb '#888888' "
      "linewidth 0.5";
  Blocks blocks;
  int64_t least = std::numeric_limits<int64_t>::max(), most = 0;
  double error = 0.0;
  size_t line = 0;
  for (const Ring& ring : rings) {
    std::string lines;
    std::vector<Spoke> spokes = ring.spokes;
    std::ranges::sort(spokes, {}, [&](const Spoke& spoke) { return -direction(spoke.question); });
    for (const Spoke& spoke : spokes) {
      figure.table.rows.push_back(
          {spoke.question, ring.name, std::to_string(spoke.objects), evaluate::metric_text(spoke.accuracy)});
      least = std::min(least, spoke.objects), most = std::max(most, spoke.objects);
      if (ring.is_model && std::isfinite(spoke.accuracy.object_error))
        error = std::max(error, spoke.accuracy.object_error);
    }
    spokes.push_back(spokes.front());
    for (const Spoke& spoke : spokes) {
      const double angle = direction(spoke.question), radius = spoke.accuracy.value;
      lines += fmt::format("{:.5f} {:.5f} {:.5f}\n", radius * std::cos(angle), radius * std::sin(angle), radius);
    }
    ++line;
    plots += fmt::format(", \\\n  data index {} using 1:2 with linespoints {} title {}",
                         blocks.add(ring.name + ": x, y, accuracy", lines),
                         ring.is_model ? fmt::format("linetype {}", (line - 1) % 7 + 1)
                                       : "linecolor rgb '#666666' dashtype 2 pointtype 1",
                         gnuplot_text(ring.name));
  }
  figure.script += plots + "\n";
  figure.data = blocks.text();
  figure.caption = fmt::format(
      "Accuracy of the answers to {} questions of Galaxy Zoo on {} test objects each, beside that of the most "
      "frequent answer; 1 is on the outer circle.",
      questions.size(), least == most ? std::to_string(most) : fmt::format("{} to {}", least, most));
  figure.errors = error > 0.0
                      ? fmt::format(
                            "Standard errors over test objects, by the bootstrap, are at most {:.2g}; the table has "
                            "them, since bars would hide the rings.",
                            error)
                      : "No errors are drawn: the run estimated none.";
  figure.alt = fmt::format("A wheel of {} spokes, a question each, with a ring of accuracies for each of {}.",
                           questions.size(), rings.size());
  return figure;
}

/// Lines of one representation and probe.
struct Confusion {
  std::string modality, representation, probe;
  std::vector<const Measurement*> lines;  ///< by true answer
};

/// Of each representation those of the most able probe.
std::vector<Confusion> shown_confusions(const Report& report) {
  std::vector<Confusion> shown;
  for (const Measurement& line : report.rows) {
    const std::string probe = line.method.substr(0, line.method.find(true_mark));
    auto found = std::ranges::find_if(shown, [&](const Confusion& one) {
      return one.modality == line.modality && one.representation == line.representation;
    });
    if (found == shown.end()) found = shown.insert(shown.end(), {line.modality, line.representation, probe, {}});
    if (place_of_probe(probe) < place_of_probe(found->probe)) found->probe = probe, found->lines.clear();
    if (probe == found->probe) found->lines.push_back(&line);
  }
  return shown;
}

/// Shares of the objects of each true answer (columns) that are taken for each (rows).
std::vector<Figure> confusions_of(const Report& report) {
  std::vector<Figure> figures;
  const std::string question = report.title.substr(confusion_title.size());
  for (const auto& [modality, representation, probe, lines] : shown_confusions(report)) {
    const std::string name = fmt::format("{}, {}, {}", modality, representation, probe);
    Figure figure{.name = file_name_of(fmt::format("confusion {} {}", question, name)), .width = 460, .height = 400};
    figure.table = {fmt::format("What is taken for what on {} ({})", question, name), {"true answer", "n"}, 1, {}};
    std::string cells, columns, rows;
    size_t longest_column = 0, longest_row = 0;  // bytes
    int64_t objects = 0;
    for (size_t truth = 0; truth < lines.size(); ++truth) {
      const Measurement& line = *lines[truth];
      const std::string answer = line.method.substr(line.method.find(true_mark) + true_mark.size());
      TableRow& row = figure.table.rows.emplace_back(TableRow{answer, std::to_string(line.n_test)});
      const std::string name_of_row = fmt::format("{} ({})", answer, line.n_test);
      rows += fmt::format("{}{} {}", truth == 0 ? "" : ", ", gnuplot_text(name_of_row), truth);
      longest_row = std::max(longest_row, name_of_row.size());
      objects += line.n_test;
      for (size_t found = 0; found < line.values.size(); ++found) {
        const double share = line.values[found].value;
        if (truth == 0) {
          figure.table.head.push_back("taken for " + line.values[found].name);
          columns += fmt::format("{}{} {}", found == 0 ? "" : ", ", gnuplot_text(line.values[found].name), found);
          longest_column = std::max(longest_column, line.values[found].name.size());
        }
        row.push_back(std::isfinite(share)
                          ? fmt::format("{:.2f}±{:.2f}", share,
                                        std::sqrt(share * (1.0 - share) / static_cast<double>(line.n_test)))
                          : "–");
        if (std::isfinite(share)) cells += fmt::format("{} {} {:.4f}\n", found, truth, share);
      }
    }
    if (cells.empty()) continue;
    Blocks blocks;
    const int64_t block = blocks.add("answer found, true answer, share of the true answer's objects", cells);
    figure.data = blocks.text();
    // Answers need room: to the left of the squares, and at 45° below them.
    const double left = (45.0 + letter_width * static_cast<double>(longest_row)) / figure.width,
                 below = (50.0 + 0.71 * letter_width * static_cast<double>(longest_column)) / figure.height;
    figure.script = fmt::format(
        "unset border\nunset colorbox\nset tics scale 0\nset lmargin at screen {0:.3f}\nset rmargin at screen 0.97\n"
        "set tmargin at screen 0.97\nset bmargin at screen {1:.3f}\nset xtics ({2}) rotate by 45 right\nset ytics "
        "({3})\nset xrange [-0.5:{4}]\nset yrange [{5}:-0.5]\nset cbrange [0:1]\n"
        "set label 'taken for' at screen {6:.3f},0.04 center\n"
        "set label 'true answer (objects)' at screen 0.035,{7:.3f} center rotate by 90\n"
        "plot data index {8} using 1:2:(0.5):(0.5):3 with boxxyerror linecolor palette, '' index {8} using "
        "1:2:(sprintf('%.2f', $3)):($3 < 0.37 ? 0xffffff : 0x000000) with labels textcolor rgb variable\n",
        left, below, columns, rows, static_cast<double>(lines.front()->values.size()) - 0.5,
        static_cast<double>(lines.size()) - 0.5, 0.5 * (left + 0.97), 0.5 * (below + 0.97), block);
    figure.caption = fmt::format(
        "What answers to '{}' are taken for ({}; {} test objects): shares of the objects of each true answer.",
        question, name, objects);
    figure.errors = "Standard errors are binomial, √(p(1 − p)/n); the table has them beside the shares.";
    figure.alt =
        fmt::format("A matrix of {} true answers to '{}' and the answers they are taken for.", lines.size(), question);
    figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace

bool is_confusion(const std::string& title) { return title.starts_with(confusion_title); }

std::vector<Figure> morphology_figures(const RunResults& run) {
  std::vector<Figure> figures;
  for (const Report& report : run.reports) {
    if (report.title.starts_with(answers_title) && rings_of(report).size() > 1) figures.push_back(radar_of(report));
    if (!is_confusion(report.title)) continue;
    for (Figure& figure : confusions_of(report)) figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace astroclip::report
