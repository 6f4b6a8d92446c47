#include "bench/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/error.h"
#include "base/threads.h"
#include "bench/pytorch_peer.h"
#include "experiment/precision.h"

namespace astroclip::bench {

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

/// They take turns and the shortest times count, so that other load on the machine affects all alike.
Rates measure(const Work& row, const Work& product, double seconds, PytorchPeer* peer = nullptr) {
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
      if (best.peer > 0.0 && theirs >= best.peer) continue;
      best.peer = theirs;
      best.peer_mode = mode;
    }
  }
  return best;
}

void print_header() {
  fmt::print("{:<42}{:>11}{:>10}{:>9}{:>12}{:>9}\n", "", "ms", "GFLOP/s", "GB/s", "objects/s", "share");
}

void print_row(const std::string& name, const Work& row, const Work& product, const Rates& rates) {
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

/// Rows whose name contains `part`. Throws Error listing the names there are when none does.
std::vector<Row> rows_named(const std::string& part) {
  std::vector<Row> chosen;
  std::string names;
  for (const auto& family : {tower_rows(), kernel_rows(), reading_rows()}) {
    for (const Row& row : family) {
      names += "\n  " + row.name;
      if (row.name.find(part) != std::string::npos) chosen.push_back(row);
    }
  }
  if (chosen.empty()) throw Error(fmt::format("[bench] no row's name contains '{}'; the rows are:{}", part, names));
  return chosen;
}

/// None unless PyTorch is to be measured and knows the row's work.
std::unique_ptr<PytorchPeer> peer_of(const Request& request, const Row& row, const Work& work) {
  if (request.python.empty() || !row.in_pytorch) return nullptr;
  return std::make_unique<PytorchPeer>(request.python, row.name, static_cast<int64_t>(work.objects),
                                       request.settings.precision);
}

}  // namespace

Device device() { return device_named("auto"); }

void run(const Request& request) {
  const Settings& settings = request.settings;
  const char* precision = name_of(settings.precision);
  if (!backend_of(device()).supports(settings.precision)) {
    throw Error(fmt::format("[bench] the device '{}' has no {} products", device().str(), precision));
  }
  const std::vector<Row> rows = rows_named(request.only);
  const Work product = reference_product(settings);
  fmt::print("{} compute threads, {}; share: of the rate of a packed 2304 x 3072 x 1024 product\n\n", compute_threads(),
             precision);
  print_header();
  print_row("product 2304 x 3072 x 1024", product, product, measure(product, product, settings.seconds / 2));
  for (const Row& row : rows) {
    const Work work = row.make(settings);
    const std::unique_ptr<PytorchPeer> peer = peer_of(request, row, work);
    print_row(row.name, work, product, measure(work, product, settings.seconds, peer.get()));
  }
}

}  // namespace astroclip::bench
