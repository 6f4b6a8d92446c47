// Redshift from an embedding, by nearest neighbours and by a small network: the few-shot protocols of AstroCLIP
// (Parker et al. 2024, section 5.2).
#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

#include "plugin/record.h"
#include "probe/metrics.h"
#include "probe/predict.h"
#include "probe/published_selection.h"

namespace astroclip {
namespace {

using probe::Protocol;

class Redshift final : public Task {
 public:
  struct Parameters : probe::Options {
    std::string label = "redshift";
    std::vector<double> bins;
    std::string bin_by;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        probe::with_options(
            config::Schema<Parameters>("Redshift by nearest neighbours and by a small network.")
                .field("label", &Parameters::label, "the redshift to predict; 'properties' predicts other labels")
                .choice("protocol", &Parameters::protocol,
                        "published: that of AstroCLIP, on the objects with PROVABGS_LOGMSTAR_BF, MAG_G, MAG_R and "
                        "MAG_Z above 0, with the label Z_HP, where the dataset has these labels; corrected: the same "
                        "with the best epoch of networks, chosen on a tenth of the training objects; own: as the "
                        "other keys say, on all objects",
                        probe::protocols())
                .field("bins", &Parameters::bins, "edges of bins that are measured by themselves, too; none: no bins")
                .field("bin_by", &Parameters::bin_by, "label that is binned; none: the redshift itself")
                .check([](const Parameters& p) { return refusal(p); }),
            "none: as published, [32] for images and [64, 64] for spectra")
            .example(R"(
[[tasks]]
plugin = "redshift"
probes = ["knn"]
)");
    return schema;
  }

  explicit Redshift(const Parameters& parameters) : p_(parameters) {}

  std::vector<std::string> labels() const override {
    std::vector<std::string> names = {p_.label};
    if (!p_.bin_by.empty()) names.push_back(p_.bin_by);
    return names;
  }

  std::vector<std::string> optional_labels() const override {
    std::vector<std::string> names = probe::labels_of_selection(p_.protocol);
    if (p_.protocol != Protocol::own) names.emplace_back(probe::published_redshift);
    return names;
  }

  bool reads_tokens() const override { return probe::reads_tokens(p_); }

  TaskResult run(const TaskInput& given) const override {
    const auto [input, selection] = probe::select_objects(given, p_.protocol);
    const bool has_published = p_.protocol != Protocol::own && given.test_labels.contains(probe::published_redshift);
    const std::string label = has_published ? probe::published_redshift : p_.label;
    TaskResult result;
    Report report;
    report.title = "redshift: " + label + " of test objects from representations of training objects";
    report.protocol = probe::name_of(p_.protocol);
    Report binned = report;
    binned.title += ", in bins of " + (p_.bin_by.empty() ? label : p_.bin_by);
    std::vector<probe::BySeed> all;
    for (const Representation& from : given.representations) {
      std::ranges::move(probe::predict(from, input, label, options_for(from.modality)), std::back_inserter(all));
    }
    std::ranges::stable_sort(
        all, {}, [](const probe::BySeed& one) { return std::pair(one.front().method, one.front().modality); });
    for (const probe::BySeed& one : all) {
      report.rows.push_back(probe::measure(one, one.front().method, metrics, input));
    }
    for (size_t bin = 0; bin + 1 < p_.bins.size(); ++bin) {
      for (const probe::BySeed& one : all) add_bin(bin, one, input, binned);
    }
    for (Report* one : {&report, &binned}) one->note = note(*one) + selection + probe::lack_of_tokens(given, p_);
    for (probe::BySeed& one : all) std::ranges::move(one, std::back_inserter(result.predictions));
    report.better = {{"R²", Better::more},    {"bias", Better::nearer_zero}, {"σ_NMAD", Better::less},
                     {"σ_IQR", Better::less}, {"out>0.05", Better::less},    {"out>0.15", Better::less},
                     {"out>5σ", Better::less}};
    result.reports = {std::move(report)};
    if (!binned.rows.empty()) result.reports.push_back(std::move(binned));
    return result;
  }

 private:
  static std::string refusal(const Parameters& p) {
    if (!probe::is_redshift(p.label)) {
      return "'label' = \"" + p.label +
             "\" is no redshift (\"redshift\", \"z\", \"Z_HP\", \"z_spec\" …), and the metrics are of Δz/(1 + z); the "
             "task 'properties' predicts any label";
    }
    if (!std::ranges::is_sorted(p.bins, std::less_equal()) || p.bins.size() == 1) {
      return "'bins' must be rising edges, two or more";
    }
    if (p.protocol == Protocol::own || probe::same_training(p, {})) return "";
    return "'protocol' sets k = 64, hidden = [32] for images and [64, 64] for spectra, epochs = 10, batch = 64, lr = "
           "0.001, dropout = 0.1 and validation; leave these keys out, or 'protocol'";
  }

  probe::Options options_for(const std::string& modality) const {
    probe::Options options = p_;
    if (p_.protocol == Protocol::corrected) options.validation = 0.1;
    if (options.hidden.empty())
      options.hidden = modality == "spectrum" ? std::vector<int64_t>{64, 64} : std::vector<int64_t>{32};
    return options;
  }

  /// A line of the test objects in a bin, if there are any.
  void add_bin(size_t bin, const probe::BySeed& predictions, const TaskInput& input, Report& report) const {
    const Prediction& one = predictions.front();
    const double low = p_.bins[bin], high = p_.bins[bin + 1];
    std::vector<int64_t> places;
    for (size_t i = 0; i < one.truth.size(); ++i) {
      const double value =
          p_.bin_by.empty() ? one.truth[i] : input.test_labels.at(p_.bin_by)[static_cast<size_t>(one.objects[i])];
      if (value >= low && value < high) places.push_back(static_cast<int64_t>(i));
    }
    if (places.empty()) return;
    const std::string method = one.method + " " + short_number(low) + "–" + short_number(high);
    report.rows.push_back(probe::measure(predictions, method, metrics, input, places));
  }

  static std::string short_number(double value) {
    std::string text = std::to_string(value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return text;
  }

  std::string note(const Report& report) const {
    const bool cut = std::ranges::any_of(report.rows, [&](const Measurement& row) { return row.n_train < p_.k; });
    return probe::beginning_of_note(p_.protocol) + "knn: k = " + std::to_string(p_.k) +
           (cut ? ", or all training objects where there are fewer" : "") +
           ", weighted by inverse distance; columns standardised on the training objects. Of Δz/(1+z): bias (median), "
           "σ_NMAD, σ_IQR, outliers; out>5σ: beyond 5 σ_NMAD.";
  }

  static std::vector<Metric> metrics(std::span<const double> predicted, std::span<const double> truth) {
    const std::vector<double> errors = probe::redshift_errors(predicted, truth);
    const double sigma = probe::nmad(errors);
    return {{"R²", probe::r_squared(predicted, truth)},
            {"bias", probe::median(errors)},
            {"σ_NMAD", sigma},
            {"σ_IQR", probe::iqr_deviation(errors)},
            {"out>0.05", probe::outlier_fraction(errors, 0.05)},
            {"out>0.15", probe::outlier_fraction(errors, 0.15)},
            {"out>5σ", probe::outlier_fraction(errors, 5.0 * sigma)}};
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Task, astroclip::Redshift)
