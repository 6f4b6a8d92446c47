#include "app/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "app/bench_peer.h"
#include "app/verbs.h"
#include "base/error.h"
#include "base/threads.h"

namespace astroclip::app {

namespace {

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Rates {
  double row = 0.0;      ///< shortest time of one call, seconds
  double product = 0.0;  ///< the same of the large product, measured in between
  double peer = 0.0;     ///< the same of PyTorch's best mode; 0: not measured
  std::string peer_mode = {};
};

/// Whatever else the machine does slows all alike, so they take turns and the shortest times count.
Rates measure(const BenchWork& row, const BenchWork& product, double seconds, PytorchPeer* peer = nullptr) {
  row.run();  // takes memory, plans the products
  product.run();
  Rates best{1e30, 1e30};
  double spent = 0.0;
  for (int turn = 0; turn < 3 || (spent < seconds && turn < 1000); ++turn) {
    best.product = std::min(best.product, seconds_of(product.run));
    const double time = seconds_of(row.run);
    best.row = std::min(best.row, time);
    spent += time + best.product;
    if (peer == nullptr) continue;
    for (const std::string& mode : peer->modes()) {
      const double theirs = peer->seconds(mode);
      if (best.peer == 0.0 || theirs < best.peer) best.peer = theirs, best.peer_mode = mode;
    }
  }
  return best;
}

void print_head() {
  fmt::print("{:<42}{:>11}{:>10}{:>9}{:>12}{:>9}\n", "", "ms", "GFLOP/s", "GB/s", "objects/s", "share");
}

void print_row(const std::string& name, const BenchWork& row, const BenchWork& product, const Rates& rates) {
  const double rate = row.operations / rates.row, product_rate = product.operations / rates.product;
  const auto cell = [](bool is_there, double value) { return is_there ? fmt::format("{:.1f}", value) : ""; };
  fmt::print("{:<42}{:>11.2f}{:>10}{:>9}{:>12}{:>9}{}\n", name, rates.row * 1e3, cell(row.operations > 0, rate / 1e9),
             cell(row.bytes > 0, row.bytes / rates.row / 1e9), cell(row.objects > 0, row.objects / rates.row),
             row.operations > 0 ? fmt::format("{:.0f} %", 100.0 * rate / product_rate) : "",
             row.note.empty() ? "" : "  " + row.note);
  if (rates.peer > 0.0) {
    fmt::print("{:<42}{:>11.2f}{:>40}  PyTorch {}: {:.2f} times as long\n", "", rates.peer * 1e3, "", rates.peer_mode,
               rates.peer / rates.row);
  }
  std::fflush(stdout);
}

BenchSettings settings_of(const options::variables_map& values) {
  BenchSettings settings;
  settings.seconds = values["seconds"].as<double>();
  settings.batch = values["batch"].as<int64_t>();
  const auto precision = values["precision"].as<std::string>();
  if (precision != "f32" && precision != "bf16") {
    throw UsageError(fmt::format("--precision is f32 or bf16, not '{}'", precision));
  }
  if (settings.batch < 0) throw UsageError(fmt::format("--batch is at least 1, not {}", settings.batch));
  settings.precision = precision == "bf16" ? Precision::bf16 : Precision::f32;
  if (!backend_of(bench_device()).supports(settings.precision)) {
    throw Error(fmt::format("[bench] the device '{}' has no {} products", bench_device().str(), precision));
  }
  return settings;
}

/// Rows whose name contains `part`. Throws Error listing the names there are when none does.
std::vector<BenchRow> rows_named(const std::string& part) {
  std::vector<BenchRow> chosen;
  std::string names;
  for (const auto& family : {tower_rows(), kernel_rows(), reading_rows()}) {
    for (const BenchRow& row : family) {
      names += "\n  " + row.name;
      if (row.name.find(part) != std::string::npos) chosen.push_back(row);
    }
  }
  if (chosen.empty()) throw Error(fmt::format("[bench] no row's name contains '{}'; there are:{}", part, names));
  return chosen;
}

/// None unless --against asks for one and PyTorch's side knows the row's work.
std::unique_ptr<PytorchPeer> peer_of(const options::variables_map& values, const BenchRow& row, const BenchWork& work,
                                     const BenchSettings& settings) {
  if (values.count("against") == 0 || !row.in_pytorch) return nullptr;
  return std::make_unique<PytorchPeer>(values["python"].as<std::string>(), row.name, static_cast<int64_t>(work.objects),
                                       settings.precision);
}

int bench(const options::variables_map& values) {
  if (values.contains("against") && values["against"].as<std::string>() != "pytorch") {
    throw UsageError(fmt::format("--against is 'pytorch', not '{}'", values["against"].as<std::string>()));
  }
  const BenchSettings settings = settings_of(values);
  const std::vector<BenchRow> rows = rows_named(values["only"].as<std::string>());
  const BenchWork product = bench_product(settings);
  fmt::print("{} compute threads, {}; share: of the rate of a packed 2304 x 3072 x 1024 product\n\n", compute_threads(),
             values["precision"].as<std::string>());
  print_head();
  print_row("product 2304 x 3072 x 1024", product, product, measure(product, product, settings.seconds / 2));
  for (const BenchRow& row : rows) {
    const BenchWork work = row.make(settings);
    const std::unique_ptr<PytorchPeer> peer = peer_of(values, row, work, settings);
    print_row(row.name, work, product, measure(work, product, settings.seconds, peer.get()));
  }
  return 0;
}

}  // namespace

Device bench_device() { return device_named("auto"); }

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
