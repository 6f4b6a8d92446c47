// Supervised regression: a linear layer or a small network on one encoder's embedding predicts labels, which is the
// usual baseline beside self-supervised embeddings (AstroCLIP compares with such networks: Parker et al. 2024,
// section 5.2). Mean squared error of standardised labels.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "api/loss.h"
#include "nn/host_copy.h"
#include "nn/layers.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

class Supervised final : public Loss {
 public:
  struct Parameters {
    std::vector<std::string> labels = {"redshift"};
    std::string encoder = "image";
    std::vector<int64_t> hidden;
    double dropout = 0.0;
    std::vector<double> mean;
    std::vector<double> deviation;
    bool augment = true;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        config::Schema<Parameters>("Mean squared error of labels predicted from one encoder's embedding.")
            .field("labels", &Parameters::labels,
                   "numeric labels to predict; an object's unknown ones (NaN) are left out")
            .field("encoder", &Parameters::encoder, "encoder whose embedding predicts them")
            .field("hidden", &Parameters::hidden, "hidden widths of the head; none: linear",
                   config::each(config::at_least(1)))
            .field("dropout", &Parameters::dropout, "after each hidden layer", config::between(0.0, 0.99))
            .field("mean", &Parameters::mean, "each label's mean; none: of all that training has seen so far")
            .field("deviation", &Parameters::deviation,
                   "each label's standard deviation; none: of all that training has seen so far",
                   config::each(config::above(0.0)))
            .field("augment", &Parameters::augment, "encode augmented views, as [dataset.views] describes them")
            .renamed("modality", "encoder")
            .check([](const Parameters& p) { return p.labels.empty() ? "'labels' must name at least one label" : ""; })
            .check([](const Parameters& p) {
              const size_t count = p.labels.size();
              const bool fits =
                  (p.mean.empty() && p.deviation.empty()) || (p.mean.size() == count && p.deviation.size() == count);
              return fits ? "" : "'mean' and 'deviation' must both hold one number for each label, or none";
            })
            .example(R"(
[[stages]]
name = "supervised"
encoders = ["image"]
loss = { plugin = "supervised", encoder = "image", labels = ["redshift"], hidden = [64] }
)");
    return schema;
  }

  explicit Supervised(const Parameters& parameters) : p_(parameters) {}

  std::vector<ViewRequest> views(const LossSetup&) const override {
    return {{.name = p_.encoder, .tower = p_.encoder, .augment = p_.augment, .embedding_only = true}};
  }
  std::vector<std::string> labels() const override { return p_.labels; }

  void attach(LossSetup& setup) override {
    std::vector<int64_t> widths = p_.hidden;
    widths.push_back(label_count());
    head_ = std::make_unique<nn::Mlp>(setup.encoder(p_.encoder).embedding_width(), widths,
                                      nn::MlpOptions{.dropout = p_.dropout});
    child("head", *head_);
    if (!p_.mean.empty()) return;
    buffer("seen", seen_, {label_count()}, nn::Init::zeros());
    buffer("mean", mean_, {label_count()}, nn::Init::zeros());
    buffer("variance", variance_, {label_count()}, nn::Init::constant(1.0));
  }

  LossValue forward(LossContext& context) override {
    const std::vector<std::vector<double>> values = gathered_labels(context);
    if (training() && p_.mean.empty()) update_moments(values);
    const Targets targets = standardise(values, context);
    const Tensor predicted = (*head_)(context.embed(p_.encoder));
    const Tensor errors = ops::square(predicted - targets.values) * targets.weights;
    const Tensor total = ops::sum(errors) / label_count();
    LossValue value{total, {{plugin_name(), total}}};
    const Tensor of_each = ops::sum(errors.detach(), {0});
    for (int64_t l = 0; l < label_count(); ++l) {
      const auto at = static_cast<size_t>(l);
      value.roots.push_back({"rms_error." + p_.labels[at], ops::reshape(ops::narrow(of_each, 0, l, 1), {}),
                             targets.deviations[at], targets.known[at]});
    }
    value.of_single_objects = true;
    return value;
  }

 private:
  struct Targets {
    Tensor values, weights;          ///< [B, labels]; the weights of a label sum to 1 over all processes' mean
    std::vector<double> deviations;  ///< of each label
    std::vector<double> known;       ///< objects of all processes that have each label
  };

