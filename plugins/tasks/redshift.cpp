// Redshift from an embedding, by nearest neighbours and by a small network: the few-shot protocols of AstroCLIP
// (Parker et al. 2024, section 5.2).
#include <algorithm>

#include "plugin/record.h"
#include "probe/metrics.h"
#include "probe/predict.h"

namespace astroclip {
namespace {

class Redshift final : public Task {
 public:
  struct Parameters : probe::Options {
    std::string label = "redshift";
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        probe::with_options(config::Schema<Parameters>("Redshift by nearest neighbours and by a small network.")
                                .field("label", &Parameters::label, "the label to predict"),
                            "none: as published, [32] for images and [64, 64] for spectra")
            .example(R"(
[[tasks]]
plugin = "redshift"
probes = ["knn"]
)");
    return schema;
  }

  explicit Redshift(const Parameters& parameters) : p_(parameters) {}

  std::vector<std::string> labels() const override { return {p_.label}; }

  TaskResult run(const TaskInput& input) const override {
    TaskResult result;
    Report report;
    report.better = {{"R²", Better::more},
                     {"bias", Better::nearer_zero},
                     {"σ_NMAD", Better::less},
                     {"out>0.05", Better::less},
                     {"out>0.15", Better::less}};
    report.title = "redshift: " + p_.label + " of test objects from representations of training objects";
    int64_t k = 0;
    for (const Representation& from : input.representations) {
      for (Prediction& one : probe::predict(from, input, p_.label, options_for(from.modality))) {
        k = probe::neighbours(p_, one.trained_on);
        report.rows.push_back({one.representation, one.modality, one.method, one.role, metrics(one)});
        result.predictions.push_back(std::move(one));
      }
    }
    std::ranges::stable_sort(report.rows, {},
                             [](const Measurement& row) { return std::pair(row.method, row.modality); });
    report.note = "knn: k = " + std::to_string(k) + ", weighted by inverse distance, columns standardised on the " +
                  std::to_string(input.train_ids.size()) + " training objects; " +
                  std::to_string(input.test_ids.size()) + " test objects. bias, σ_NMAD and outliers of Δz/(1+z).";
    result.reports = {std::move(report)};
    return result;
  }

 private:
  probe::Options options_for(const std::string& modality) const {
    probe::Options options = p_;
    if (options.hidden.empty())
      options.hidden = modality == "spectrum" ? std::vector<int64_t>{64, 64} : std::vector<int64_t>{32};
    return options;
  }

  static std::vector<std::pair<std::string, double>> metrics(const Prediction& one) {
    const std::vector<double> errors = probe::redshift_errors(one.predicted, one.truth);
    return {{"R²", probe::r_squared(one.predicted, one.truth)},
            {"bias", probe::mean_error(errors)},
            {"σ_NMAD", probe::nmad(errors)},
            {"out>0.05", probe::outlier_fraction(errors, 0.05)},
            {"out>0.15", probe::outlier_fraction(errors, 0.15)}};
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Task, astroclip::Redshift)
