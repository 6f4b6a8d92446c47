#include "explore/explore.h"

#include <fmt/format.h>
#include <malloc.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iterator>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/threads.h"
#include "experiment/fingerprint.h"
#include "experiment/provenance.h"
#include "explore/catalogue.h"
#include "explore/embeddings.h"
#include "explore/explorer.h"
#include "explore/own_galaxies.h"
#include "explore/predictions.h"
#include "explore/view_index.h"
#include "io/output/durable_file.h"
#include "record/console.h"
#include "record/run_folder.h"
#include "record/stop_request.h"
#include "serve/http_server.h"

namespace astroclip::explore {

namespace {

constexpr int64_t most_upload_bytes = int64_t{64} << 20;
constexpr int64_t most_waited_for = 1000000;  // objects whose map of the sky is made before the page is served

std::vector<embed::Input> inputs_of(const Options& options) {
  if (options.data.empty() && options.dataset.empty()) return {};
  embed::Request request;
  request.inputs = options.data;
  request.dataset = options.dataset;
  request.assignments = options.assignments;
  request.output = options.embeddings;
  return embed::open_inputs(request);
}

/// Throws Error when a run's dataset is no longer the one that the run embedded.
void check_dataset(const std::string& run, const Dataset& objects) {
  const std::string path = record::RunFolder::open(run).provenance();
  if (!std::filesystem::exists(path)) return;
  Provenance now;
  now.dataset = fingerprint(objects);
  now.dataset_files = objects.files();
  check_unchanged(Provenance::parse(io::read_text(path), path), now, run, Rebuilt::refuse);
}

/// What is predicted of the objects: by the run that is named or that has the embeddings in its folder, and by probes
/// beside the embeddings.
std::vector<Predicted> predictions_of(const Options& options, const Embeddings& embeddings,
                                      const Catalogue& catalogue) {
  std::vector<Predicted> all = predictions_of_probes(embeddings, catalogue);
  std::string run = options.predictions;
  if (run.empty()) {
    const std::filesystem::path beside = std::filesystem::path(options.embeddings).parent_path();
    const auto has = [&](const char* file) { return std::filesystem::exists(beside / file); };
    if (has("resolved.toml") && has("report.json")) run = beside.empty() ? "." : beside.string();
  }
  if (run.empty()) return all;
  std::vector<Predicted> of_run = predictions_of_run(run, embeddings);
  if (of_run.empty() && !options.predictions.empty())
    throw Error(fmt::format("{}: predicts nothing of the objects of {}", run, options.embeddings));
  all.insert(all.end(), std::make_move_iterator(of_run.begin()), std::make_move_iterator(of_run.end()));
  return all;
}

struct Stopped {};

/// Tells the console how long each part of an index took, once it is there.
class TimedParts {
 public:
  explicit TimedParts(record::Console& console) : console_(console) {}

  void tell(const std::string& what, double share) {
    const auto now = std::chrono::steady_clock::now();
    if (what != what_) {
      what_ = what;
      start_ = now;
    }
    const std::chrono::duration<double> seconds = now - start_;
    if (share == 1.0) console_.say(fmt::format("{}: {:.1f} s", what, seconds.count()));
  }

 private:
  record::Console& console_;
  std::string what_;
  std::chrono::steady_clock::time_point start_;
};

/// Adds the map of the sky, where the data have positions.
void add_sky(ViewIndex& index, const Catalogue& catalogue, int64_t count, const Report& report) {
  const auto columns = catalogue.position_columns();
  if (!columns) return;
  report("map of the sky", 0.0);
  std::vector<int64_t> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  index.add_sky(catalogue.read(columns->first, rows).numbers(), catalogue.read(columns->second, rows).numbers(),
                report);
}

/// Builds the rest of an index on a thread of its own, which ends with the object.
class Building {
 public:
  explicit Building(std::function<void(const Report&)> build, Explorer& explorer, Turns& computing,
                    record::Console& console)
      : thread_([this, build = std::move(build), &explorer, &computing, &console] {
          run(build, explorer, computing, console);
        }) {}
  ~Building() {
    stop_ = true;
    thread_.join();
  }
  Building(const Building&) = delete;
  Building& operator=(const Building&) = delete;

