#include "data/labels.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "data/fields.h"
#include "data/label_presets_internal.h"
#include "data/labels_internal.h"
#include "data/objects.h"
#include "data/where.h"
#include "probe/metrics.h"

namespace astroclip::data {

namespace {

/// Numbers as labels of float64. Throws Error for an integer that it cannot hold.
std::vector<double> label_numbers(const io::Column& column, const std::string& label) {
  if (const auto row = column.rounded_row()) {
    throw Error(fmt::format("{}, row {}: {} is beyond ±2^53, which the label '{}' (float64) cannot hold exactly",
                            column.place, *row + 1, column.text(*row), label));
  }
  return column.numbers();
}

io::Column taken(const io::Column& column, const std::string& label, const std::vector<int64_t>& rows) {
  io::Column own{.name = label, .place = column.place};
  const auto* texts = std::get_if<std::vector<std::string>>(&column.values);
  const std::vector<double> numbers = texts == nullptr ? label_numbers(column, label) : std::vector<double>();
  if (texts == nullptr)
    own.values = std::vector<double>(rows.size(), missing_label);
  else
    own.values = std::vector<std::string>(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool is_missing = rows[i] < 0 || column.is_missing(rows[i]);
    if (is_missing)
      own.set_missing(static_cast<int64_t>(i));
    else if (texts == nullptr)
      std::get<std::vector<double>>(own.values)[i] = numbers[static_cast<size_t>(rows[i])];
    else
      std::get<std::vector<std::string>>(own.values)[i] = (*texts)[static_cast<size_t>(rows[i])];
  }
  return own;
}

/// Identifiers as they are.
io::ColumnValues id_values(const ObjectIds& ids) {
  if (ids.kind == IdKind::text) return ids.texts;
  if (ids.kind == IdKind::int64) return ids.keys;
  return std::vector<uint64_t>(ids.keys.begin(), ids.keys.end());
}

/// How many of the joined objects have too few votes on each question.
std::string few_votes_sentence(const PresetLabels& preset, const JoinedRows& joined, const LabelTable& how) {
  std::vector<std::string> counts;
  for (const auto& [question, is_few] : preset.few_votes) {
    int64_t count = 0;
    for (const auto& rows : joined.rows) {
      count += std::ranges::count_if(rows, [&](int64_t row) { return row >= 0 && is_few[static_cast<size_t>(row)]; });
    }
    if (count > 0) counts.push_back(fmt::format("{} on {}", count, question));
  }
  return fmt::format("votes of {}: of {} fewer than {} votes have {}", how.file, counted(joined.matched, "object"),
                     how.min_votes, counts.empty() ? "none" : fmt::format("{}", fmt::join(counts, ", ")));
}

/// What stands for a missing redshift in many catalogues.
const std::vector<double> redshift_sentinels = {-9999, -999, -99};

bool is_sentinel(double value, double sentinel) {
  return value == sentinel || value == static_cast<double>(static_cast<float>(sentinel));
}

std::vector<double> numbers_of(const config::Value& value) {
  std::vector<double> numbers;
  for (const config::Value& one : *value.get_if<config::Array>()) {
    const auto* integer = one.get_if<int64_t>();
    numbers.push_back(integer == nullptr ? *one.get_if<double>() : static_cast<double>(*integer));
  }
  return numbers;
}

}  // namespace

LabelledDataset::LabelledDataset(std::shared_ptr<const Dataset> objects, const Selection& selection)
    : DatasetAdapter(std::move(objects)), where_(selection.where) {
  for (const LabelTable& table : selection.labels) join(table);
  mask_sentinels(*selection.sentinels.get_if<config::Table>());
  for (const DerivedLabel& derived : selection.derived) derive(derived);
  if (!selection.where.empty()) filter(selection.where);
}

void LabelledDataset::join(const LabelTable& given) {
  const LabelTable table = with_join(given);
  const io::Table rows = io::Table::open(table.file, table.table);
  tables_.push_back(table.file);
  const JoinedRows joined = join_rows(*objects_, rows, table);
  const std::string source = fmt::format("[dataset.labels] {}", table.file);
  if (joined.matched == 0) throw Error(fmt::format("{}: {}", source, joined.sentence));
  std::vector<std::string> names;
  const auto add = [&](const std::string& label, const io::Column& values, const std::string& meaning,
                       const std::string& unit) {
    if (labels_.contains(label)) throw Error(fmt::format("{}: another table gives the label '{}', too", source, label));
    check_label(label, source + ": a table");
    add_label(label, {taken(values, label, joined.rows[0]), taken(values, label, joined.rows[1])},
              fmt::format("{} of {}", meaning, table.file), unit, "of " + table.file);
    names.push_back(label);
  };
  const PresetLabels preset = preset_labels(rows, table);
  for (const auto& [values, unit, meaning] : preset.labels) add(values.name, values, meaning, unit);
  for (const LabelColumn& column : table.columns) {
    const io::Column values = rows.read(column.column);
    add(column.label, values, "column " + values.name, "");
  }
  const std::string labels = table.preset.empty() ? fmt::format("labels {}", fmt::join(names, ", "))
                                                  : fmt::format("{} labels by '{}'", names.size(), table.preset);
  notes_.push_back(fmt::format("{} of {}: {}", labels, table.file, joined.sentence));
  if (!preset.few_votes.empty()) notes_.push_back(few_votes_sentence(preset, joined, table));
}

void LabelledDataset::check_label(const std::string& label, const std::string& giver) const {
  const std::vector<Field> fields = objects_->fields();
  const auto own = std::ranges::find(fields, label, &Field::name);
  if (label == "object_id" || label.starts_with("has_") || (own != fields.end() && own->shape.rank() > 0))
    throw Error(fmt::format("{} cannot give '{}', which says what the objects are", giver, label));
}

void LabelledDataset::add_label(const std::string& label, BySplit values, const std::string& meaning,
                                const std::string& unit, const std::string& from) {
  const std::vector<Field> fields = objects_->fields();
  const auto own = std::ranges::find(fields, label, &Field::name);
  const bool is_own = own != fields.end();
  if (is_own) notes_.push_back(fmt::format("label {} {} replaces the dataset's", label, from));
  descriptions_[label] = {meaning, unit.empty() && is_own ? own->unit : unit};
  labels_[label] = std::move(values);
}

void LabelledDataset::derive(const DerivedLabel& derived) {
  check_label(derived.label, "[dataset.derived] a formula");
  const std::string place = fmt::format("derived label '{}'", derived.label);
  const Where formula(derived.formula);
  BySplit values;
  for (const Split split : splits) {
    std::map<std::string, io::Column> named;
    for (const std::string& name : formula.names()) named.emplace(name, std::move(label(name, place)[index_of(split)]));
    try {
      values[index_of(split)] = {
          .name = derived.label, .place = place, .values = formula.numbers(named, objects_->size(split))};
    } catch (const Error& error) {
      throw Error(fmt::format("[dataset] {}: {}", place, error.what()));
    }
  }
  add_label(derived.label, std::move(values), derived.formula, "", "= " + derived.formula);
}

LabelledDataset::BySplit LabelledDataset::label(const std::string& name, const std::string& wanted_by) const {
  const auto found = labels_.find(name);
  if (found != labels_.end()) return found->second;
  const std::vector<Field> fields = objects_->fields();
  const auto own = std::ranges::find(fields, name, &Field::name);
  if (own == fields.end() || own->shape.rank() > 0) {
    std::vector<std::string> names;
    for (const auto& [label, columns] : labels_) names.push_back(label);
    for (const Field& field : fields) {
      if (field.shape.rank() == 0 && !labels_.contains(field.name)) names.push_back(field.name);
    }
    for (const std::string& text : objects_->text_labels()) names.push_back(text);
    throw Error(fmt::format("[dataset] {}: there is no label '{}'; there are {}{}", wanted_by, name,
                            fmt::join(names, ", "), suggestion(name, names)));
  }
  BySplit columns;
  for (const Split split : splits) {
    columns[index_of(split)] = {.name = name,
                                .place = fmt::format("[dataset] label '{}'", name),
                                .values = read_label(*objects_, split, rows_with(*objects_, split, {}), name)};
  }
  return columns;
}

LabelledDataset::BySplit LabelledDataset::exact_label(const std::string& name) const {
  const std::vector<Field> fields = objects_->fields();
  const std::vector<std::string> names = objects_->text_labels();
  const auto own = std::ranges::find(fields, name, &Field::name);
  const bool is_text = std::ranges::find(names, name) != names.end(), is_id = name == "object_id";
  const bool is_integer = own != fields.end() && own->shape.rank() == 0 && own->dtype == DType::i64;
  if (labels_.contains(name) || !(is_text || is_id || is_integer)) return label(name, "'where'");
  BySplit columns;
  for (const Split split : splits) {
    const std::vector<int64_t> rows = rows_with(*objects_, split, {});
    io::Column& column = columns[index_of(split)];
    column = {.name = name, .place = fmt::format("[dataset] label '{}'", name)};
    if (is_id) {
      column.values = id_values(read_object_ids(*objects_, split, rows));
    } else if (is_text) {
      column.values = objects_->texts(split, rows, name);
    } else {
      const HostBatch batch = read_fields(*objects_, split, rows, {name});
      const auto values = batch.at(name).values<int64_t>();
      column.values = std::vector<int64_t>(values.begin(), values.end());
    }
    column.set_empty_missing();
  }
  return columns;
}

void LabelledDataset::mask_sentinels(const config::Table& sentinels) {
  for (const auto& entry : sentinels.entries()) mask(entry.key, numbers_of(entry.value));
  std::set<std::string> names;
  for (const Field& field : objects_->fields()) {
    if (field.shape.rank() == 0) names.insert(field.name);
  }
  for (const auto& [name, columns] : labels_) {
    if (std::holds_alternative<std::vector<double>>(columns[0].values)) names.insert(name);
  }
  for (const std::string& name : names) {
    if (probe::is_redshift(name) && sentinels.find(name) == nullptr) mask(name, redshift_sentinels);
  }
}

void LabelledDataset::mask(const std::string& name, const std::vector<double>& sentinels) {
  BySplit columns = label(name, "'sentinels'");
  std::map<double, int64_t> found;
  int64_t impossible = 0;
  for (io::Column& column : columns) {
    auto* values = std::get_if<std::vector<double>>(&column.values);
    if (values == nullptr) throw Error(fmt::format("[dataset] 'sentinels': the label '{}' is text", name));
    for (double& value : *values) {
      const auto sentinel = std::ranges::find_if(sentinels, [&](double one) { return is_sentinel(value, one); });
      if (sentinel == sentinels.end()) {
        impossible += probe::is_redshift(name) && value < -1.0 ? 1 : 0;
        continue;
      }
      ++found[*sentinel];
      value = missing_label;
    }
  }
  for (const auto& [sentinel, count] : found)
    notes_.push_back(fmt::format("label {}: {} of {} missing", name, counted(count, "value"), sentinel));
  if (impossible > 0)
    notes_.push_back(fmt::format("label {}: {} below -1, which no redshift is (sentinels names those that are missing)",
                                 name, counted(impossible, "value")));
  if (!found.empty()) labels_[name] = std::move(columns);
}

void LabelledDataset::filter(const std::string& text) {
  const Where where(text);
  std::array<std::map<std::string, io::Column>, 2> values;
  for (const std::string& name : where.names()) {
    BySplit columns = exact_label(name);
    for (size_t split = 0; split < splits.size(); ++split) values[split].emplace(name, std::move(columns[split]));
  }
  std::array<std::vector<int64_t>, 2> rows;
  int64_t unknown = 0, all = 0;
  for (const Split split : splits) {
    std::vector<Where::Truth> truths;
    try {
      truths = where.of(values[index_of(split)], objects_->size(split));
    } catch (const Error& error) {
      throw Error(fmt::format("[dataset] 'where': {}", error.what()));
    }
    for (size_t row = 0; row < truths.size(); ++row) {
      if (truths[row] == Where::Truth::yes) rows[index_of(split)].push_back(static_cast<int64_t>(row));
      unknown += truths[row] == Where::Truth::unknown ? 1 : 0;
    }
    all += objects_->size(split);
  }
  const int64_t kept = std::ssize(rows[0]) + std::ssize(rows[1]);
  std::string sentence = fmt::format("where {}: {} of {} are kept", text, kept, counted(all, "object"));
  append(sentence, unknown, "is left out because a value is missing", "are left out because a value is missing");
  if (kept == 0) throw Error(fmt::format("[dataset] {}", sentence));
  notes_.push_back(sentence);
  rows_ = std::move(rows);
}

std::vector<Field> LabelledDataset::fields() const {
  std::vector<Field> fields;
  for (const Field& field : objects_->fields()) {
    if (!labels_.contains(field.name)) fields.push_back(field);
  }
  const std::vector<Field> own = objects_->fields();
  for (const auto& [name, columns] : labels_) {
    if (!std::holds_alternative<std::vector<double>>(columns[0].values)) continue;
    const auto old = std::ranges::find(own, name, &Field::name);
    const auto found = descriptions_.find(name);
    const Description about = found == descriptions_.end() ? Description{old->meaning, old->unit} : found->second;
    fields.push_back({name, DType::f64, {}, about.unit, about.meaning});
  }
  return fields;
}

std::vector<std::string> LabelledDataset::text_labels() const {
  std::vector<std::string> names = objects_->text_labels();
  std::erase_if(names, [&](const std::string& name) { return labels_.contains(name); });
  for (const auto& [name, columns] : labels_) {
    if (std::holds_alternative<std::vector<std::string>>(columns[0].values)) names.push_back(name);
  }
  return names;
}

std::vector<std::string> LabelledDataset::texts(Split split, std::span<const int64_t> rows,
                                                const std::string& label) const {
  const std::vector<int64_t> wanted = rows_of_all(split, rows);
  const auto own = labels_.find(label);
  if (own == labels_.end()) return objects_->texts(split, wanted, label);
  const auto& all = std::get<std::vector<std::string>>(own->second[index_of(split)].values);
  std::vector<std::string> texts;
  for (const int64_t row : wanted) texts.push_back(all.at(static_cast<size_t>(row)));
  return texts;
}

const std::vector<int64_t>* LabelledDataset::kept(Split split) const {
  return rows_ ? &(*rows_)[index_of(split)] : nullptr;
}

int64_t LabelledDataset::size(Split split) const { return rows_ ? std::ssize(*kept(split)) : objects_->size(split); }

ReadPlan LabelledDataset::read_plan(Split split) const {
  ReadPlan plan = objects_->read_plan(split);
  if (!rows_) return plan;
  const std::vector<int64_t>& rows = *kept(split);
  ReadPlan own{.ranges = {}, .window = plan.window};
  for (const RowRange& range : plan.ranges) {
    const int64_t begin = std::ranges::lower_bound(rows, range.begin) - rows.begin();
    const int64_t end = std::ranges::lower_bound(rows, range.end) - rows.begin();
    if (begin < end) own.ranges.push_back({begin, end});
  }
  return own;
}

std::vector<int64_t> LabelledDataset::rows_of_all(Split split, std::span<const int64_t> rows) const {
  std::vector<int64_t> wanted(rows.begin(), rows.end());
  if (!rows_) return wanted;
  for (int64_t& row : wanted) row = kept(split)->at(static_cast<size_t>(row));
  return wanted;
}

void LabelledDataset::read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
                           HostBatch& out) const {
  const std::vector<int64_t> wanted = rows_of_all(split, rows);
  std::vector<std::string> others;
  for (const std::string& name : names) {
    const auto own = labels_.find(name);
    if (own == labels_.end()) {
      others.push_back(name);
      continue;
    }
    const auto& values = std::get<std::vector<double>>(own->second[index_of(split)].values);
    HostArray array(DType::f64, {std::ssize(wanted)});
    for (size_t i = 0; i < wanted.size(); ++i) array.values<double>()[i] = values.at(static_cast<size_t>(wanted[i]));
    out[name] = std::move(array);
  }
  if (!others.empty()) objects_->read(split, wanted, others, out);
}

std::vector<std::string> LabelledDataset::notes() const {
  std::vector<std::string> all = objects_->notes();
  all.insert(all.end(), notes_.begin(), notes_.end());
  return all;
}

std::shared_ptr<Dataset> labelled(std::shared_ptr<Dataset> objects, const Selection& selection) {
  auto labels = std::make_shared<LabelledDataset>(objects, selection);
  return selection.empty() && labels->notes() == objects->notes() ? objects : labels;
}

}  // namespace astroclip::data
