// A task that counts the test objects for which a label is known.
#include <plugin/record.h>

#include <cmath>

namespace {

using namespace astroclip;

class CountLabels : public Task {
 public:
  struct Parameters {
    std::string label = "redshift";
  };
  static const config::Schema<Parameters>& schema() {
    static const auto schema = config::Schema<Parameters>("Counts the test objects that have a label.")
                                   .field("label", &Parameters::label, "the label to look at");
    return schema;
  }
  explicit CountLabels(const Parameters& parameters) : label_(parameters.label) {}

  std::vector<std::string> labels() const override { return {label_}; }

  std::vector<Report> run(const TaskInput& input) const override {
    double count = 0;
    for (const double value : input.test_labels.at(label_)) count += std::isnan(value) ? 0 : 1;
    Report report{"labels", "objects whose " + label_ + " is known", {}};
    report.rows.push_back({"test set", "", "count", false, {{"objects", count}}});
    return {report};
  }

 private:
  std::string label_;
};

}  // namespace

ASTROCLIP_PLUGIN(Task, "count_labels", CountLabels)
