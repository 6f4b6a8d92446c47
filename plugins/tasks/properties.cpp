// Properties of galaxies from an embedding: any labels of the dataset, each by the same probes; or by the few-shot
// protocol of AstroCLIP (Parker et al. 2024, section 5.3).
#include <algorithm>
#include <iterator>

#include "plugin/record.h"
#include "probe/metrics.h"
#include "probe/predict.h"
#include "probe/published_selection.h"

namespace astroclip {
namespace {

using probe::Protocol;

class Properties final : public Task {
 public:
  struct Parameters : probe::Options {
    std::vector<std::string> labels;
    Parameters() : probe::Options{{.hidden = {64}}, {"knn", "ridge"}} {}
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        probe::with_options(
            config::Schema<Parameters>("Properties of galaxies by nearest neighbours, ridge regression or a network.")
                .required("labels", &Parameters::labels, "the labels to predict")
                .choice("protocol", &Parameters::protocol,
                        "published: that of AstroCLIP, all labels by one network, on the objects with all of them and "
                        "with PROVABGS_LOGMSTAR_BF, MAG_G, MAG_R and MAG_Z above 0 where the dataset has these labels; "
                        "corrected: the same with the best epoch of networks, chosen on a tenth of the training "
                        "objects; own: each label by itself, on all objects, as the other keys say",
                        probe::protocols())
                .check([](const Parameters& p) { return refusal(p); }))
            .example(R"(
[[tasks]]
plugin = "properties"
labels = ["log_mass", "metallicity", "age", "log_ssfr"]
)");
    return schema;
  }

  explicit Properties(const Parameters& parameters) : p_(parameters) {
    if (p_.protocol != Protocol::own) p_.hidden = {64, 64};
    if (p_.protocol == Protocol::corrected) p_.validation = 0.1;
  }

  std::vector<std::string> labels() const override { return p_.labels; }
  std::vector<std::string> optional_labels() const override { return probe::labels_of_selection(p_.protocol); }
  bool reads_tokens() const override { return probe::reads_tokens(p_); }

  TaskResult run(const TaskInput& given) const override {
    const auto [input, selection] = probe::select_objects(given, p_.protocol);
    TaskResult result;
    std::vector<std::vector<Measurement>> rows;  // of each label
    for (const probe::Quantity& quantity : quantities()) {
      const size_t first = rows.size(), count = quantity.labels.size();
      rows.resize(first + count);
      for (const Representation& from : given.representations) {
        for (probe::BySeed& predictions : probe::predict(from, input, quantity, p_)) {
          for (size_t label = 0; label < count; ++label) {
            const std::string method = quantity.labels[label] + " " + predictions.front().method;
            rows[first + label].push_back(probe::measure(predictions, method, metrics_of(label, count), input));
          }
          std::ranges::move(predictions, std::back_inserter(result.predictions));
        }
      }
    }
    Report report;
    report.title = "properties of test objects from representations of training objects";
    report.protocol = probe::name_of(p_.protocol);
    report.note = probe::beginning_of_note(p_.protocol) + "knn: k = " + std::to_string(p_.k) +
                  ", or all training objects where there are fewer; columns standardised on the training objects. MAE, "
                  "σ_NMAD in the label's unit." +
                  selection + probe::lack_of_tokens(given, p_);
    report.better = {{"R²", Better::more}, {"MAE", Better::less}, {"σ_NMAD", Better::less}};
    for (std::vector<Measurement>& of_label : rows) {
      std::ranges::stable_sort(of_label, {},
                               [](const Measurement& row) { return std::pair(row.method, row.modality); });
      std::ranges::move(of_label, std::back_inserter(report.rows));
    }
    result.reports = {std::move(report)};
    return result;
  }

 private:
  static std::string refusal(const Parameters& p) {
    if (p.labels.empty()) return "'labels' names no label";
    if (p.protocol == Protocol::own || probe::same_training(p, Parameters())) return "";
    return "'protocol' sets k = 64, hidden = [64, 64], epochs = 10, batch = 64, lr = 0.001, dropout = 0.1 and "
           "validation; leave these keys out, or 'protocol'";
  }

  /// What is predicted together.
  std::vector<probe::Quantity> quantities() const {
    if (p_.protocol != Protocol::own) return {{joined(p_.labels), p_.labels}};
    std::vector<probe::Quantity> each;
    for (const std::string& label : p_.labels) each.push_back({label, {label}});
    return each;
  }

  static std::string joined(const std::vector<std::string>& labels) {
    std::string all;
    for (const std::string& label : labels) all += (all.empty() ? "" : "+") + label;
    return all;
  }

  /// Of one of the labels that are predicted together.
  static probe::PredictionMetrics metrics_of(size_t label, size_t labels) {
    return [=](std::span<const double> all_predicted, std::span<const double> all_true) {
      std::vector<double> predicted, truth;
      for (size_t i = label; i < all_true.size(); i += labels) {
        predicted.push_back(all_predicted[i]);
        truth.push_back(all_true[i]);
      }
      const std::vector<double> errors = probe::errors(predicted, truth);
      return std::vector<Metric>{{"R²", probe::r_squared(predicted, truth)},
                                 {"MAE", probe::mean_absolute_error(errors)},
                                 {"σ_NMAD", probe::nmad(errors)}};
    };
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Task, astroclip::Properties)
