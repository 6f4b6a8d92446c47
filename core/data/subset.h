#pragma once

#include <vector>

#include "api/dataset.h"

namespace astroclip::data {

/// Some rows of another dataset, which must outlive it.
class Subset final : public Dataset {
 public:
  /// Rows of each split, in any order.
  Subset(const Dataset& all, std::vector<int64_t> train, std::vector<int64_t> test);

  std::vector<Field> fields() const override { return all_.fields(); }
  int64_t size(Split split) const override { return static_cast<int64_t>(rows_of(split).size()); }
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override;
  IdKind id_kind() const override { return all_.id_kind(); }
  std::vector<std::string> id_texts(Split split, std::span<const int64_t> rows) const override {
    return all_.id_texts(split, rows_of_all(split, rows));
  }
  std::vector<std::string> text_labels() const override { return all_.text_labels(); }
  std::vector<std::string> texts(Split split, std::span<const int64_t> rows, const std::string& label) const override {
    return all_.texts(split, rows_of_all(split, rows), label);
  }
  std::vector<std::string> files() const override { return all_.files(); }
  config::Table preprocessing() const override { return all_.preprocessing(); }
  std::vector<std::string> notes() const override { return all_.notes(); }

 private:
  std::vector<int64_t> rows_of_all(Split split, std::span<const int64_t> rows) const;
  const std::vector<int64_t>& rows_of(Split split) const { return split == Split::train ? train_ : test_; }

  const Dataset& all_;
  std::vector<int64_t> train_, test_;
};

}  // namespace astroclip::data
