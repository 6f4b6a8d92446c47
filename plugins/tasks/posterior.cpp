// Posterior densities of labels given an embedding, by an ensemble of conditional spline flows (AstroCLIP, Parker et
// al. 2024, section 5.3; Durkan et al. 2019), and how well they are calibrated.
#include "probe/posterior.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "plugin/record.h"
#include "probe/bootstrap.h"
#include "probe/predict.h"
#include "probe/published_selection.h"

namespace astroclip {
namespace {

using probe::Protocol;

class PosteriorTask final : public Task {
 public:
  struct Parameters : probe::PosteriorOptions {
    std::vector<std::string> labels;
    Protocol protocol = Protocol::own;
    int64_t points = 200;
    Parameters() {
      flow = probe::FlowKind::autoregressive;
      epochs = 0;
      lr = 0.0;
    }
  };

  static const config::Schema<Parameters>& schema() {
    using config::at_least, config::between;
    static const auto schema =
        config::Schema<Parameters>("Posterior densities of labels by an ensemble of conditional spline flows.")
            .required("labels", &Parameters::labels, "the labels, whose density is a joint one")
            .choice("flow", &Parameters::flow,
                    "elementwise: each label by itself, as published; coupling, autoregressive: with their covariance",
                    {{"elementwise", probe::FlowKind::elementwise},
                     {"coupling", probe::FlowKind::coupling},
                     {"autoregressive", probe::FlowKind::autoregressive}})
            .choice(
                "protocol", &Parameters::protocol,
                "published: that of AstroCLIP, with flow = \"elementwise\", on the objects with "
                "PROVABGS_LOGMSTAR_BF, MAG_G, MAG_R and MAG_Z above 0 where the dataset has these labels, with "
                "embeddings shifted and scaled as a whole, the weights of the last epoch and the mean of the "
                "members' losses; corrected: the same objects and settings with standardised columns, all epochs, of "
                "which the best on objects set apart is kept, and the density of the whole ensemble; own: so, on "
                "all objects, as the other keys say",
                probe::protocols())
            .field("members", &Parameters::members, "flows of the ensemble", between(1, 100))
            .field("bins", &Parameters::bins, "bins of each spline", between(2, 64))
            .field("min_layers", &Parameters::min_layers, "fewest layers of a flow", between(1, 16))
            .field("max_layers", &Parameters::max_layers, "most layers of a flow; each draws a number between",
                   between(1, 16))
            .field(
                "hidden", &Parameters::hidden,
                "largest width of a flow's networks, which have three hidden layers; each draws it from half of this "
                "on",
                between(2, 4096))
            .field(
                "epochs", &Parameters::epochs,
                "number of epochs; 0: 25, or as many as make 2000 steps, if these are more; with a named protocol 25",
                at_least(0))
            .field("batch", &Parameters::batch, "batch size", at_least(1))
            .field("lr", &Parameters::lr,
                   "learning rate, which falls by a cosine; 0: 0.005, with a named protocol 0.0005", at_least(0.0))
            .field("validation", &Parameters::validation,
                   "share of the training objects set apart to choose the best epoch", between(0.0, 0.9))
            .field(
                "points", &Parameters::points,
                "points of the grid of each label's density, from a tenth of the training labels' range below them to "
                "a tenth above",
                between(10, 100000))
            .check([](const Parameters& p) { return refusal(p); })
            .example(R"(
[[tasks]]
plugin = "posterior"
labels = ["redshift", "log_mass"]
)");
    return schema;
  }

  explicit PosteriorTask(const Parameters& parameters) : p_(parameters) {}

  std::vector<std::string> labels() const override { return p_.labels; }

  std::vector<std::string> optional_labels() const override { return probe::labels_of_selection(p_.protocol); }

  TaskResult run(const TaskInput& given) const override {
    const auto [input, selection] = probe::select_objects(given, p_.protocol);
    TaskResult result;
    Report each, together;
    each.title = "posterior densities of each label";
    each.note = note() +
                " NLL of standardised labels, CRPS in the label's unit, CDE loss in its inverse; PIT KS: largest "
                "difference of the probability integral transform's distribution from the uniform one; cov68, cov95: "
                "share of true values within the central 68 and 95 %.";
    if (p_.flow != probe::FlowKind::elementwise) {
      each.note += " A label's own density is a kernel density of 256 samples.";
    }
    each.better = {{"NLL", Better::less}, {"CRPS", Better::less}, {"CDE loss", Better::less}, {"PIT KS", Better::less}};
    together.title = "posterior densities of all labels together";
    together.note = note() + " NLL of standardised labels, summed over them.";
    together.better = {{"NLL", Better::less}};
    each.protocol = together.protocol = probe::name_of(p_.protocol);
    for (const Representation& from : given.representations) measure(from, input, each, together, result);
    for (Report* report : {&each, &together}) {
      report->note += selection;
      std::ranges::stable_sort(report->rows, {},
                               [](const Measurement& row) { return std::pair(row.method, row.modality); });
    }
    result.reports = {std::move(each)};
    if (p_.labels.size() > 1) result.reports.push_back(std::move(together));
    return result;
  }

