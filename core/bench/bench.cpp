#include "bench/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/error.h"
#include "base/threads.h"
#include "bench/peer.h"
#include "experiment/precision.h"

namespace astroclip::bench {

namespace {

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

constexpr double long_time = 1e30;

struct PeerRate {
  std::string name;            ///< with its fastest mode
  double seconds = long_time;  ///< of that
};

struct Rates {
  double row = long_time;      ///< shortest time of one call, seconds
  double product = long_time;  ///< the same of the large product, measured in between
  std::vector<PeerRate> peers = {};
};

using Peers = std::vector<std::unique_ptr<Peer>>;

/// They take turns and the shortest times count, so that other load on the machine affects all alike.
Rates measure(const Work& row, const Work& product, double seconds, const Peers& peers = {}) {
  row.run();  // takes memory, plans the products
  product.run();
  Rates best;
  best.peers.resize(peers.size());
  double spent = 0.0;
  for (int turn = 0; turn < 3 || (spent < seconds && turn < 1000); ++turn) {
    best.product = std::min(best.product, seconds_of(product.run));
    const double time = seconds_of(row.run);
    best.row = std::min(best.row, time);
    spent += time + best.product;
    for (size_t i = 0; i < peers.size(); ++i) {
      for (const std::string& mode : peers[i]->modes()) {
        const double theirs = peers[i]->seconds(mode);
        if (theirs < best.peers[i].seconds) best.peers[i] = {peers[i]->package() + " " + mode, theirs};
      }
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
  for (const PeerRate& peer : rates.peers) {
    fmt::print("{:<42}{:>11.2f}{:>40}  {}: {:.2f} times as long\n", "", peer.seconds * 1e3, "", peer.name,
               peer.seconds / rates.row);
  }
  std::fflush(stdout);
}

/// Rows whose name contains `part`. Throws Error listing the names there are when none does.
std::vector<Row> rows_named(const std::string& part) {
  std::vector<Row> chosen;
  std::string names;
  for (const auto& family : {tower_rows(), kernel_rows(), search_rows(), reading_rows()}) {
    for (const Row& row : family) {
      names += "\n  " + row.name;
      if (row.name.find(part) != std::string::npos) chosen.push_back(row);
    }
  }
  if (chosen.empty()) throw Error(fmt::format("[bench] no row's name contains '{}'; the rows are:{}", part, names));
  return chosen;
}

/// Those that are to be measured and know the row's work.
Peers peers_of(const Request& request, const Row& row, const Work& work) {
  Peers peers;
  for (const std::string& package : request.against) {
    if (std::ranges::find(row.peers, package) == row.peers.end()) continue;
    peers.push_back(std::make_unique<Peer>(request.python, package, row.name, static_cast<int64_t>(work.objects),
                                           request.settings.precision));
  }
  return peers;
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
    print_row(row.name, work, product, measure(work, product, settings.seconds, peers_of(request, row, work)));
  }
}

}  // namespace astroclip::bench
