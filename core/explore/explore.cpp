#include "explore/explore.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/threads.h"
#include "explore/catalogue.h"
#include "explore/embeddings.h"
#include "explore/explorer.h"
#include "explore/own_galaxies.h"
#include "explore/view_index.h"
#include "record/console.h"
#include "record/stop_request.h"
#include "serve/http_server.h"

namespace astroclip::explore {

namespace {

constexpr int64_t most_upload_bytes = int64_t{64} << 20;

std::vector<embed::Input> inputs_of(const Options& options) {
  if (options.data.empty() && options.dataset.empty()) return {};
  embed::Request request;
  request.inputs = options.data;
  request.dataset = options.dataset;
  request.assignments = options.assignments;
  request.output = options.embeddings;
  return embed::open_inputs(request);
}

struct Stopped {};

/// Builds the rest of an index on a thread of its own, which ends with the object.
class Building {
 public:
  Building(ViewIndex& index, Explorer& explorer, Turns& computing, record::Console& console)
      : thread_([this, &index, &explorer, &computing, &console] { build(index, explorer, computing, console); }) {}
  ~Building() {
    stop_ = true;
    thread_.join();
  }
  Building(const Building&) = delete;
  Building& operator=(const Building&) = delete;

 private:
  void build(ViewIndex& index, Explorer& explorer, Turns& computing, record::Console& console) {
    const auto start = std::chrono::steady_clock::now();
    const std::scoped_lock lock(computing);
    bool any = false;
    try {
      index.build(Method::umap, [&](const std::string& what, double share) {
        if (stop_) throw Stopped();
        any = true;
        explorer.set_work(what, share);
        computing.unlock();
        computing.lock();
      });
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      if (any) console.say(fmt::format("maps by UMAP are ready, after {}", record::duration(seconds.count())));
    } catch (const Stopped&) {
    } catch (const std::exception& error) {
      console.say(fmt::format("the maps by UMAP could not be made: {}", error.what()));
    }
    explorer.set_work("", 0.0);
  }

  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace

void explore(const Options& asked) {
  Options options = asked;
  if (std::filesystem::is_directory(asked.embeddings)) {
    options.embeddings = asked.embeddings + "/embeddings.h5";
    if (asked.data.empty() && asked.dataset.empty()) options.dataset = asked.embeddings + "/resolved.toml";
  }
  set_compute_threads(static_cast<int>(options.threads));
  record::Console console;
  const record::StopRequest stop;
  const Embeddings embeddings(options.embeddings);
  const Catalogue catalogue(embeddings, inputs_of(options));
  ViewIndex index(embeddings);
  try {
    index.build(Method::pca, [&](const std::string& what, double share) {
      console.progress(fmt::format("{}: {:.0f} %", what, 100.0 * share));
      if (stop.requested()) throw Stopped();
    });
  } catch (const Stopped&) {
    return;
  }
  if (index.maps().empty()) throw Error(fmt::format("{}: every embedding is missing", options.embeddings));
  if (const auto columns = catalogue.position_columns()) {
    std::vector<int64_t> rows(static_cast<size_t>(embeddings.rows()));
    std::iota(rows.begin(), rows.end(), int64_t{0});
    index.add_sky(catalogue.read(columns->first, rows).numbers(), catalogue.read(columns->second, rows).numbers());
  }
  Turns computing;
  std::optional<OwnGalaxies> own;
  if (!options.model.empty()) own.emplace(embeddings, catalogue, options.model, computing);
  Explorer explorer(embeddings, catalogue, index, own ? &*own : nullptr);
  serve::ServerOptions serving;
  serving.address = options.address;
  serving.port = options.port;
  if (own) {
    serving.upload_path = Explorer::upload_path;
    serving.most_upload_bytes = most_upload_bytes;
  }
  serve::HttpServer server(serving, [&](const serve::Request& request) { return explorer.answer(request); });
  console.say(fmt::format("{}: {} objects{}", options.embeddings, embeddings.rows(),
                          catalogue.found() > 0 ? fmt::format(", {} of them in the data", catalogue.found()) : ""));
  const bool is_local = serve::is_loopback(options.address);
  console.say(fmt::format("open {} in a browser{}; Ctrl-C ends", server.url(), is_local ? " of this machine" : ""));
  if (!is_local) console.say(fmt::format("{}: {}", options.address, what_others_can_do));
  const Building building(index, explorer, computing, console);
  server.run([&] { return stop.requested(); });
}

}  // namespace astroclip::explore
