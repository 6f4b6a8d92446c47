#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "data/label_presets_internal.h"
#include "data/labels.h"
#include "data/where.h"

// The keys of [dataset] that hold for every dataset plugin.
namespace astroclip::data {

namespace {

const config::Schema<LabelTable>& label_table_schema() {
  static const auto schema =
      config::Schema<LabelTable>("A table whose rows are joined to the objects.")
          .required("file", &LabelTable::file, "CSV, FITS, HDF5 or VOTable")
          .field("preset", &LabelTable::preset,
                 "a catalogue whose labels are made by its own rules (docs/data.md), and which is joined by its own "
                 "columns unless others are named; empty: none",
                 [] {
                   std::vector<std::string> names = label_presets();
                   names.emplace_back();
                   return config::one_of(names);
                 }())
          .field("table", &LabelTable::table, "which of the file's tables: an HDU, a group, a VOTable's table")
          .field("id", &LabelTable::id,
                 "column with the objects' object_id: joins by it, and by position the objects that no row is of")
          .field("ra", &LabelTable::ra,
                 "column of right ascensions in degrees: joins by position; beside 'id' that of a usual name, if any")
          .field("dec", &LabelTable::dec, "column of declinations in degrees")
          .field("radius", &LabelTable::radius,
                 "largest distance of a row from its object, in arcsec; 0 beside 'id': never by position",
                 config::between(0.0, 3600.0))
          .field("min_votes", &LabelTable::min_votes,
                 "of Galaxy Zoo's presets: least number of votes on a question; the answers of those with fewer are "
                 "missing",
                 config::at_least(0))
          .pairs("columns", &LabelTable::columns, &LabelColumn::label, &LabelColumn::column,
                 "label = column; labels that the dataset has, too, are replaced")
          .check([](const LabelTable& table) -> std::string {
            if (table.columns.empty() && table.preset.empty()) return "'columns' is empty: it says label = column";
            if (table.preset.empty() && table.id.empty() && table.ra.empty() && table.dec.empty())
              return "rows are joined by 'id', or by 'ra' and 'dec'";
            return table.ra.empty() != table.dec.empty() ? "'ra' and 'dec' stand together" : "";
          });
  return schema;
}

bool is_list_of_numbers(const config::Value& value) {
  const auto* list = value.get_if<config::Array>();
  return list != nullptr && std::ranges::all_of(*list, [](const config::Value& one) {
           return one.get_if<int64_t>() != nullptr || one.get_if<double>() != nullptr;
         });
}

}  // namespace

bool Selection::empty() const {
  const auto* by_label = sentinels.get_if<config::Table>();
  return labels.empty() && derived.empty() && where.empty() && by_label != nullptr && by_label->empty();
}

const config::Schema<Selection>& selection_schema() {
  static const auto schema =
      config::Schema<Selection>("Which objects a dataset gives, and with which labels.")
          .tables("labels", &Selection::labels, "your own tables of labels, joined to the objects",
                  label_table_schema())
          .pairs("derived", &Selection::derived, &DerivedLabel::label, &DerivedLabel::formula,
                 "label = formula of other labels, of those above it, too: \"log_sfr - log_mass\"; + - * / %, abs(), "
                 "sqrt(), exp(), ln(), log10() and parentheses")
          .field("sentinels", &Selection::sentinels,
                 "label = [numbers that stand for a missing value]; a redshift of -9999, -999 or -99 is missing unless "
                 "the label stands here")
          .field("where", &Selection::where,
                 "condition on labels that objects must meet: \"ZWARN == 0 && z > 0.01\"; == != < <= > >=, + - * / %, "
                 "&& || ! and parentheses, 'text', isfinite(), abs()");
  return schema;
}

void check_selection(const Selection& selection, const config::Table& table, const config::Section& where,
                     config::Problems& problems) {
  const auto place = [&](const char* key) {
    const config::Value* value = table.find(key);
    return value == nullptr ? config::Location() : value->location();
  };
  const auto* sentinels = selection.sentinels.get_if<config::Table>();
  if (sentinels == nullptr) {
    problems.add(place("sentinels"), where.says("'sentinels' must be a table: label = [numbers]"));
  } else {
    for (const auto& entry : sentinels->entries()) {
      if (!is_list_of_numbers(entry.value))
        problems.add(entry.location,
                     where.inner("sentinels")
                         .says(fmt::format("'{}' must be a list of numbers, found {}", entry.key, entry.value.kind())));
    }
  }
  for (const DerivedLabel& derived : selection.derived) {
    try {
      (void)Where(derived.formula);
    } catch (const Error& error) {
      problems.add(place("derived"), where.inner("derived").says(fmt::format("'{}': {}", derived.label, error.what())));
    }
  }
  if (selection.where.empty()) return;
  try {
    (void)Where(selection.where);
  } catch (const Error& error) {
    problems.add(place("where"), where.says(fmt::format("'where': {}", error.what())));
  }
}

}  // namespace astroclip::data
