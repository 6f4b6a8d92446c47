#pragma once

#include <string>

#include "api/dataset.h"
#include "data/layouts/paired_file.h"

namespace astroclip::data {

/// A dataset read from a file in the published paired layout. The test objects are the last 20 % of every group, unless
/// more of ten are for training.
class PairedDataset : public Dataset {
 public:
  /// Throws Error naming the file and what is wrong with it.
  explicit PairedDataset(const std::string& path, int64_t train_tenths = 8);

  std::vector<Field> fields() const override;
  int64_t size(Split split) const override;
  ReadPlan read_plan(Split split) const override;
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override;
  IdKind id_kind() const override { return file_.id_kind(); }
  std::vector<std::string> id_texts(Split split, std::span<const int64_t> rows) const override {
    return file_.read_ids(split == Split::train, rows).texts;
  }
  std::vector<std::string> text_labels() const override { return file_.text_labels(); }
  std::vector<std::string> texts(Split split, std::span<const int64_t> rows, const std::string& label) const override {
    return file_.read_texts(split == Split::train, rows, label);
  }
  std::vector<std::string> files() const override { return {file_.path()}; }
  config::Table preprocessing() const override;
  std::vector<std::string> notes() const override;

 private:
  PairedFile file_;
};

}  // namespace astroclip::data
