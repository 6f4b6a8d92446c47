#include "explore/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/text.h"
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
  all.reserve(embeddings.ids().keys.size());
  for (int64_t row = 0; row < embeddings.rows(); ++row)
    all.push_back({embeddings.ids().keys[static_cast<size_t>(row)], row});
  if (!std::ranges::is_sorted(all, {}, &Named::key)) std::ranges::stable_sort(all, {}, &Named::key);
  return all;
}

bool is_measured(const embed::Input& input, int64_t row, const std::string& field) {
  const std::vector<int64_t> rows = {row};
  return input.has(field) && data::observed(*input.objects, input.split, rows, field)[0];
}

}  // namespace

Catalogue::Catalogue(const Embeddings& embeddings, std::vector<embed::Input> inputs)
    : embeddings_(embeddings), inputs_(std::move(inputs)) {
  if (inputs_.empty()) return;
  places_.resize(static_cast<size_t>(embeddings.rows()));
  const std::vector<Named> named = by_key(embeddings);
  const bool are_unique = std::ranges::adjacent_find(named, {}, &Named::key) == named.end();
  size_t next = 0;  // where the next object is, if they lie in the order of the embeddings
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
        const auto take = [&](size_t row) {
          next = row + 1;
          Place& place = places_[row];
          if (place.input >= 0) return;
          place = {static_cast<int32_t>(input), rows[i]};
          ++found_;
        };
        if (are_unique && next < places_.size() && embeddings.ids().keys[next] == key) {
          take(next);
          continue;
        }
        for (const auto& [ignored, row] : std::ranges::equal_range(named, key, {}, &Named::key))
          take(static_cast<size_t>(row));
      }
    }
    add_columns(*own.objects);
  }
  if (found_ == 0) {
    throw Error(fmt::format("{}: none of its objects is in {}{}", embeddings.path(), inputs_.front().name,
                            inputs_.size() > 1 ? " or the other data" : ""));
  }
}

void Catalogue::add_columns(const Dataset& objects) {
  using Kind = Column::Kind;
  const auto add = [&](Column column) {
    const auto known = std::ranges::find(columns_, column.name, &Column::name);
    if (known == columns_.end())
      columns_.push_back(std::move(column));
    else if (known->kind != column.kind && known->kind != Kind::text && column.kind != Kind::text)
      known->kind = Kind::number;
  };
  for (const Field& field : objects.fields()) {
    if (field.shape.rank() > 0 || field.name == "object_id") continue;
    add({field.name, field.unit, field.meaning,
         field.dtype == DType::i64   ? Kind::integer
         : field.dtype == DType::f32 ? Kind::single
                                     : Kind::number});
  }
  for (const std::string& name : objects.text_labels()) add({name, "", "", Kind::text});
}

const Catalogue::Column& Catalogue::described(const std::string& column) const {
  const auto found = std::ranges::find(columns_, column, &Column::name);
  if (found != columns_.end()) return *found;
  std::vector<std::string> names = {"object_id"};
  for (const Column& one : columns_) names.push_back(one.name);
  throw Error(fmt::format("there is no column '{}'{}", column, suggestion(column, names)));
}

std::vector<float> Catalogue::values(const std::string& column) const {
  if (described(column).kind == Column::Kind::text) throw Error(fmt::format("the column '{}' is text", column));
  std::vector<int64_t> rows(static_cast<size_t>(embeddings_.rows()));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  std::vector<float> values;
  values.reserve(rows.size());
  for (const double value : read(column, rows).numbers()) values.push_back(static_cast<float>(value));
  return values;
}

io::Column Catalogue::read(const std::string& name, std::span<const int64_t> rows) const {
  io::Column column{.name = name, .place = fmt::format("column '{}'", name)};
  if (name == "object_id") {
    column.values = embeddings_.id_values(rows);
    return column;
  }
  const Column::Kind kind = described(name).kind;
  if (kind == Column::Kind::integer)
    column.values = std::vector<int64_t>(rows.size());
  else if (kind == Column::Kind::text)
    column.values = std::vector<std::string>(rows.size());
  else
    column.values = std::vector<double>(rows.size());
  column.missing.assign(rows.size(), true);
  // Read in the order of the data.
  const auto place_of = [&](size_t i) { return places_[static_cast<size_t>(rows[i])]; };
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto comes_before = [&](size_t a, size_t b) {
    const Place left = place_of(a), right = place_of(b);
    return std::pair(left.input, left.row) < std::pair(right.input, right.row);
  };
  if (!std::ranges::is_sorted(order, comes_before)) std::ranges::sort(order, comes_before);
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    const int32_t input = place_of(order[begin]).input;
    std::vector<int64_t> wanted;
    while (end < order.size() && place_of(order[end]).input == input && std::ssize(wanted) < rows_at_once)
      wanted.push_back(place_of(order[end++]).row);
    if (input < 0) continue;
    read_part(column, static_cast<size_t>(input), wanted, std::span(order).subspan(begin, wanted.size()));
  }
  return column;
}

