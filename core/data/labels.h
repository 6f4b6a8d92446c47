#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/schema.h"
#include "data/dataset_adapter.h"
#include "io/table/table.h"

namespace astroclip::data {

/// One label of a table.
struct LabelColumn {
  std::string label, column;
};

/// A table whose rows are joined to a dataset's objects, by identifier or by position.
struct LabelTable {
  std::string file = {}, table = {};
  std::string preset = {};        ///< a catalogue whose labels are known: "provabgs" …; "": none
  std::string id = {};            ///< column of the objects' object_id
  std::string ra = {}, dec = {};  ///< columns of positions; "" beside `id`: those that are named so (io/table)
  double radius = 1.0;            ///< arcsec; 0 beside `id`: by that alone
  int64_t min_votes = 3;          ///< of Galaxy Zoo's presets: on a question, for its answers to count
  std::vector<LabelColumn> columns = {};
};

/// The rows of a table that fit a dataset's objects.
struct JoinedRows {
  std::array<std::vector<int64_t>, 2> rows;  ///< for each object of the training and of the test split; −1: none
  int64_t matched = 0;                       ///< objects with a row
  std::string sentence;                      ///< what matched, and how many did not, were ambiguous or not finite
};
/// Joins by `id`, and by position what has no row then, where table and objects have positions; or by `ra` and `dec`
/// alone. A row of the same identifier that is an arcminute away is another object's. Throws Error naming file, column
/// and row.
JoinedRows join_rows(const Dataset& objects, const io::Table& table, const LabelTable& how);

/// A label that is computed from others.
struct DerivedLabel {
  std::string label, formula;
};

/// What an experiment adds to a dataset's labels, and which objects it takes.
struct Selection {
  std::vector<LabelTable> labels;
  std::vector<DerivedLabel> derived;
  config::Value sentinels;  ///< a table of lists of numbers, by label
  std::string where;

  bool empty() const;
};

/// The keys of [dataset] that hold for every dataset plugin.
const config::Schema<Selection>& selection_schema();
/// Checks what the schema cannot: `sentinels` and the grammar of `where`. Problems are added.
void check_selection(const Selection& selection, const config::Table& table, const config::Section& where,
                     config::Problems& problems);

/// A dataset with further labels, without values that stand for missing ones, and without the objects that a condition
/// leaves out. Labels of tables are float64, NaN where no row of the table fits or the row has no value, or texts,
/// which are no fields.
class LabelledDataset final : public DatasetAdapter {
 public:
  /// Throws Error naming the file, column, label or character that is wrong, and when no object is left.
  LabelledDataset(std::shared_ptr<const Dataset> objects, const Selection& selection);

  /// What the labels depend on beside the objects: the tables' files and the condition.
  const std::vector<std::string>& tables() const { return tables_; }
  const std::string& where() const { return where_; }

  std::vector<Field> fields() const override;
  int64_t size(Split split) const override;
  ReadPlan read_plan(Split split) const override;
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override;
  std::vector<std::string> id_texts(Split split, std::span<const int64_t> rows) const override {
    return objects_->id_texts(split, rows_of_all(split, rows));
  }
  std::vector<std::string> text_labels() const override;
  std::vector<std::string> texts(Split split, std::span<const int64_t> rows, const std::string& label) const override;
  /// The dataset's, and what was joined, missing and left out.
  std::vector<std::string> notes() const override;

 private:
  using BySplit = std::array<io::Column, 2>;

  void join(const LabelTable& given);
  /// Throws Error beginning with `giver` where the label says what the objects are.
  void check_label(const std::string& label, const std::string& giver) const;
  /// Adds a label, or puts it in the place of the dataset's, which the note tells with `from`.
  void add_label(const std::string& label, BySplit values, const std::string& meaning, const std::string& unit,
                 const std::string& from);
  void derive(const DerivedLabel& derived);
  void mask_sentinels(const config::Table& sentinels);
  void mask(const std::string& label, const std::vector<double>& sentinels);
  void filter(const std::string& where);
  /// The label of that name, perhaps the dataset's own. Throws Error when there is none.
  BySplit label(const std::string& name, const std::string& wanted_by) const;
  /// The same for a condition: integers, identifiers and texts as they are.
  BySplit exact_label(const std::string& name) const;
  const std::vector<int64_t>* kept(Split split) const;
  std::vector<int64_t> rows_of_all(Split split, std::span<const int64_t> rows) const;

  std::string where_;
  std::map<std::string, BySplit> labels_;  ///< of all objects
  struct Description {
    std::string meaning, unit;
  };
  std::map<std::string, Description> descriptions_;          ///< of those that are not the dataset's
  std::optional<std::array<std::vector<int64_t>, 2>> rows_;  ///< of the objects that are kept
  std::vector<std::string> notes_, tables_;
};

/// The dataset as an experiment takes it: the same when it asks for nothing and no redshift is a well-known sentinel.
std::shared_ptr<Dataset> labelled(std::shared_ptr<Dataset> objects, const Selection& selection);

}  // namespace astroclip::data