 private:
  static std::string refusal(const Parameters& p) {
    if (p.labels.empty()) return "'labels' names no label";
    if (p.min_layers > p.max_layers) return "'min_layers' is above 'max_layers'";
    if (p.flow == probe::FlowKind::coupling && p.labels.size() < 2) {
      return "'flow' = \"coupling\" is of two labels or more; \"autoregressive\" takes one, too";
    }
    if (p.protocol == Protocol::own) return "";
    if (p.protocol == Protocol::published && p.flow != probe::FlowKind::elementwise) {
      return "'protocol' = \"published\" is of 'flow' = \"elementwise\"";
    }
    const probe::PosteriorOptions usual;
    const bool differs = p.members != usual.members || p.bins != usual.bins || p.min_layers != usual.min_layers ||
                         p.max_layers != usual.max_layers || p.hidden != usual.hidden ||
                         (p.epochs != 0 && p.epochs != usual.epochs) || p.batch != usual.batch ||
                         (p.lr != 0.0 && p.lr != usual.lr) || p.validation != usual.validation;
    if (!differs) return "";
    return "'protocol' sets members = 10, bins = 8, 2 to 3 layers, hidden = 32, epochs = 25, batch = 128, lr = 0.0005 "
           "and validation = 0.2; leave these keys out, or 'protocol'";
  }

  std::string method() const { return probe::flow_method(p_.flow); }

  std::string note() const {
    return fmt::format("{}{} flows, {} of them; {} of the training objects set apart.",
                       probe::beginning_of_note(p_.protocol), name_of(p_.flow), p_.members, p_.validation);
  }

  /// The number of epochs and the rate are the published ones, which are of 200,000 galaxies, where a protocol is
  /// named; otherwise few objects get steps enough for a flow to become as narrow as the density.
  probe::PosteriorOptions options_for(int64_t objects) const {
    constexpr double own_rate = 5e-3, least_steps = 2000.0;
    const probe::PosteriorOptions published;
    probe::PosteriorOptions options = p_;
    options.keeps_best = p_.protocol != Protocol::published;
    if (options.lr == 0.0) options.lr = p_.protocol == Protocol::own ? own_rate : published.lr;
    if (options.epochs > 0) return options;
    options.epochs = published.epochs;
    if (p_.protocol != Protocol::own) return options;
    const double trained_on = (1.0 - options.validation) * static_cast<double>(objects);
    const double steps = std::ceil(trained_on / static_cast<double>(options.batch));
    options.epochs = std::max(options.epochs, static_cast<int64_t>(std::ceil(least_steps / std::max(steps, 1.0))));
    return options;
  }

  /// Of one fit, by test object and label.
  struct Found {
    std::vector<double> nll, crps, cde_loss, transform;  ///< [objects, labels]
    std::vector<double> nll_together;                    ///< [objects]
  };

  void measure(const Representation& from, const TaskInput& input, Report& each, Report& together,
               TaskResult& result) const {
    const probe::Quantity quantity{fmt::format("{}", fmt::join(p_.labels, "+")), p_.labels};
    const bool as_published = p_.protocol == Protocol::published;
    const auto [train, test, outputs, standardise] = probe::samples_of(
        from, input, quantity, as_published ? probe::Standardisation::whole : probe::Standardisation::columns);
    const probe::PosteriorOptions options = options_for(train.features.rows);
    std::vector<Found> by_seed;
    for (int64_t start = 0; start < input.probe_seeds; ++start) {
      std::shared_ptr<const probe::Posterior> posterior =
          probe::fit_posterior(train, options, quantity.name + "_flow", probe::seed_of(input, start));
      by_seed.push_back(look(*posterior, train, test));
      Prediction& one = result.predictions.emplace_back(Prediction{from.name,
                                                                   from.modality,
                                                                   method(),
                                                                   from.role,
                                                                   quantity.name,
                                                                   train.features.rows,
                                                                   test.ids,
                                                                   {},
                                                                   posterior->predict(test.features),
                                                                   test.objects,
                                                                   probe::quantile_names(outputs)});
      for (const double label : test.labels)
        one.truth.insert(one.truth.end(), std::size(probe::posterior_quantiles), label);
      if (input.keep_probes)
        probe::keep(one, {method(), quantity.name, one.outputs, train.target, p_.protocol, standardise, posterior},
                    from);
      // What its calibration is drawn from.
      result.predictions.push_back({from.name, from.modality, method() + " PIT", from.role, quantity.name,
                                    train.features.rows, test.ids, test.labels, by_seed.back().transform, test.objects,
                                    p_.labels});
    }
    const auto line = [&](const std::string& what,
                          const std::function<std::vector<Metric>(const Found&, std::span<const int64_t>)>& metrics) {
      std::vector<probe::Statistic> statistics;
      for (const Found& found : by_seed) {
        statistics.emplace_back([&](std::span<const int64_t> objects) { return metrics(found, objects); });
      }
      const auto count = std::ssize(test.ids);
      return Measurement{from.name,
                         from.modality,
                         what + " " + method(),
                         from.role,
                         probe::with_errors(statistics, count, input),
                         train.features.rows,
                         count};
    };
    for (size_t label = 0; label < p_.labels.size(); ++label) {
      each.rows.push_back(line(p_.labels[label], [&](const Found& found, std::span<const int64_t> objects) {
        return metrics_of(found, objects, label);
      }));
    }
    together.rows.push_back(line("all", [&](const Found& found, std::span<const int64_t> objects) {
      return std::vector<Metric>{{"NLL", mean_of(found.nll_together, objects, 0, 1)}};
    }));
  }