void Catalogue::read_part(io::Column& column, size_t input, std::span<const int64_t> rows,
                          std::span<const size_t> to) const {
  const embed::Input& own = inputs_[input];
  const auto put = [&]<class T>(std::vector<T>& values, const auto& read) {
    for (size_t i = 0; i < to.size(); ++i) {
      values[to[i]] = read[i];
      column.missing[to[i]] = false;
    }
  };
  if (auto* texts = std::get_if<std::vector<std::string>>(&column.values)) {
    const std::vector<std::string> labels = own.objects->text_labels();
    if (std::ranges::find(labels, column.name) == labels.end()) return;
    put(*texts, own.objects->texts(own.split, rows, column.name));
    for (const size_t at : to) column.missing[at] = (*texts)[at].empty();
    return;
  }
  if (!own.has(column.name)) return;
  if (auto* integers = std::get_if<std::vector<int64_t>>(&column.values)) {
    const HostBatch batch = data::read_fields(*own.objects, own.split, rows, {column.name});
    put(*integers, batch.at(column.name).values<int64_t>());
    return;
  }
  auto& numbers = std::get<std::vector<double>>(column.values);
  put(numbers, data::read_label(*own.objects, own.split, rows, column.name));
}

evaluate::ShownFields Catalogue::shown(const embed::Input& input) const {
  const std::vector<std::string> encoders = embeddings_.encoders();
  return evaluate::shown_fields(*input.objects, {encoders.begin(), encoders.end()});
}

std::vector<Measured> Catalogue::measured(const embed::Input& input, int64_t input_row) const {
  std::vector<Measured> all;
  const evaluate::ShownFields fields = shown(input);
  for (const Field& image : fields.images) all.push_back({image.name, true});
  for (const auto& spectrum : fields.spectra) all.push_back({spectrum.field.name, false});
  std::erase_if(all, [&](const Measured& one) { return !is_measured(input, input_row, one.field); });
  return all;
}

std::optional<Measurement> Catalogue::measurement(const embed::Input& input, int64_t input_row,
                                                  const std::string& field) const {
  const evaluate::ShownFields fields = shown(input);
  const auto image = std::ranges::find(fields.images, field, &Field::name);
  const auto spectrum = std::ranges::find_if(fields.spectra, [&](const auto& one) { return one.field.name == field; });
  const bool is_image = image != fields.images.end();
  if ((!is_image && spectrum == fields.spectra.end()) || !is_measured(input, input_row, field)) return std::nullopt;
  const std::vector<int64_t> rows = {input_row};
  HostBatch batch = data::read_fields(*input.objects, input.split, rows, {field});
  const HostArray floats = data::as_floats(std::move(batch.at(field)), field);
  const auto values = floats.values<float>();
  const Field& described = is_image ? *image : spectrum->field;
  Measurement measured{described.shape, {values.begin(), values.end()}, described.unit};
  if (is_image) {
    measured.bands = data::band_names(input.objects->preprocessing(), described);
    measured.colours = evaluate::colours_of(*input.objects, described, values);
  } else {
    measured.first_wavelength = spectrum->wavelengths.first;
    measured.wavelength_step = spectrum->wavelengths.step;
  }
  return measured;
}

std::optional<std::pair<std::string, std::string>> Catalogue::position_columns() const {
  const auto named = [&](const char* name) {
    return std::ranges::find_if(columns_, [&](const Column& column) {
      return column.kind != Column::Kind::text && same_letters(column.name, name);
    });
  };
  const auto ra = named("ra"), dec = named("dec");
  if (ra == columns_.end() || dec == columns_.end()) return std::nullopt;
  return std::pair(ra->name, dec->name);
}

std::optional<Catalogue::Found> Catalogue::find(int64_t row) const {
  if (places_.empty()) return std::nullopt;
  const Place& place = places_[static_cast<size_t>(row)];
  if (place.input < 0) return std::nullopt;
  return Found{row, inputs_[static_cast<size_t>(place.input)], place.row};
}

std::optional<Catalogue::Found> Catalogue::first_found() const {
  const auto place = std::ranges::find_if(places_, [](const Place& one) { return one.input >= 0; });
  return place == places_.end() ? std::nullopt : find(place - places_.begin());
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
  summary.histogram = histogram_of(numbers, summary.low, summary.high, bins);
  return summary;
}

std::vector<int64_t> histogram_of(std::span<const float> values, double low, double high, int64_t bins) {
  std::vector<int64_t> counts(static_cast<size_t>(bins));
  for (const float number : values) {
    const double value = double{number};
    if (!(value >= low && value <= high)) continue;
    const double share = high > low ? (value - low) / (high - low) : 0.0;
    ++counts[static_cast<size_t>(std::min(share * static_cast<double>(bins), static_cast<double>(bins - 1)))];
  }
  return counts;
}

}  // namespace astroclip::explore
