// A plugin that takes a plugin: the first rows of another dataset.
#include <algorithm>

#include "plugin/record.h"

namespace {

using namespace astroclip;

class Subset : public Dataset {
 public:
  struct Parameters {
    plugin::Spec<Dataset> dataset;
    int64_t rows = 3;
  };
  static const config::Schema<Parameters>& schema() {
    static const auto schema = config::Schema<Parameters>("The first rows of another dataset.")
                                   .plugin("dataset", &Parameters::dataset, "the other dataset")
                                   .field("rows", &Parameters::rows, "how many of each split", config::at_least(1));
    return schema;
  }
  explicit Subset(const Parameters& parameters) : all_(parameters.dataset.make()), rows_(parameters.rows) {}

  std::vector<Field> fields() const override { return all_->fields(); }
  int64_t size(Split split) const override { return std::min(rows_, all_->size(split)); }
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override {
    all_->read(split, rows, names, out);
  }
  config::Table preprocessing() const override { return all_->preprocessing(); }

 private:
  std::shared_ptr<Dataset> all_;
  int64_t rows_;
};

}  // namespace

ASTROCLIP_PLUGIN(astroclip::Dataset, Subset)