  Found look(const probe::Posterior& posterior, const probe::Sample& train, const probe::Sample& test) const {
    const auto labels = p_.labels.size(), objects = test.ids.size();
    const bool is_joint = p_.flow != probe::FlowKind::elementwise;
    Found found{std::vector<double>(labels * objects), {}, {}, {}, std::vector<double>(objects)};
    found.crps = found.cde_loss = found.transform = found.nll;
    std::vector<double> low(labels), high(labels);
    for (size_t label = 0; label < labels; ++label) {
      low[label] = high[label] = train.labels[label];
      for (size_t i = label; i < train.labels.size(); i += labels) {
        low[label] = std::min(low[label], train.labels[i]);
        high[label] = std::max(high[label], train.labels[i]);
      }
      const double range = high[label] - low[label];
      low[label] -= 0.1 * range;
      high[label] += 0.1 * range;
    }
    const std::vector<probe::Densities> marginals = posterior.marginals(test.features, low, high, p_.points);
    const std::vector<std::vector<double>> members = posterior.log_densities(test.features, test.labels);
    for (size_t object = 0; object < objects; ++object) {
      std::vector<double> sums(members.size(), 0.0);
      for (size_t label = 0; label < labels; ++label) {
        const size_t i = object * labels + label;
        const auto number = static_cast<int64_t>(object);
        const double truth = test.labels[i];
        std::vector<double> own;
        for (size_t member = 0; member < members.size(); ++member) {
          own.push_back(members[member][i]);
          sums[member] += members[member][i];
        }
        found.nll[i] =
            is_joint ? -std::log(marginals[label].density(number, truth) * posterior.deviation()[label]) : loss_of(own);
        found.crps[i] = marginals[label].crps(number, truth);
        found.cde_loss[i] = marginals[label].cde_loss(number, truth);
        found.transform[i] = marginals[label].cumulative(number, truth);
      }
      found.nll_together[object] = loss_of(sums);
    }
    return found;
  }

  /// −log of the ensemble's density, or as published the mean of its members' −log density.
  double loss_of(const std::vector<double>& log_densities) const {
    const auto count = static_cast<double>(log_densities.size());
    double sum = 0.0;
    if (p_.protocol == Protocol::published) {
      for (const double one : log_densities) sum -= one / count;
      return sum;
    }
    const double largest = std::ranges::max(log_densities);
    for (const double one : log_densities) sum += std::exp(one - largest) / count;
    return -largest - std::log(sum);
  }

  static double mean_of(const std::vector<double>& values, std::span<const int64_t> objects, size_t label,
                        size_t labels) {
    double sum = 0.0;
    for (const int64_t object : objects) sum += values[static_cast<size_t>(object) * labels + label];
    return sum / static_cast<double>(objects.size());
  }

  std::vector<Metric> metrics_of(const Found& found, std::span<const int64_t> objects, size_t label) const {
    const size_t labels = p_.labels.size();
    std::vector<double> transforms;
    for (const int64_t object : objects) {
      transforms.push_back(found.transform[static_cast<size_t>(object) * labels + label]);
    }
    return {{"NLL", mean_of(found.nll, objects, label, labels)},
            {"CRPS", mean_of(found.crps, objects, label, labels)},
            {"CDE loss", mean_of(found.cde_loss, objects, label, labels)},
            {"PIT KS", probe::distance_from_uniform(transforms)},
            {"cov68", probe::coverage(transforms, 0.68)},
            {"cov95", probe::coverage(transforms, 0.95)}};
  }

  Parameters p_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Task, astroclip::PosteriorTask)
