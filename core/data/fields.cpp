#include "data/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <type_traits>

#include "base/error.h"

namespace astroclip::data {

namespace {

const std::string object_id = "object_id";

const Field& find(const std::vector<Field>& fields, const std::string& name) {
  const auto found = std::ranges::find(fields, name, &Field::name);
  if (found != fields.end()) return *found;
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  throw Error(fmt::format("[dataset] has no field '{}'; it has {}", name, fmt::join(names, ", ")));
}

std::string text_of(DType dtype, const Shape& shape) { return fmt::format("{} {}", name_of(dtype), shape.str()); }

void check(const HostBatch& batch, const Field& field, int64_t rows) {
  const auto found = batch.find(field.name);
  if (found == batch.end()) throw Error(fmt::format("[dataset] field '{}' was asked for and not read", field.name));
  const HostArray& array = found->second;
  const Shape expected = HostArray::rows_of(field.shape, rows);
  const bool is_whole = array.bytes.size() == static_cast<size_t>(array.shape.numel() * size_of(array.dtype));
  if (array.dtype == field.dtype && array.shape == expected && is_whole) return;
  throw Error(fmt::format("[dataset] field '{}': expected {}, as declared, found {}{}", field.name,
                          text_of(field.dtype, expected), text_of(array.dtype, array.shape),
                          is_whole ? "" : fmt::format(" in {} bytes", array.bytes.size())));
}

/// Calls `use` with the values in their own type.
template <class Use>
void visit(const HostArray& array, const Use& use) {
  switch (array.dtype) {
    case DType::f32:
      return use(array.values<float>());
    case DType::f64:
      return use(array.values<double>());
    case DType::i64:
      return use(array.values<int64_t>());
    case DType::i32:
      return use(array.values<int32_t>());
    case DType::u8:
      return use(array.values<uint8_t>());
    case DType::bf16:
      return use(array.values<BFloat16>());
  }
}

}  // namespace

Field field_of(const Dataset& dataset, const std::string& name) { return find(dataset.fields(), name); }

HostBatch read_fields(const Dataset& dataset, Split split, std::span<const int64_t> rows,
                      const std::vector<std::string>& names) {
  const std::vector<Field> fields = dataset.fields();
  for (const std::string& name : names) find(fields, name);
  HostBatch batch;
  dataset.read(split, rows, names, batch);
  for (const std::string& name : names) check(batch, find(fields, name), static_cast<int64_t>(rows.size()));
  return batch;
}

HostArray as_floats(HostArray array, const std::string& field) {
  if (array.dtype == DType::f32) return array;
  constexpr int64_t largest_exact = 1 << 24;
  HostArray floats(DType::f32, array.shape);
  visit(array, [&]<class T>(std::span<const T> values) {
    if constexpr (std::is_integral_v<T>) {
      for (const int64_t value : values) {
        if (value >= -largest_exact && value <= largest_exact) continue;
        throw Error(fmt::format("[dataset] field '{}': views are of f32, which cannot hold {} of {}", field, value,
                                name_of(array.dtype)));
      }
    }
    std::ranges::transform(values, floats.values<float>().begin(), [](T value) { return static_cast<float>(value); });
  });
  return floats;
}

std::vector<double> as_doubles(const HostArray& array) {
  std::vector<double> doubles;
  visit(array, [&]<class T>(std::span<const T> values) {
    for (const T value : values) {
      if constexpr (std::is_same_v<T, BFloat16>) {
        doubles.push_back(static_cast<float>(value));
      } else {
        doubles.push_back(static_cast<double>(value));
      }
    }
  });
  return doubles;
}

std::vector<double> read_label(const Dataset& dataset, Split split, std::span<const int64_t> rows,
                               const std::string& label) {
  return as_doubles(read_fields(dataset, split, rows, {label}).at(label));
}

std::vector<int64_t> read_ids(const Dataset& dataset, Split split, std::span<const int64_t> rows) {
  const HostBatch batch = read_fields(dataset, split, rows, {object_id});
  std::vector<int64_t> ids;
  visit(batch.at(object_id), [&]<class T>(std::span<const T> values) {
    if constexpr (std::is_integral_v<T>) {
      ids.assign(values.begin(), values.end());
    } else {
      throw Error(fmt::format("[dataset] field '{}': expected integers, found {}", object_id, name_of(dtype_of<T>)));
    }
  });
  return ids;
}

ObjectIds read_object_ids(const Dataset& dataset, Split split, std::span<const int64_t> rows) {
  ObjectIds ids{dataset.id_kind(), read_ids(dataset, split, rows)};
  if (ids.kind != IdKind::text) return ids;
  ids.texts = dataset.id_texts(split, rows);
  if (ids.texts.size() == ids.keys.size()) return ids;
  throw Error(fmt::format("[dataset] gave {} texts of identifiers for {} objects", ids.texts.size(), ids.keys.size()));
}

std::vector<bool> observed(const Dataset& dataset, Split split, std::span<const int64_t> rows,
                           const std::string& modality) {
  const std::string flag = "has_" + modality;
  const auto fields = dataset.fields();
  std::vector<bool> all(rows.size(), true);
  if (std::ranges::none_of(fields, [&](const Field& field) { return field.name == flag; })) return all;
  const std::vector<double> flags = read_label(dataset, split, rows, flag);
  for (size_t i = 0; i < rows.size(); ++i) all[i] = flags[i] != 0.0;
  return all;
}

std::vector<int64_t> rows_with(const Dataset& dataset, Split split, const std::vector<std::string>& modalities) {
  std::vector<int64_t> rows(static_cast<size_t>(dataset.size(split)));
  std::iota(rows.begin(), rows.end(), 0);
  for (const std::string& modality : modalities) {
    const std::vector<bool> there = observed(dataset, split, rows, modality);
    std::vector<int64_t> kept;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (there[i]) kept.push_back(rows[i]);
    }
    rows = std::move(kept);
  }
  return rows;
}

}  // namespace astroclip::data
