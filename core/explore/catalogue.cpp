#include "explore/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "data/fields.h"
#include "data/preprocessing.h"

namespace astroclip::explore {

namespace {

constexpr int64_t rows_at_once = 1 << 16;
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

struct Named {
  int64_t key, row;
};

/// Rows of the embeddings by their identifiers' keys.
std::vector<Named> by_key(const Embeddings& embeddings) {
  std::vector<Named> all;
  for (int64_t row = 0; row < embeddings.rows(); ++row)
    all.push_back({embeddings.ids().keys[static_cast<size_t>(row)], row});
  std::ranges::stable_sort(all, {}, &Named::key);
  return all;
}

}  // namespace

Catalogue::Catalogue(const Embeddings& embeddings, std::vector<embed::Input> inputs)
    : embeddings_(embeddings), inputs_(std::move(inputs)), places_(static_cast<size_t>(embeddings.rows())) {
  const std::vector<Named> named = by_key(embeddings);
  for (size_t input = 0; input < inputs_.size(); ++input) {
    const embed::Input& own = inputs_[input];
    for (int64_t begin = 0; begin < own.size(); begin += rows_at_once) {
      std::vector<int64_t> rows(static_cast<size_t>(std::min(rows_at_once, own.size() - begin)));
      std::iota(rows.begin(), rows.end(), begin);
      const ObjectIds ids = data::read_object_ids(*own.objects, own.split, rows);
      for (size_t i = 0; i < rows.size(); ++i) {
        // Identifiers of embeddings are texts where those of their inputs differ in kind.
        int64_t key = ids.keys[i];
        if (embeddings.ids().kind == IdKind::text && ids.kind != IdKind::text) {
          key = id_key(ids.kind == IdKind::uint64 ? std::to_string(static_cast<uint64_t>(key)) : std::to_string(key));
        }
        for (const auto& [ignored, row] : std::ranges::equal_range(named, key, {}, &Named::key)) {
          Place& place = places_[static_cast<size_t>(row)];
          if (place.input >= 0) continue;
          place = {static_cast<int32_t>(input), rows[i]};
          ++found_;
        }
      }
    }
    for (const Field& field : own.objects->fields()) {
      const auto same_name = [&](const Column& column) { return column.name == field.name; };
      if (field.shape.rank() > 0 || field.name == "object_id" || std::ranges::any_of(columns_, same_name)) continue;
      columns_.push_back({field.name, field.unit, field.meaning});
    }
  }
  if (!inputs_.empty() && found_ == 0) {
    throw Error(fmt::format("{}: none of its objects is in {}{}", embeddings.path(), inputs_.front().name,
                            inputs_.size() > 1 ? " or the other data" : ""));
  }
}

bool Catalogue::has_field(size_t input, const std::string& name) const {
  return std::ranges::any_of(inputs_[input].objects->fields(), [&](const Field& field) { return field.name == name; });
}

std::span<const float> Catalogue::values(const std::string& column) const {
  if (std::ranges::find(columns_, column, &Column::name) == columns_.end())
    throw Error(fmt::format("there is no column '{}'", column));
  const std::scoped_lock lock(mutex_);
  const auto known = values_.find(column);
  if (known != values_.end()) return known->second;
  std::vector<float> values(places_.size(), not_a_number);
  for (size_t input = 0; input < inputs_.size(); ++input) {
    if (!has_field(input, column)) continue;
    std::vector<int64_t> wanted;  // rows of the embeddings
    for (size_t row = 0; row < places_.size(); ++row) {
      if (places_[row].input == static_cast<int32_t>(input)) wanted.push_back(static_cast<int64_t>(row));
    }
    std::ranges::sort(wanted, {}, [&](int64_t row) { return places_[static_cast<size_t>(row)].row; });
    for (size_t begin = 0; begin < wanted.size(); begin += rows_at_once) {
      const auto some = std::span(wanted).subspan(begin, std::min<size_t>(rows_at_once, wanted.size() - begin));
      std::vector<int64_t> rows;
      for (const int64_t row : some) rows.push_back(places_[static_cast<size_t>(row)].row);
      const std::vector<double> read = data::read_label(*inputs_[input].objects, inputs_[input].split, rows, column);
      for (size_t i = 0; i < some.size(); ++i) values[static_cast<size_t>(some[i])] = static_cast<float>(read[i]);
    }
  }
  return values_[column] = std::move(values);
}

std::optional<Catalogue::Measurement> Catalogue::measurement(int64_t row, const std::string& field) const {
  const Place& place = places_[static_cast<size_t>(row)];
  if (place.input < 0 || !has_field(static_cast<size_t>(place.input), field)) return std::nullopt;
  const embed::Input& input = inputs_[static_cast<size_t>(place.input)];
  const std::vector<int64_t> rows = {place.row};
  if (!data::observed(*input.objects, input.split, rows, field)[0]) return std::nullopt;
  HostBatch batch = data::read_fields(*input.objects, input.split, rows, {field});
  const HostArray floats = data::as_floats(std::move(batch.at(field)), field);
  const auto values = floats.values<float>();
  const Field described = data::field_of(*input.objects, field);
  Measurement measured{described.shape, {values.begin(), values.end()}, described.unit};
  if (described.shape.rank() == 3) measured.bands = data::band_names(input.objects->preprocessing(), described);
  return measured;
}

ColumnSummary summary_of(std::span<const float> values, int64_t bins) {
  std::vector<float> numbers;
  for (const float value : values) {
    if (std::isfinite(value)) numbers.push_back(value);
  }
  ColumnSummary summary;
  summary.count = std::ssize(numbers);
  summary.histogram.resize(static_cast<size_t>(bins));
  if (numbers.empty()) return summary;
  const auto quantile = [&](double share) {
    const auto at = numbers.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(numbers.size() - 1));
    std::ranges::nth_element(numbers, at);
    return double{*at};
  };
  summary.low = quantile(0.01);
  summary.high = quantile(0.99);
  const auto [least, greatest] = std::ranges::minmax(numbers);
  summary.least = double{least};
  summary.greatest = double{greatest};
  for (const float number : numbers) {
    const double value = double{number};
    if (value < summary.low || value > summary.high) continue;
    const double share = summary.high > summary.low ? (value - summary.low) / (summary.high - summary.low) : 0.0;
    ++summary
          .histogram[static_cast<size_t>(std::min(share * static_cast<double>(bins), static_cast<double>(bins - 1)))];
  }
  return summary;
}

}  // namespace astroclip::explore
