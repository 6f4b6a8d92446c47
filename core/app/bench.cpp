#include "bench/bench.h"

#include <fmt/format.h>

#include "app/verbs.h"

namespace astroclip::app {

namespace {

bench::Settings settings_of(const options::variables_map& values) {
  bench::Settings settings;
  settings.seconds = values["seconds"].as<double>();
  settings.batch = values["batch"].as<int64_t>();
  const auto precision = values["precision"].as<std::string>();
  if (precision != "f32" && precision != "bf16") {
    throw UsageError(fmt::format("--precision is f32 or bf16, not '{}'", precision));
  }
  if (settings.batch < 0) throw UsageError(fmt::format("--batch is at least 1, not {}", settings.batch));
  settings.precision = precision == "bf16" ? Precision::bf16 : Precision::f32;
  return settings;
}

int bench(const options::variables_map& values) {
  if (values.contains("against") && values["against"].as<std::string>() != "pytorch") {
    throw UsageError(fmt::format("--against is 'pytorch', not '{}'", values["against"].as<std::string>()));
  }
  bench::run({settings_of(values), values["only"].as<std::string>(),
              values.contains("against") ? values["python"].as<std::string>() : ""});
  return 0;
}

}  // namespace


Verb bench_verb() {
  Verb verb{"bench",
            {"[--only NAME] [--precision f32|bf16] [--against pytorch]"},
            "measure kernels and towers against a large matrix product",
            "Prints rates of kernels, towers and readers beside that of a large matrix product of the same precision, "
            "measured in turns."};
  verb.options.add_options()                                                                           //
      ("seconds", options::value<double>()->value_name("S")->default_value(3.0), "time for each row")  //
      ("batch", options::value<int64_t>()->value_name("N")->default_value(0),
       "objects a step of the towers takes; 0: 8 spectra, 16 images, 32 of ResNet-18")  //
      ("precision", text("f32|bf16")->default_value("f32"), "of the products")          //
      ("against", text("pytorch"),
       "the towers beside PyTorch's best of eager and compiled, same threads, precision and batch")  //
      ("python", text("FILE")->default_value("python3"), "the Python that has torch")                //
      ("only", text("NAME")->default_value(""), "rows whose name contains this");
  verb.examples = {
      {"astroclip bench --only embed --precision bf16", "how fast the published towers embed"},
      {"astroclip bench --only train --against pytorch --python venv/bin/python", "training steps beside PyTorch's"}};
  verb.run = bench;
  return verb;
}

}  // namespace astroclip::app
