#include "explore/predictions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>
#include <unordered_map>

#include "io/hdf5/hdf5.h"
#include "probe/metrics.h"
#include "report/able_probes.h"
#include "report/test_objects.h"

namespace astroclip::explore {

namespace {

constexpr double deviation_of_median = 1.4826;  // of a normal distribution, relative to its median absolute deviation
constexpr float unknown = std::numeric_limits<float>::quiet_NaN();
constexpr const char *low_quantile = " 16 %", *middle_quantile = " 50 %", *high_quantile = " 84 %";

void add_scatter(Predicted& one) {
  std::vector<double> distances;
  for (size_t i = 0; i < one.rows.size(); ++i) {
    const double distance = std::abs(double{one.predicted[i]} - double{one.truth[i]});
    if (std::isfinite(distance)) distances.push_back(distance);
  }
  std::ranges::sort(distances);
  one.known = std::ssize(distances);
  one.scatter = distances.empty() ? std::nan("") : deviation_of_median * probe::quantile(distances, 0.5);
}

/// Prediction `output` of several, of the objects that have a row.
Predicted taken(const Prediction& from, size_t output, const std::unordered_map<int64_t, int64_t>& rows) {
  Predicted one{
      .property = from.label, .from = from.modality, .method = from.method, .rows = {}, .predicted = {}, .truth = {}};
  const size_t outputs = std::max<size_t>(1, from.outputs.size());
  std::vector<std::pair<int64_t, size_t>> known;  // row and place, by row
  for (size_t i = 0; i < from.ids.size(); ++i) {
    const auto row = rows.find(from.ids[i]);
    if (row != rows.end()) known.emplace_back(row->second, i);
  }
  std::ranges::sort(known);
  for (const auto& [row, i] : known) {
    one.rows.push_back(row);
    one.predicted.push_back(static_cast<float>(from.predicted[i * outputs + output]));
    one.truth.push_back(static_cast<float>(from.truth[i * outputs + output]));
  }
  return one;
}

}  // namespace

std::vector<Predicted> predictions_of_run(const std::string& folder, const Embeddings& embeddings) {
  const report::RunResults run = report::read_results({folder}).front();
  const std::vector<report::StoredPrediction> stored = report::read_predictions(run, {});
  std::unordered_map<int64_t, int64_t> rows;
  for (const report::StoredPrediction& one : stored) {
    for (const int64_t id : one.values.ids) rows.emplace(id, -1);
  }
  for (int64_t row = 0; row < embeddings.rows(); ++row) {
    const auto wanted = rows.find(embeddings.ids().keys[static_cast<size_t>(row)]);
    if (wanted != rows.end() && wanted->second < 0) wanted->second = row;
  }
  std::erase_if(rows, [](const auto& one) { return one.second < 0; });
  std::map<std::tuple<std::string, std::string, bool>, Predicted> best;
  const auto add = [&](Predicted one) {
    if (!one.is_median && !report::is_able_probe(one.method)) return;
    const auto [place, is_new] = best.try_emplace({one.property, one.from, one.is_median}, one);
    if (!is_new && report::place_of_probe(one.method) < report::place_of_probe(place->second.method))
      place->second = std::move(one);
  };
  for (const report::StoredPrediction& one : stored) {
    const Prediction& values = one.values;
    if (values.role != Role::model) continue;
    if (values.outputs.empty()) add(taken(values, 0, rows));
    for (size_t output = 0; output < values.outputs.size(); ++output) {
      const std::string& name = values.outputs[output];
      if (name.ends_with(low_quantile) || name.ends_with(high_quantile)) continue;
      Predicted part = taken(values, output, rows);
      part.is_median = name.ends_with(middle_quantile);
      if (part.is_median) {
        part.property = name.substr(0, name.size() - std::string(middle_quantile).size());
        const auto quantile = [&](const char* ending) {
          const auto found = std::ranges::find(values.outputs, part.property + ending);
          return found == values.outputs.end()
                     ? std::vector<float>(part.rows.size(), unknown)
                     : taken(values, static_cast<size_t>(found - values.outputs.begin()), rows).predicted;
        };
        const std::vector<float> low = quantile(low_quantile), high = quantile(high_quantile);
        for (size_t i = 0; i < low.size(); ++i) part.errors.push_back(0.5F * (high[i] - low[i]));
      } else if (name != values.label) {
        part.property += "_" + name;
      }
      add(std::move(part));
    }
  }
  std::vector<Predicted> all;
  for (auto& [key, one] : best) {
    if (one.rows.empty()) continue;
    add_scatter(one);
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<Predicted> predictions_of_probes(const Embeddings& embeddings, const Catalogue& catalogue) {
  const io::Hdf5File file = io::Hdf5File::open(embeddings.path());
  std::vector<Predicted> all;
  for (const std::string& dataset : file.datasets("")) {
    const std::vector<std::string> encoders = embeddings.encoders();
    const auto encoder =
        std::ranges::find_if(encoders, [&](const auto& name) { return dataset.starts_with(name + "_"); });
    if (encoder == encoders.end() || dataset.ends_with("_embeddings") || !file.has_numbers(dataset) ||
        file.shape(dataset) != Shape{embeddings.rows()})
      continue;
    const std::string rest = dataset.substr(encoder->size() + 1);
    const size_t before_method = rest.rfind('_');
    if (before_method == std::string::npos) continue;
    Predicted one{.property = rest.substr(0, before_method),
                  .from = *encoder,
                  .method = rest.substr(before_method + 1),
                  .rows = std::vector<int64_t>(static_cast<size_t>(embeddings.rows())),
                  .predicted = {},
                  .truth = {}};
    std::iota(one.rows.begin(), one.rows.end(), int64_t{0});
    one.predicted.resize(one.rows.size());
    file.read_rows(dataset, one.rows, DType::f32, one.predicted.data());
    const auto& columns = catalogue.columns();
    const auto truth = std::ranges::find(columns, one.property, &Catalogue::Column::name);
    if (truth != columns.end() && truth->kind != Catalogue::Column::Kind::text) {
      one.truth = catalogue.values(one.property);
    } else {
      one.truth.assign(one.rows.size(), unknown);
    }
    add_scatter(one);
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace astroclip::explore
