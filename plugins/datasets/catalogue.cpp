// Rows of a table as objects without images and spectra: magnitudes, redshifts, votes of any catalogue.
#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>

#include "api/dataset.h"
#include "base/rng.h"
#include "base/text.h"
#include "io/table/table.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Catalogue final : public Dataset {
 public:
  struct Parameters {
    std::string file, table, id;
    double train_fraction = 0.8;
    int64_t seed = 0;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        config::Schema<Parameters>("Rows of a table: labels, and with [dataset.photometry] magnitudes as a modality.")
            .required("file", &Parameters::file, "CSV, FITS, HDF5 or VOTable")
            .field("table", &Parameters::table, "which of the file's tables: an HDU, a group, a VOTable's table")
            .field("id", &Parameters::id, "column of the objects' ids; empty: the row's number, from 1")
            .field("train_fraction", &Parameters::train_fraction, "share of the rows, drawn at random, that train",
                   config::between(0.0, 1.0))
            .field("seed", &Parameters::seed, "seed of that draw", config::at_least(0))
            .example(R"(
[dataset]
plugin = "catalogue"
file = "galaxies.fits"
id = "OBJID"
)");
    return schema;
  }

  explicit Catalogue(const Parameters& p) : table_(io::Table::open(p.file, p.table)), id_(p.id) {
    if (table_.rows() == 0) throw Error(p.file + ": the table has no rows");
    std::vector<int64_t> order(static_cast<size_t>(table_.rows()));
    std::iota(order.begin(), order.end(), int64_t{0});
    Rng(static_cast<uint64_t>(p.seed), RngStream::validation, 1).shuffle(std::span(order));
    const auto train = static_cast<std::ptrdiff_t>(p.train_fraction * static_cast<double>(order.size()) + 0.5);
    rows_[0].assign(order.begin(), order.begin() + train);
    rows_[1].assign(order.begin() + train, order.end());
    for (auto& rows : rows_) std::ranges::sort(rows);
    ids_ = read_ids();
    for (const auto& names : {table_.columns(), table_.elements()}) {
      for (const std::string& name : names) {
        if (same_letters(name, id_) || name == "object_id") continue;
        (is_text(name) ? texts_ : labels_).push_back(name);
      }
    }
  }

  std::vector<Field> fields() const override {
    std::vector<Field> fields = {
        {"object_id", DType::i64, {}, "", id_.empty() ? "the row's number" : "identifies the object: column " + id_}};
    for (const std::string& name : labels_) fields.push_back({name, DType::f64, {}, "", "column of the table"});
    return fields;
  }
  int64_t size(Split split) const override { return std::ssize(rows(split)); }

  void read(Split split, std::span<const int64_t> wanted, std::span<const std::string> names,
            HostBatch& out) const override {
    for (const std::string& name : names) {
      const bool are_ids = name == "object_id";
      HostArray& array = out[name] = HostArray(are_ids ? DType::i64 : DType::f64, {std::ssize(wanted)});
      const std::vector<double>* values = are_ids ? nullptr : &column(name);
      for (size_t i = 0; i < wanted.size(); ++i) {
        const auto row = static_cast<size_t>(rows(split).at(static_cast<size_t>(wanted[i])));
        if (are_ids)
          array.values<int64_t>()[i] = ids_.keys[row];
        else
          array.values<double>()[i] = (*values)[row];
      }
    }
  }

  IdKind id_kind() const override { return ids_.kind; }
  std::vector<std::string> id_texts(Split split, std::span<const int64_t> wanted) const override {
    std::vector<std::string> texts;
    for (const int64_t i : wanted)
      texts.push_back(ids_.texts[static_cast<size_t>(rows(split).at(static_cast<size_t>(i)))]);
    return texts;
  }

  std::vector<std::string> files() const override { return {table_.path()}; }
  std::vector<std::string> notes() const override {
    std::string list;
    for (const std::string& name : texts_) list += (list.empty() ? "" : ", ") + name;
    if (list.empty()) return {};
    return {"columns of text are no labels: " + list};
  }

 private:
  const std::vector<int64_t>& rows(Split split) const { return rows_[split == Split::train ? 0 : 1]; }

  bool is_text(const std::string& name) const {
    return !name.ends_with(']') && std::holds_alternative<std::vector<std::string>>(table_.read(name).values);
  }

  ObjectIds read_ids() const {
    ObjectIds ids;
    if (id_.empty()) {
      ids.keys.resize(static_cast<size_t>(table_.rows()));
      std::iota(ids.keys.begin(), ids.keys.end(), int64_t{1});
      return ids;
    }
    const io::Column column = table_.read(id_);
    if (std::holds_alternative<std::vector<double>>(column.values))
      throw Error(column.place + ": identifiers must be integers or texts, found " + column.holds());
    ids.kind = IdKind::text;
    for (int64_t row = 0; row < column.rows(); ++row) {
      if (column.is_missing(row))
        throw Error(column.place + ", row " + std::to_string(row + 1) + ": has no identifier");
      ids.texts.push_back(column.text(row));
      ids.keys.push_back(id_key(ids.texts.back()));
    }
    return ids;
  }

  const std::vector<double>& column(const std::string& name) const {
    const std::scoped_lock lock(mutex_);
    auto found = columns_.find(name);
    if (found != columns_.end()) return found->second;
    const bool is_position = same_letters(name, "ra") || same_letters(name, "dec");
    const io::Column values = is_position ? table_.degrees(name) : table_.read(name);
    if (const auto row = values.rounded_row())
      throw Error(values.place + ", row " + std::to_string(*row + 1) + ": " + values.text(*row) +
                  " is beyond ±2^53, which a label (float64) cannot hold exactly");
    return columns_.emplace(name, values.numbers()).first->second;
  }

  io::Table table_;
  std::string id_;
  ObjectIds ids_;
  std::vector<std::string> labels_, texts_;
  std::vector<int64_t> rows_[2];  ///< of training and test objects
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::vector<double>> columns_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Dataset, astroclip::Catalogue)
