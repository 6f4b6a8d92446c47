// Properties of galaxies from an embedding: any labels of the dataset, each by the same probes.
#include <algorithm>
#include <iterator>

#include "plugin/record.h"
#include "probe/metrics.h"
#include "probe/predict.h"

namespace astroclip {
namespace {

class Properties final : public Task {
 public:
  struct Parameters : probe::Options {
    std::vector<std::string> labels;
    Parameters() : probe::Options{{.hidden = {64}}, {"knn", "ridge"}} {}
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        probe::with_options(config::Schema<Parameters>(
                                "Properties of galaxies by nearest neighbours, ridge regression or a small network.")
                                .required("labels", &Parameters::labels, "the labels to predict, each by itself"))
            .example(R"(
[[tasks]]
plugin = "properties"
labels = ["log_mass", "metallicity", "age", "log_ssfr"]
)");
    return schema;
  }

  explicit Properties(const Parameters& parameters) : p_(parameters) {}

  std::vector<std::string> labels() const override { return p_.labels; }

  TaskResult run(const TaskInput& input) const override {
    TaskResult result;
    Report report;
    report.title = "properties of test objects from representations of training objects";
    report.note = "knn: k = " + std::to_string(p_.k) +
                  ", or all training objects where there are fewer; columns standardised on the training objects. MAE, "
                  "σ_NMAD in the label's unit.";
    report.better = {{"R²", Better::more}, {"MAE", Better::less}, {"σ_NMAD", Better::less}};
    for (const std::string& label : p_.labels) {
      const auto first = static_cast<std::ptrdiff_t>(report.rows.size());
      for (const Representation& from : input.representations) {
        for (probe::BySeed& predictions : probe::predict(from, input, label, p_)) {
          const std::string method = label + " " + predictions.front().method;
          report.rows.push_back(probe::measure(predictions, method, metrics, input));
          std::ranges::move(predictions, std::back_inserter(result.predictions));
        }
      }
      std::stable_sort(report.rows.begin() + first, report.rows.end(), [](const auto& a, const auto& b) {
        return std::pair(a.method, a.modality) < std::pair(b.method, b.modality);
      });
    }
    result.reports = {std::move(report)};
    return result;
  }

 private:
  static std::vector<Metric> metrics(std::span<const double> predicted, std::span<const double> truth) {
    const std::vector<double> errors = probe::errors(predicted, truth);
    return {{"R²", probe::r_squared(predicted, truth)},
            {"MAE", probe::mean_absolute_error(errors)},
            {"σ_NMAD", probe::nmad(errors)}};
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Task, astroclip::Properties)
