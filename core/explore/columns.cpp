#include "explore/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "data/where.h"

namespace astroclip::explore {

namespace {

constexpr int64_t longest_condition = 10000;
constexpr size_t most_kept_bytes = size_t{256} << 20;  // of whole columns
constexpr float not_known = std::numeric_limits<float>::quiet_NaN();
constexpr double degree = std::numbers::pi / 180.0, farthest_position = 1.0 / 60.0;

/// use(rows) for all rows, some at a time.
template <class Use>
void for_each_block(int64_t count, Use use) {
  constexpr int64_t at_once = int64_t{1} << 20;
  for (int64_t begin = 0; begin < count; begin += at_once) {
    std::vector<int64_t> rows(static_cast<size_t>(std::min(at_once, count - begin)));
    std::iota(rows.begin(), rows.end(), begin);
    use(std::as_const(rows));
  }
}

std::string density_column(const EmbeddingMap& of) {
  std::string name = of.id() + "_density";
  std::ranges::replace(name, '/', '_');
  return name;
}

/// Squares along a side of a map in which its density is counted, so that there are some objects in most.
int64_t squares_of(const EmbeddingMap& of) {
  constexpr int64_t least_squares = 8, objects_of_a_square = 8;
  int64_t squares = of.cells;
  while (squares > least_squares && of.placed < objects_of_a_square * squares * squares) squares /= 2;
  return squares;
}

/// How many objects are in the square of a row of a map.
class Density {
 public:
  explicit Density(const EmbeddingMap& of)
      : of_(of), squares_(squares_of(of)), counts_(static_cast<size_t>(squares_ * squares_)) {
    const int64_t step = of.cells / squares_;
    for (int64_t y = 0; y < of.cells; ++y) {
      for (int64_t x = 0; x < of.cells; ++x)
        counts_[place(x / step, y / step)] += static_cast<float>(of.density[static_cast<size_t>(y * of.cells + x)]);
    }
  }
  /// NaN for a row without a place.
  float operator()(int64_t row) const {
    const auto at = static_cast<size_t>(2 * row);
    const float x = of_.positions[at], y = of_.positions[at + 1];
    if (!std::isfinite(x) || !std::isfinite(y)) return not_known;
    return counts_[place(square_of(x, of_.extent.left), square_of(y, of_.extent.bottom))];
  }

 private:
  size_t place(int64_t x, int64_t y) const { return static_cast<size_t>(y * squares_ + x); }
  int64_t square_of(float position, float begin) const {
    const double share = (double{position} - double{begin}) / double{of_.extent.side};
    return std::clamp<int64_t>(static_cast<int64_t>(share * static_cast<double>(squares_)), 0, squares_ - 1);
  }

