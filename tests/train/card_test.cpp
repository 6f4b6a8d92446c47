// Every loss and every encoder on a card: what it gives there is what the host gives, but for rounding. Options of
// stages are spread over the rows.
#include <gmock/gmock.h>

#include "config/toml.h"
#include "evaluate/embedder.h"
#include "model/origins.h"
#include "support/devices.h"
#include "support/experiment_text.h"
#include "support/small_experiment.h"
#include "train/trainer.h"

namespace astroclip::train {
namespace {

const std::string photometry = R"([dataset.photometry]
magnitudes = ["mag_g", "mag_r", "mag_z"]
errors = ["magerr_g", "magerr_r", "magerr_z"]
)";

struct Row {
  std::string name, loss;
  std::string stage = {};  ///< further lines
  std::string towers = testing_support::small_towers;
  std::string dataset = {};  ///< further lines of its section, tables of its own last
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

std::string text_of(const Row& row, const std::string& device) {
  return "[experiment]\nvalidation = 0.2\ndevice = \"" + device +
         "\"\n[dataset]\nplugin = \"simulated_survey\"\ngalaxies = 40\ncache = \"" + testing_support::scratch("small") +
         "\"\n" + row.dataset + row.towers + "[[stages]]\nname = \"stage\"\nbatch = 8\nsteps = 3\nloss = " + row.loss +
         "\n" + row.stage + "[[tasks]]\nplugin = \"redshift\"\nk = 4\nprobes = [\"knn\"]\n";
}

const Row cases[] = {
    {"Clip", R"({ plugin = "clip" })", "accumulate = 2\nema = 0.9\nvalidation = { every = 3 }\n"},
    {"Cwcl", R"({ plugin = "cwcl" })", "micro_batch = 4\n"},
    {"Cyclip", R"({ plugin = "cyclip" })", "freeze = [\"image.backbone\"]\n"},
    {"HardNegatives", R"({ plugin = "hard_negatives", beta = 0.5, tau_plus = 0.01 })",
     "optimizer = { clip_apart = [\"image.*\"] }\n"},
    {"Siglip", R"({ plugin = "siglip" })", "optimizer = { name = \"sgd\" }\n"},
    {"Vicreg", R"({ plugin = "vicreg", expander = [16, 16] })", "on_nonfinite = \"skip\"\n"},
    {"BarlowTwins", R"({ plugin = "barlow_twins", projector = [16, 16] })", "watch = { every = 2, objects = 8 }\n"},
    {"Sum", R"({ plugin = "sum", losses = [{ plugin = "clip" }, { plugin = "vicreg" }], weights = [1.0, 0.1] })"},
    {"Supervised", R"({ plugin = "supervised", labels = ["redshift", "mag_r"], hidden = [8] })",
     "encoders = [\"image\"]\nvalidation = { every = 3 }\n"},
    {"Moco", R"({ plugin = "moco", queue = 24, groups = 2, width = 8 })", "encoders = [\"image\"]\n"},
    {"MaskedSpectrum", R"({ plugin = "masked_spectrum", spans = 3, span_length = 4, random = 0.1 })",
     "encoders = [\"spectrum\"]\nvalidation = { every = 3 }\n"},
    {"Resnet", R"({ plugin = "moco", queue = 24, width = 8 })", "encoders = [\"image\"]\nvalidation = { every = 3 }\n",
     "[encoders.image]\nplugin = \"resnet\"\nimage = 32\ndim = 8\nblocks = [1, 1]\nwidth = 16\n"},
    {"ConvAttention", R"({ plugin = "supervised", encoder = "spectrum" })", "encoders = [\"spectrum\"]\n",
     "[encoders.spectrum]\nplugin = \"conv_attention\"\nwidth = 16\n"},
    {"PhotometryMlp", R"({ plugin = "supervised", encoder = "photometry", augment = false })",
     "encoders = [\"photometry\"]\n",
     photometry + "[encoders.photometry]\nplugin = \"photometry_mlp\"\nhidden = [8, 8]\nwidth = 8\n"},
};

/// What a stage gives: numbers by name.
using Numbers = std::vector<std::pair<std::string, double>>;

Numbers numbers_on(const std::string& text) {
  const Experiment experiment = read_experiment(config::parse_text(text, "e.toml"));
  const auto dataset = experiment.dataset.make();
  const Model model = testing_support::model_of(experiment);
  Origins origins;
  for (const std::string& name : model.names()) origins[name] = {};
  Numbers all;
  const auto add = [&](int64_t step, const record::Metrics& metrics) {
    for (const auto& [name, value] : metrics) all.emplace_back(fmt::format("step {}: {}", step, name), value);
  };
  Trainer trainer({experiment, 0}, model, *dataset, std::nullopt, nullptr, origins);
  const auto take = [&](const std::optional<StepReport>& report) {
    if (!report) return;
    add(report->step, report->losses);
    add(report->step, {{"gradient_norm", report->gradient_norm}});
  };
  while (!trainer.finished()) {
    take(trainer.reads_late() ? trainer.advance() : trainer.step());
    if (trainer.validation_due() || trainer.look_due()) take(trainer.settle());
    if (trainer.validation_due()) add(trainer.finished_steps(), trainer.validate().metrics);
    if (trainer.look_due()) add(trainer.finished_steps(), trainer.look());
  }
  take(trainer.settle());
  for (const std::string& name : experiment.stages[0].encoders) {
    const evaluate::Embedder embedder(name, model.shared_encoder(name), experiment.run_device(), Precision::f32, true);
    const Matrix rows = evaluate::embed_rows(embedder, experiment, *dataset, Split::test, {0, 1});
    for (size_t i = 0; i < rows.values.size(); ++i) all.emplace_back(fmt::format("{} {}", name, i), rows.values[i]);
  }
  return all;
}

class Card : public testing::TestWithParam<std::tuple<Row, DeviceKind>> {
 protected:
  Device device_ = testing_support::present(std::get<1>(GetParam()));
};

TEST_P(Card, GivesWhatTheHostGives) {
  const Row& row = std::get<0>(GetParam());
  const Numbers expected = numbers_on(text_of(row, "cpu")), found = numbers_on(text_of(row, device_.str()));
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].first, expected[i].first);
    if (found[i].first.ends_with("own_key_first")) continue;  // counts comparisons of nearly equal numbers
    EXPECT_NEAR(found[i].second, expected[i].second, 2e-3 * (1.0 + std::abs(expected[i].second))) << found[i].first;
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, Card, testing::Combine(testing::ValuesIn(cases), testing::Values(DeviceKind::cuda)),
                         [](const auto& instance) {
                           return std::get<0>(instance.param).name + "_" +
                                  testing_support::name_of(std::get<1>(instance.param));
                         });

}  // namespace
}  // namespace astroclip::train
