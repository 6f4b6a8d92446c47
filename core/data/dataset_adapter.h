#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/dataset.h"

namespace astroclip::data {

/// A dataset made of another one, as it is but for what a class overrides.
class DatasetAdapter : public Dataset {
 public:
  const Dataset& objects() const { return *objects_; }

  std::vector<Field> fields() const override { return objects_->fields(); }
  int64_t size(Split split) const override { return objects_->size(split); }
  ReadPlan read_plan(Split split) const override { return objects_->read_plan(split); }
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override {
    objects_->read(split, rows, names, out);
  }
  IdKind id_kind() const override { return objects_->id_kind(); }
  std::vector<std::string> id_texts(Split split, std::span<const int64_t> rows) const override {
    return objects_->id_texts(split, rows);
  }
  std::vector<std::string> text_labels() const override { return objects_->text_labels(); }
  std::vector<std::string> texts(Split split, std::span<const int64_t> rows, const std::string& label) const override {
    return objects_->texts(split, rows, label);
  }
  std::vector<std::string> files() const override { return objects_->files(); }
  config::Table preprocessing() const override { return objects_->preprocessing(); }
  std::vector<std::string> notes() const override { return objects_->notes(); }

 protected:
  explicit DatasetAdapter(std::shared_ptr<const Dataset> objects) : objects_(std::move(objects)) {}

  std::shared_ptr<const Dataset> objects_;
};

}  // namespace astroclip::data
