#include "bench/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "base/threads.h"
#include "bench/report.h"
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

void report_turns(Report& report, const std::string& name, const Work& row, const Work& product, const Rates& rates) {
  Result result{.name = name, .work = row, .seconds = rates.row};
  if (row.operations > 0.0) {
    result.share = row.operations / rates.row / (product.operations / rates.product);
  }
  report.add(result);
  for (const PeerRate& peer : rates.peers) {
    report.add({.name = "", .peer = peer.name, .seconds = peer.seconds, .ratio = peer.seconds / rates.row});
  }
}

/// Rows whose name contains `part`. Throws Error listing the names there are when none does.
std::vector<Row> rows_named(const std::string& part, bool on_card) {
  std::vector<std::vector<Row>> families = {tower_rows(on_card), kernel_rows(on_card)};
  if (on_card) {
    families.push_back(engine_rows());
  } else {  // what only the host does
    families.push_back(search_rows());
    families.push_back(reading_rows());
  }
  families.push_back(loading_rows(on_card));
  std::vector<Row> chosen;
  std::string names;
  for (const auto& family : families) {
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
                                           request.settings));
  }
  return peers;
}

void run_on_host(const Request& request, const std::vector<Row>& rows) {
  const Settings& settings = request.settings;
  Report report(settings, request.json);
  const Work product = reference_product(settings);
  fmt::print("{} compute threads, {}; share: of the rate of a packed 2304 x 3072 x 1024 product\n\n", compute_threads(),
             name_of(settings.precision));
  report.print_header();
  report_turns(report, "product 2304 x 3072 x 1024", product, product, measure(product, product, settings.seconds / 2));
  for (const Row& row : rows) {
    const Work work = row.make(settings);
    report_turns(report, row.name, work, product,
                 measure(work, product, settings.seconds, peers_of(request, row, work)));
  }
}

/// Rows on a card, where calls only queue work.
class CardRun {
 public:
  explicit CardRun(const Request& request)
      : request_(request), settings_(request.settings), report_(settings_, request.json) {}

  void operator()(const std::vector<Row>& rows) {
    fmt::print(
        "{}, {}: median of {} groups of calls, which take {} s in all, after as long a group; share: of the rate of a "
        "product of 8192 x 8192 x 8192, or of a copy\n\n",
        device_description(settings_.device), name_of(settings_.precision), groups, settings_.seconds);
    report_.print_header();
    const auto measure_ceilings = [&](const std::string& when) {
      product_rate_ = measure_row({"product 8192 x 8192 x 8192" + when, reference_product}).first;
      copy_rate_ = measure_row({"copy" + when, reference_copy}).second;
    };
    measure_ceilings("");
    for (const Row& row : rows) measure_row(row);
    if (std::ranges::find(request_.against, "pytorch") != request_.against.end()) measure_peers(rows);
    measure_ceilings(", at the end");
    if (failed_ > 0) throw Error(fmt::format("[bench] {} rows failed", failed_));
  }

 private:
  static constexpr int groups = 5;

  double seconds_of_calls(const std::function<void()>& call, int64_t count) const {
    return seconds_of([&] {
      for (int64_t i = 0; i < count; ++i) call();
      backend_of(settings_.device).synchronize();
    });
  }

  /// Median time of a call.
  double median_time(const std::function<void()>& call) const {
    const double estimate = seconds_of_calls(call, 1);
    const auto count = static_cast<int64_t>(std::clamp(settings_.seconds / groups / estimate, 1.0, 1e5));
    if (count > 1) seconds_of_calls(call, count);
    std::vector<double> times;
    for (int group = 0; group < groups; ++group) {
      times.push_back(seconds_of_calls(call, count) / static_cast<double>(count));
    }
    std::ranges::sort(times);
    return times[groups / 2];
  }

  /// Gives the rates of operations and bytes.
  std::pair<double, double> measure_row(const Row& row) {
    Result result{.name = row.name};
    Memory& memory = memory_of(settings_.device);
    try {
      memory.trim();
      result.work = row.make(settings_);
      backend_of(settings_.device).synchronize();
      result.first = seconds_of_calls(result.work.run, 1);
      result.seconds = median_time(result.work.run);
      result.memory = static_cast<double>(memory.statistics().reserved_bytes);
      if (result.work.operations > 0.0) share(result, result.work.operations, product_rate_);
      if (result.work.bytes > 0.0) share(result, result.work.bytes, copy_rate_);
      done_.push_back(result);
      done_.back().work.run = nullptr;
    } catch (const std::exception& error) {
      ++failed_;
      report_.add({.name = row.name, .error = error.what()});
      return {};
    }
    report_.add(result);
    return {result.work.operations / result.seconds, result.work.bytes / result.seconds};
  }

  static void share(Result& result, double amount, double ceiling) {
    if (ceiling > 0.0) result.share = amount / result.seconds / ceiling;
  }

  void measure_peers(const std::vector<Row>& rows) {
    memory_of(settings_.device).trim();
    CardPeer peer(request_.python, settings_, request_.on_card);
    for (const Row& row : rows) {
      const auto own = std::ranges::find(done_, row.name, &Result::name);
      if (own == done_.end() || std::ranges::find(row.peers, "pytorch") == row.peers.end()) continue;
      for (const CardPeer::Result& theirs : peer.measure(row.name, static_cast<int64_t>(own->work.objects))) {
        Result result{.name = row.name, .peer = "pytorch " + theirs.mode, .seconds = theirs.seconds};
        result.error = theirs.error;
        if (theirs.error.empty()) {
          result.work.objects = own->work.objects;
          result.ratio = theirs.seconds / own->seconds;
          result.first = theirs.first;
          result.memory = theirs.memory;
        }
        report_.add(result);
      }
    }
  }

  const Request& request_;
  const Settings& settings_;
  Report report_;
  double product_rate_ = 0.0, copy_rate_ = 0.0;
  std::vector<Result> done_;
  int failed_ = 0;
};

}  // namespace

void run(const Request& request) {
  const Settings& settings = request.settings;
  if (!backend_of(settings.device).supports(settings.precision)) {
    throw Error(
        fmt::format("[bench] the device '{}' has no {} products", settings.device.str(), name_of(settings.precision)));
  }
  const std::vector<Row> rows = rows_named(request.only, settings.on_card());
  settings.on_card() ? CardRun(request)(rows) : run_on_host(request, rows);
}

}  // namespace astroclip::bench
