#include "report/map_figures.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <set>
#include <utility>

#include "io/hdf5/hdf5.h"
#include "map/quality.h"
#include "map/umap.h"
#include "probe/metrics.h"
#include "report/blocks.h"
#include "report/gnuplot.h"
#include "search/knn.h"

namespace astroclip::report {

namespace {

constexpr int64_t most_mapped = 1000, least_mapped = 30, columns_of_panels = 3, near_on_map = 10;
constexpr size_t most_panels = 6;
constexpr std::string_view embedding_mark = "_embeddings";

/// Up to `most_mapped` objects with an embedding, evenly spaced, as unit vectors.
struct Mapped {
  std::vector<int64_t> objects;  ///< places among the test objects
  Matrix rows;
};

Mapped mapped_of(const io::Hdf5File& file, const std::string& name) {
  const Shape shape = file.expect_shape(name, std::vector<int64_t>{-1, -1});
  std::vector<int64_t> all(static_cast<size_t>(shape[0]));
  std::iota(all.begin(), all.end(), 0);
  Matrix rows{shape[0], shape[1], std::vector<float>(static_cast<size_t>(shape.numel()))};
  if (!all.empty()) file.read_rows(name, all, DType::f32, rows.values.data());
  std::erase_if(all, [&](int64_t row) {
    return !std::ranges::all_of(rows.row(row), [](float value) { return std::isfinite(value); });
  });
  Mapped mapped;
  const auto count = std::ssize(all), kept = std::min(count, most_mapped);
  for (int64_t i = 0; i < kept; ++i) mapped.objects.push_back(all[static_cast<size_t>(i * count / kept)]);
  mapped.rows = search::unit_rows(select_rows(rows, mapped.objects));
  return mapped;
}

double deviation_of(const std::vector<double>& values) {
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  double sum = 0.0;
  for (const double value : values) sum += std::pow(value - mean, 2);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

/// "bar" of "bar_strong_fraction", the share of an answer; "" of other labels.
std::string question_of(const std::string& label) {
  return label.ends_with("_fraction") || label.ends_with("_debiased") ? label.substr(0, label.find('_')) : "";
}

/// A label that differs among objects.
struct Differing {
  std::string name;
  size_t known = 0;  ///< objects
  double deviation = 0.0;
  bool is_predicted = false;
};

/// Redshift and magnitude first, then what the run predicts and what most objects have, as many as there are panels: of
/// shares of answers the one of each question that differs most.
std::vector<std::string> labels_shown(const TestObjects& objects, const std::vector<StoredPrediction>& predictions) {
  std::vector<Differing> others;
  std::vector<std::string> names;
  const std::string first[] = {objects.redshift(), objects.magnitude()};
  for (const auto& [name, values] : objects.labels) {
    std::vector<double> known;
    std::ranges::copy_if(values, std::back_inserter(known), [](double value) { return std::isfinite(value); });
    if (known.empty() || std::ranges::min(known) == std::ranges::max(known)) continue;
    const bool is_measure_of_data = name.starts_with("has_") || name.ends_with("_total-votes");
    if (std::ranges::find(first, name) != std::end(first)) {
      names.push_back(name);
    } else if (!is_measure_of_data) {
      const bool is_predicted =
          std::ranges::any_of(predictions, [&](const StoredPrediction& one) { return one.values.label == name; });
      others.push_back({name, known.size(), deviation_of(known), is_predicted});
    }
  }
  std::ranges::stable_partition(names, [&](const std::string& name) { return name == first[0]; });
  std::ranges::stable_sort(others, std::ranges::greater(), &Differing::deviation);
  std::set<std::string> questions;
  std::erase_if(others, [&](const Differing& one) {
    const std::string question = question_of(one.name);
    return !question.empty() && !questions.insert(question).second;
  });
  std::ranges::sort(others, {}, &Differing::name);
  std::ranges::stable_sort(others, std::ranges::greater(), &Differing::known);
  std::ranges::stable_partition(others, &Differing::is_predicted);
  for (const Differing& one : others) names.push_back(one.name);
  if (names.size() > most_panels) names.resize(most_panels);
  return names;
}

/// The deviation of a label from the mean of an object's nearest on the map, over its deviation among all.
double disorder_of(const std::vector<double>& values, const search::Neighbours& near) {
  std::vector<double> errors, known;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;
    known.push_back(values[i]);
    double sum = 0.0, count = 0.0;
    for (int64_t k = 0; k < near.k; ++k) {
      const auto other = static_cast<size_t>(near.index[i * static_cast<size_t>(near.k) + static_cast<size_t>(k)]);
      if (other == i || !std::isfinite(values[other])) continue;
      sum += values[other], count += 1.0;
    }
    if (count > 0.0) errors.push_back(values[i] - sum / count);
  }
  return errors.empty() ? std::nan("") : deviation_of(errors) / deviation_of(known);
}

/// Ranges of both axes, of the same length, around all positions.
std::string square_of(const Matrix& positions) {
  float low[2] = {HUGE_VALF, HUGE_VALF}, high[2] = {-HUGE_VALF, -HUGE_VALF};
  for (int64_t row = 0; row < positions.rows; ++row) {
    for (size_t axis = 0; axis < 2; ++axis) {
      low[axis] = std::min(low[axis], positions.row(row)[axis]);
      high[axis] = std::max(high[axis], positions.row(row)[axis]);
    }
  }
  const float half = 0.53F * std::max({high[0] - low[0], high[1] - low[1], 1e-6F});
  const float x = 0.5F * (low[0] + high[0]), y = 0.5F * (low[1] + high[1]);
  return fmt::format("set xrange [{:.4f}:{:.4f}]\nset yrange [{:.4f}:{:.4f}]\n", x - half, x + half, y - half,
                     y + half);
}

Figure map_of(const TestObjects& objects, const std::vector<StoredPrediction>& predictions, const std::string& encoder,
              const Mapped& mapped) {
  const Matrix positions = map::umap(mapped.rows, {.neighbours = std::min<int64_t>(15, mapped.rows.rows - 1)});
  const map::Quality quality = map::quality(mapped.rows, positions, 15, most_mapped, 1);
  const search::Neighbours near = search::nearest(positions, positions, near_on_map + 1);
  const std::vector<std::string> labels = labels_shown(objects, predictions);
  const auto panels = std::max<int64_t>(1, std::ssize(labels)), columns = std::min(columns_of_panels, panels);
  const int64_t lines_of_panels = (panels + columns - 1) / columns;
  Figure figure{.name = file_name_of("map " + encoder),
                .width = static_cast<int>(310 * columns),
                .height = static_cast<int>(290 * lines_of_panels)};
  figure.table = {"Labels on the map", {"label", "n", "2 %", "median", "98 %", "disorder"}, 1, {}};
  Blocks blocks;
  figure.script = fmt::format(
      "set multiplot layout {},{}\nunset border\nunset tics\nset size square\nset colorbox\n"
      "set lmargin 1\nset rmargin 7\nset tmargin 2\nset bmargin 1\n",
      lines_of_panels, columns);
  figure.script += square_of(positions);
  for (const std::string& label : labels) {
    std::vector<double> values, rising;
    std::string lines;
    for (size_t i = 0; i < mapped.objects.size(); ++i) {
      values.push_back(objects.labels.at(label)[static_cast<size_t>(mapped.objects[i])]);
      if (!std::isfinite(values.back())) continue;
      const auto position = positions.row(static_cast<int64_t>(i));
      lines += fmt::format("{:.3f} {:.3f} {:.5g}\n", position[0], position[1], values.back());
      rising.push_back(values.back());
    }
    if (rising.empty()) continue;
    std::ranges::sort(rising);
    const double low = probe::quantile(rising, 0.02), high = probe::quantile(rising, 0.98);
    figure.table.rows.push_back({objects.with_unit(label), std::to_string(rising.size()), fmt::format("{:.4g}", low),
                                 fmt::format("{:.4g}", probe::quantile(rising, 0.5)), fmt::format("{:.4g}", high),
                                 fmt::format("{:.2f}", disorder_of(values, near))});
    // Dots have a rim: the brightest would be lost on a white page, the darkest on a dark one.
    figure.script += fmt::format(
        "set title {0}\nset cbrange [{1:.6g}:{2:.6g}]\nset cbtics scale 0.3\nplot data index {3} using 1:2 with points "
        "pointtype 7 pointsize 0.46 linecolor rgb '#888888', '' index {3} using 1:2:3 with points pointtype 7 "
        "pointsize 0.32 linecolor palette\n",
        gnuplot_text(objects.with_unit(label)), low, high > low ? high : low + 1.0,
        blocks.add(label + ": x, y, value", lines));
  }
  figure.script += "unset multiplot\n";
  figure.data = blocks.text();
  figure.caption = fmt::format(
      "Map of the embeddings of {} test objects by the encoder {} (UMAP of unit vectors, 15 neighbours), coloured by "
      "labels from their quantile "
      "0.02 to 0.98. Trustworthiness(15) {:.3f}, neighbours kept {:.3f}. The table has the disorder: the deviation of "
      "a "
      "label from the mean of the {} nearest on the map over its deviation among all; 1 where the map knows nothing of "
      "it.",
      mapped.objects.size(), encoder, quality.trustworthiness, quality.preservation, near_on_map);
  figure.errors = "No errors are drawn: a point is one object, and the numbers are of all that are drawn.";
  figure.alt = fmt::format("The same map of {} points {} times, in the colours of {}.", mapped.objects.size(),
                           labels.size(), fmt::join(labels, ", "));
  return figure;
}

}  // namespace

std::vector<Figure> map_figures(const RunResults& run, const TestObjects& objects,
                                const std::vector<StoredPrediction>& predictions) {
  std::vector<Figure> figures;
  if (objects.labels.empty() || !std::filesystem::exists(run.folder.embeddings())) return figures;
  const auto file = io::Hdf5File::open(run.folder.embeddings());
  for (const std::string& name : file.datasets("test")) {
    if (!name.ends_with(embedding_mark)) continue;
    const Mapped mapped = mapped_of(file, "test/" + name);
    if (std::ssize(mapped.objects) >= least_mapped)
      figures.push_back(map_of(objects, predictions, name.substr(0, name.size() - embedding_mark.size()), mapped));
  }
  return with_data(std::move(figures));
}

}  // namespace astroclip::report
