#include "fits/label_tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>

#include "base/error.h"
#include "base/text.h"
#include "data/labels.h"
#include "io/table/key_columns.h"

namespace astroclip::fits {

namespace {

constexpr std::array<std::string_view, 15> layout_names = {
    "images",   "spectra",   "spectra_ivar", "redshifts",    "targetids", "image", "spectrum", "spectrum_ivar",
    "redshift", "object_id", "has_image",    "has_spectrum", "zwarn",     "ra",    "dec"};

/// The objects of an import as a dataset of identifiers and places.
class ObjectList final : public Dataset {
 public:
  ObjectList(std::span<const std::string> ids, std::span<const SkyPosition> places) : ids_(ids), places_(places) {}
  std::vector<Field> fields() const override {
    return {
        {"object_id", DType::i64, {}, "", ""}, {"ra", DType::f64, {}, "deg", ""}, {"dec", DType::f64, {}, "deg", ""}};
  }
  int64_t size(Split split) const override { return split == Split::train ? std::ssize(ids_) : 0; }
  void read(Split, std::span<const int64_t> rows, std::span<const std::string> names, HostBatch& out) const override {
    for (const std::string& name : names) {
      HostArray array(name == "object_id" ? DType::i64 : DType::f64, {std::ssize(rows)});
      for (size_t i = 0; i < rows.size(); ++i) {
        const auto row = static_cast<size_t>(rows[i]);
        if (name == "object_id")
          array.values<int64_t>()[i] = id_key(ids_[row]);
        else
          array.values<double>()[i] = name == "ra" ? places_[row].ra : places_[row].dec;
      }
      out[name] = std::move(array);
    }
  }
  IdKind id_kind() const override { return IdKind::text; }
  std::vector<std::string> id_texts(Split, std::span<const int64_t> rows) const override {
    std::vector<std::string> texts;
    for (const int64_t row : rows) texts.push_back(ids_[static_cast<size_t>(row)]);
    return texts;
  }

 private:
  std::span<const std::string> ids_;
  std::span<const SkyPosition> places_;
};

bool has_layout_name(const std::string& column) {
  return std::ranges::find(layout_names, lower(column)) != layout_names.end();
}

}  // namespace

LabelTables::LabelTables(std::span<const std::string> named) {
  for (const std::string& name : named) {
    const io::Table table = io::Table::open_named(name);
    tables_.push_back({name, table, io::id_column(table), io::position_columns(table)});
    if (tables_.back().id || tables_.back().place) continue;
    throw Error(
        fmt::format("{}: has no column of identifiers (as TARGETID or object_id) and none of positions (as ra "
                    "and dec); it has {}",
                    name, fmt::join(table.columns(), ", ")));
  }
}

TableLabels LabelTables::join(std::span<const std::string> ids, std::span<const SkyPosition> places) const {
  const ObjectList objects(ids, places);
  TableLabels all;
  for (const auto& [named, table, id, place] : tables_) {
    data::LabelTable how{.id = id.value_or("")};
    if (place) std::tie(how.ra, how.dec) = *place;
    const data::JoinedRows rows = data::join_rows(objects, table, how);
    const std::string key = id ? table.read(*id).name : "";
    std::vector<std::string> taken, texts, left;
    for (const std::string& name : table.columns()) {
      io::Column column;
      try {
        column = table.read(name);
      } catch (const Error&) {
        left.push_back(name + " (cannot be read)");
        continue;
      }
      const bool is_text = std::holds_alternative<std::vector<std::string>>(column.values);
      if (name == key || has_layout_name(name) || column.rounded_row() || all.labels.contains(name) ||
          all.texts.contains(name)) {
        left.push_back(name);
        continue;
      }
      if (is_text) {
        texts.push_back(name);
        for (const int64_t row : rows.rows[0]) all.texts[name].push_back(row < 0 ? "" : column.text(row));
        continue;
      }
      taken.push_back(name);
      const std::vector<double> numbers = column.numbers();
      std::vector<double>& label = all.labels[name];
      for (const int64_t row : rows.rows[0])
        label.push_back(row < 0 ? std::numeric_limits<double>::quiet_NaN() : numbers[static_cast<size_t>(row)]);
    }
    if (taken.empty() && texts.empty())
      throw Error(fmt::format("{}: has no column of numbers or texts that can be a label", named));
    std::string also;
    if (!texts.empty()) also = fmt::format("; kept as texts, of which no label is made: {}", fmt::join(texts, ", "));
    if (!left.empty()) also += fmt::format("; left out: {}", fmt::join(left, ", "));
    all.notes.push_back(fmt::format("labels {} of {}: {}{}",
                                    taken.empty() ? "none" : fmt::format("{}", fmt::join(taken, ", ")), named,
                                    rows.sentence, also));
  }
  return all;
}

}  // namespace astroclip::fits
