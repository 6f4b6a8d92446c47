#include "report/morphology_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>

#include "evaluate/report.h"
#include "report/blocks.h"
#include "report/gnuplot.h"

namespace astroclip::report {

namespace {

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
        "set arrow from 0,0 to {0:.4f},{1:.4f} nohead linecolor rgb '#999999' linewidth 0.5\nset label {4} at "
        "{2:.4f},{3:.4f} {5}\n",
        x, y, 1.07 * x, 1.07 * y, gnuplot_text(question),
        std::abs(x) < 0.3 ? "center"
        : x > 0.0         ? "left"
                          : "right");
  }
  figure.script += "set label '0.5' at 0.02,0.53 font ',10'\nset label '1' at 0.02,0.95 font ',10'\n";
  std::string plots =
      "plot 0.5*cos(t),0.5*sin(t) linecolor rgb '#999999' linewidth 0.5, cos(t),sin(t) linecolor rgb '#999999' "
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
      "Accuracy of the answers to {} questions of Galaxy Zoo on {} to {} test objects each, beside that of the most "
      "frequent answer; 1 is on the outer circle. Standard errors over test objects are at most {:.2g}.",
      questions.size(), least, most, error);
  figure.alt = fmt::format("A wheel of {} spokes, a question each, with a ring of accuracies for each of {}.",
                           questions.size(), rings.size());
  return figure;
}

/// Shares of the objects of each true answer (columns) that are taken for each (rows).
std::vector<Figure> confusions_of(const Report& report) {
  std::vector<Figure> figures;
  std::map<std::string, std::vector<const Measurement*>> by_probe;
  std::vector<std::string> order;
  for (const Measurement& line : report.rows) {
    const std::string name = fmt::format("{}, {}, {}", line.modality, line.representation,
                                         line.method.substr(0, line.method.find(", true: ")));
    if (!by_probe.contains(name)) order.push_back(name);
    by_probe[name].push_back(&line);
  }
  const std::string question = report.title.substr(confusion_title.size());
  for (const std::string& name : order) {
    const auto& lines = by_probe.at(name);
    Figure figure{.name = file_name_of(fmt::format("confusion {} {}", question, name)), .width = 460, .height = 400};
    figure.table = {fmt::format("What is taken for what on {} ({})", question, name), {"true answer", "n"}, 1, {}};
    std::string cells, columns, rows;
    int64_t objects = 0;
    for (size_t truth = 0; truth < lines.size(); ++truth) {
      const Measurement& line = *lines[truth];
      const std::string answer = line.method.substr(line.method.find(", true: ") + 8);
      TableRow& row = figure.table.rows.emplace_back(TableRow{answer, std::to_string(line.n_test)});
      rows += fmt::format("{}{} {}", truth == 0 ? "" : ", ", gnuplot_text(fmt::format("{} ({})", answer, line.n_test)),
                          truth);
      objects += line.n_test;
      for (size_t found = 0; found < line.values.size(); ++found) {
        const double share = line.values[found].value;
        if (truth == 0) {
          figure.table.head.push_back("taken for " + line.values[found].name);
          columns += fmt::format("{}{} {}", found == 0 ? "" : ", ", gnuplot_text(line.values[found].name), found);
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
    figure.script = fmt::format(
        "unset border\nset tics scale 0\nset xtics ({}) rotate by 20 right\nset ytics ({})\nset xrange [-0.5:{}]\nset "
        "yrange [{}:-0.5]\n"
        "set xlabel 'taken for'\nset ylabel 'true answer (objects)'\nset cbrange [0:1]\nset cblabel 'share of the true "
        "answer'\n"
        "plot data index {} using 1:2:(0.5):(0.5):3 with boxxyerror linecolor palette, '' index {} using "
        "1:2:(sprintf('%.2f', $3)):($3 < 0.6 ? 0xffffff : 0x000000) with labels textcolor rgb variable\n",
        columns, rows, static_cast<double>(lines.front()->values.size()) - 0.5, static_cast<double>(lines.size()) - 0.5,
        block, block);
    figure.caption = fmt::format(
        "Answers to '{}' from {}: shares of the {} test objects by what those of each true answer are taken for. The "
        "table has their standard errors, √(p(1 − p)/n).",
        question, name, objects);
    figure.alt = fmt::format("A matrix of {} true answers and the answers they are taken for.", lines.size());
    figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace

std::vector<Figure> morphology_figures(const RunResults& run) {
  std::vector<Figure> figures;
  for (const Report& report : run.reports) {
    if (report.title.starts_with(answers_title) && rings_of(report).size() > 1) figures.push_back(radar_of(report));
    if (!report.title.starts_with(confusion_title)) continue;
    for (Figure& figure : confusions_of(report)) figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace astroclip::report