  int64_t label_count() const { return static_cast<int64_t>(p_.labels.size()); }

  /// Each label of the objects of all processes, in the order of ranks.
  std::vector<std::vector<double>> gathered_labels(LossContext& context) const {
    std::vector<std::vector<double>> values;
    for (const std::string& label : p_.labels) {
      Communicator& all = context.communicator();
      values.push_back(all.size() == 1 ? context.label_values(label)
                                       : all.all_gather(context.label(label)).to_doubles());
    }
    return values;
  }

  /// Of the known values of a label.
  struct Moments {
    double count = 0.0, mean = 0.0, squares = 0.0;  ///< `squares`: sum of the squared differences from the mean
  };

  static Moments moments_of(const std::vector<double>& values) {
    Moments moments;
    for (const double value : values) {
      if (!std::isfinite(value)) continue;
      const double from = value - moments.mean;
      moments.mean += from / ++moments.count;
      moments.squares += from * (value - moments.mean);
    }
    return moments;
  }

  /// Means and deviations of what training has seen. Before it has seen any, a validation takes those of what it sees
  /// first: in the labels' own units its loss could not be compared with later ones.
  void take_moments(const std::vector<std::vector<double>>& values, std::vector<double>& means,
                    std::vector<double>& deviations) {
    means = mean_values_.of(mean_);
    std::vector<double> variances = variance_values_.of(variance_);
    const std::vector<double>& seen = seen_values_.of(seen_);
    first_.resize(values.size());
    for (size_t l = 0; l < values.size(); ++l) {
      if (seen[l] == 0.0) {
        if (first_[l].count == 0.0) first_[l] = moments_of(values[l]);
        if (first_[l].count > 0.0) means[l] = first_[l].mean, variances[l] = first_[l].squares / first_[l].count;
      }
      deviations.push_back(variances[l] > 0 ? std::sqrt(variances[l]) : 1.0);
    }
  }

  Targets standardise(const std::vector<std::vector<double>>& values, const LossContext& context) {
    std::vector<double> means = p_.mean, deviations = p_.deviation;
    if (means.empty()) take_moments(values, means, deviations);
    const int64_t rows = context.batch_size(), first = context.communicator().rank() * rows;
    const auto processes = static_cast<double>(context.communicator().size());
    std::vector<float> targets(static_cast<size_t>(rows * label_count()), 0.0F), weights = targets;
    std::vector<double> counts;
    for (size_t l = 0; l < values.size(); ++l) {
      const auto known = std::ranges::count_if(values[l], [](double v) { return std::isfinite(v); });
      counts.push_back(static_cast<double>(known));
      for (int64_t row = 0; row < rows; ++row) {
        const double value = values[l][static_cast<size_t>(first + row)];
        if (!std::isfinite(value)) continue;
        const size_t at = static_cast<size_t>(row * label_count()) + l;
        targets[at] = static_cast<float>((value - means[l]) / deviations[l]);
        weights[at] = static_cast<float>(processes / static_cast<double>(known));
      }
    }
    const Shape shape{rows, label_count()};
    return {context.upload(targets, shape), context.upload(weights, shape), deviations, counts};
  }

  /// Joins the moments of a batch with those of all before (Chan et al. 1979).
  void update_moments(const std::vector<std::vector<double>>& values) {
    std::vector<double> seen = seen_values_.of(seen_), means = mean_values_.of(mean_),
                        variances = variance_values_.of(variance_);
    for (size_t l = 0; l < values.size(); ++l) {
      const auto [count, mean, squares] = moments_of(values[l]);
      if (count == 0.0) continue;
      const double all = seen[l] + count, apart = mean - means[l];
      variances[l] = (seen[l] * variances[l] + squares + apart * apart * seen[l] * count / all) / all;
      means[l] += apart * count / all;
      seen[l] = all;
    }
    seen_values_.write(seen_, std::move(seen));
    mean_values_.write(mean_, std::move(means));
    variance_values_.write(variance_, std::move(variances));
  }

  Parameters p_;
  std::unique_ptr<nn::Mlp> head_;
  Tensor seen_, mean_, variance_;
  nn::HostCopy seen_values_, mean_values_, variance_values_;
  std::vector<Moments> first_;  ///< of each label, of the first batch that has it
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Loss, astroclip::Supervised)