  const EmbeddingMap& of_;
  int64_t squares_;
  std::vector<float> counts_;
};

}  // namespace

Columns::Columns(const Embeddings& embeddings, const Catalogue& catalogue, const ViewIndex& index,
                 std::vector<Predicted> predictions)
    : embeddings_(embeddings),
      catalogue_(catalogue),
      index_(index),
      predictions_(std::move(predictions)),
      values_(most_kept_bytes) {
  for (size_t i = 0; i < predictions_.size(); ++i) {
    const Predicted& one = predictions_[i];
    const std::string what =
        fmt::format("{} of {} from the {} embedding, by {}", one.is_median ? "median of the posterior" : "prediction",
                    one.property, one.from, one.method);
    const auto& of_data = catalogue.columns();
    const auto truth = std::ranges::find(of_data, one.property, &Catalogue::Column::name);
    const std::string unit = truth == of_data.end() ? "" : truth->unit;
    const auto add = [&](OfPrediction::What kind, const std::string& word, const std::string& meaning) {
      const std::string name = fmt::format("{}_{}{}_{}", one.property, one.is_median ? "median" : "", word, one.from);
      if (is_of_data(name) || !of_predictions_.emplace(name, OfPrediction{i, kind}).second) return;
      described_.push_back({name, unit, meaning, Catalogue::Column::Kind::single});
    };
    add(OfPrediction::What::predicted, one.is_median ? "" : "predicted", what);
    if (one.known > 0)
      add(OfPrediction::What::residual, one.is_median ? "_residual" : "residual", what + ", minus the true value");
    if (!one.errors.empty())
      add(OfPrediction::What::error, "_error",
          "half the interval from 16 % to 84 % of the posterior, from " + one.from);
  }
}

bool Columns::is_of_data(const std::string& name) const {
  const auto& columns = catalogue_.columns();
  return std::ranges::find(columns, name, &Catalogue::Column::name) != columns.end();
}

float Columns::number_of(const OfPrediction& column, int64_t row) const {
  const Predicted& one = predictions_[column.prediction];
  const auto place = std::ranges::lower_bound(one.rows, row);
  if (place == one.rows.end() || *place != row) return not_known;
  const auto at = static_cast<size_t>(place - one.rows.begin());
  if (column.what == OfPrediction::What::error) return one.errors[at];
  return one.predicted[at] - (column.what == OfPrediction::What::residual ? one.truth[at] : 0.0F);
}

std::function<float(int64_t)> Columns::made(const std::string& name) const {
  if (is_of_data(name)) return {};
  const auto predicted = of_predictions_.find(name);
  if (predicted != of_predictions_.end())
    return [this, column = predicted->second](int64_t row) { return number_of(column, row); };
  for (const Score& one : index_.scores()) {
    if (one.name == name) return [values = one.values](int64_t row) { return values[static_cast<size_t>(row)]; };
  }
  for (const auto& of : index_.maps()) {
    if (density_column(*of) == name) return [of, density = Density(*of)](int64_t row) { return density(row); };
  }
  return {};
}

std::vector<Catalogue::Column> Columns::all() const {
  std::vector<Catalogue::Column> all = catalogue_.columns();
  all.insert(all.end(), described_.begin(), described_.end());
  const auto add = [&](const std::string& name, const std::string& meaning) {
    if (std::ranges::find(all, name, &Catalogue::Column::name) == all.end())
      all.push_back({name, "", meaning, Catalogue::Column::Kind::single});
  };
  for (const Score& one : index_.scores()) add(one.name, one.meaning);
  for (const auto& of : index_.maps())
    add(density_column(*of), fmt::format("objects in the same of {0} × {0} squares of the map", squares_of(*of)));
  return all;
}

std::shared_ptr<const std::vector<float>> Columns::values(const std::string& name) const {
  const std::scoped_lock lock(mutex_);  // also while they are made, so that this is done once
  if (const auto* kept = values_.find(name)) return *kept;
  auto values = std::make_shared<std::vector<float>>();
  if (const auto own = made(name)) {
    values->reserve(static_cast<size_t>(embeddings_.rows()));
    for (int64_t row = 0; row < embeddings_.rows(); ++row) values->push_back(own(row));
  } else {
    *values = catalogue_.values(name);
  }
  return values_.add(name, std::move(values), static_cast<size_t>(embeddings_.rows()) * sizeof(float));
}

io::Column Columns::read(const std::string& name, std::span<const int64_t> rows) const {
  const auto own = made(name);
  if (!own) return catalogue_.read(name, rows);
  std::vector<double> some;
  for (const int64_t row : rows) some.push_back(double{own(row)});
  return {.name = name, .place = fmt::format("column '{}'", name), .values = std::move(some)};
}

map::Mask Columns::where(const std::string& condition) const {
  if (std::ssize(condition) > longest_condition)
    throw Error(fmt::format("a condition has at most {} letters", longest_condition));
  const data::Where where(condition);
  map::Mask mask = map::no_row(embeddings_.rows());
  for_each_block(embeddings_.rows(), [&](const std::vector<int64_t>& rows) {
    std::map<std::string, io::Column> labels;
    for (const std::string& name : where.names()) labels.emplace(name, read(name, rows));
    const auto truths = where.of(labels, std::ssize(rows));
    for (size_t i = 0; i < truths.size(); ++i) {
      if (truths[i] == data::Where::Truth::yes) map::set(mask, rows[i]);
    }
  });
  return mask;
}

std::optional<Columns::Near> Columns::nearest_on_sky(double ra, double dec) const {
  const auto columns = catalogue_.position_columns();
  if (!columns) throw Error("the data have no columns 'ra' and 'dec'");
  const auto unit_vector = [](double longitude, double latitude) {
    const double a = longitude * degree, d = latitude * degree;
    return std::array{std::cos(d) * std::cos(a), std::cos(d) * std::sin(a), std::sin(d)};
  };
  const auto wanted = unit_vector(ra, dec);
  int64_t nearest = -1;
  double least = 2.0 * std::sin(0.5 * farthest_position * degree);  // as a chord
  for_each_block(embeddings_.rows(), [&](const std::vector<int64_t>& rows) {
    const auto longitudes = read(columns->first, rows).numbers(), latitudes = read(columns->second, rows).numbers();
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto own = unit_vector(longitudes[i], latitudes[i]);
      const double chord = std::hypot(own[0] - wanted[0], own[1] - wanted[1], own[2] - wanted[2]);
      if (!(chord < least)) continue;
      least = chord;
      nearest = rows[i];
    }
  });
  if (nearest < 0) return std::nullopt;
  return Near{nearest, 2.0 * std::asin(0.5 * least) / degree * 3600.0};
}

}  // namespace astroclip::explore