 private:
  void run(const std::function<void(const Report&)>& build, Explorer& explorer, Turns& computing,
           record::Console& console) {
    const std::scoped_lock lock(computing);
    TimedParts times(console);
    try {
      build([&](const std::string& what, double share) {
        if (stop_) throw Stopped();
        times.tell(what, share);
        explorer.set_work(what, share);
        computing.unlock();
        computing.lock();
      });
    } catch (const Stopped&) {
    } catch (const std::exception& error) {
      console.say(fmt::format("the view index could not be completed: {}", error.what()));
    }
    explorer.set_work("", 0.0);
  }

  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace

void give_back_large_blocks() {
  constexpr int large = 1 << 20;
  mallopt(M_MMAP_THRESHOLD, large);  // once it is set, glibc no longer raises it
}

void explore(const Options& asked) {
  give_back_large_blocks();
  Options options = asked;
  const bool is_run = std::filesystem::is_directory(asked.embeddings);
  const bool brings_dataset = is_run && asked.data.empty() && asked.dataset.empty();
  if (is_run) options.embeddings = asked.embeddings + "/embeddings.h5";
  if (brings_dataset) options.dataset = asked.embeddings + "/resolved.toml";
  set_compute_threads(static_cast<int>(options.threads));
  record::Console console;
  const record::StopRequest stop;
  const Embeddings embeddings(options.embeddings);
  std::vector<embed::Input> inputs = inputs_of(options);
  if (brings_dataset) check_dataset(asked.embeddings, *inputs.front().objects);
  const Catalogue catalogue(embeddings, std::move(inputs));
  ViewIndex index(embeddings);
  const auto build_rest = [&](const Report& report) {
    index.build_codes(report);
    if (!options.with_umap) return;
    index.build(Method::umap, report);
    index.build_scores(report);
  };
  TimedParts times(console);
  const Report report = [&](const std::string& what, double share) {
    if (stop.requested()) throw Stopped();
    console.progress(fmt::format("{}: {:.0f} %", what, 100.0 * share));
    times.tell(what, share);
  };
  try {
    index.build(Method::pca, report);
    if (options.only_index) build_rest(report);
    if (index.maps().empty()) throw Error(fmt::format("{}: every embedding is missing", options.embeddings));
    if (options.only_index) return;
    if (embeddings.rows() <= most_waited_for) add_sky(index, catalogue, embeddings.rows(), report);
  } catch (const Stopped&) {
    return;
  }
  Turns computing;
  std::optional<OwnGalaxies> own;
  if (!options.model.empty()) own.emplace(embeddings, catalogue, options.model, computing);
  Explorer explorer(embeddings, catalogue, index, own ? &*own : nullptr,
                    predictions_of(options, embeddings, catalogue));
  serve::ServerOptions serving;
  serving.address = options.address;
  serving.port = options.port;
  if (own) {
    serving.upload_path = upload_path;
    serving.most_upload_bytes = most_upload_bytes;
  }
  serve::HttpServer server(serving, [&](const serve::Request& request) { return explorer.answer(request); });
  console.say(fmt::format("{}: {} objects{}", options.embeddings, embeddings.rows(),
                          catalogue.found() > 0 ? fmt::format(", {} of them in the data", catalogue.found()) : ""));
  const bool is_local = serve::is_loopback(options.address);
  console.say(fmt::format("open {} in a browser{}; Ctrl-C ends", server.url(), is_local ? " of this machine" : ""));
  if (!is_local) console.say(fmt::format("{}: {}", options.address, what_others_can_do));
  explorer.set_work("the view index", 0.0);  // before the first request, so that nobody takes it for complete
  const Building building(
      [&](const Report& told) {
        if (embeddings.rows() > most_waited_for) add_sky(index, catalogue, embeddings.rows(), told);
        build_rest(told);
      },
      explorer, computing, console);
  server.run([&] { return stop.requested(); });
}

}  // namespace astroclip::explore
