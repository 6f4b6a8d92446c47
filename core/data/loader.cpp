#include "data/loader.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/rng.h"
#include "data/row_order.h"

namespace astroclip::data {

namespace {

/// Kernels keep the cores; a loader thread takes what they leave.
void lower_priority() { (void)setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 10); }

/// Makes batches; shared by the loader's threads.
class BatchMaker {
 public:
  BatchMaker(const Dataset& dataset, std::vector<int64_t> rows, std::vector<ViewPlan> views,
             std::vector<std::string> labels, const LoaderOptions& options)
      : dataset_(dataset),
        order_(std::move(rows), options.shuffle ? dataset.read_plan(options.split) : ReadPlan(), options),
        views_(std::move(views)),
        labels_(std::move(labels)),
        options_(options) {}

  Batch make(int64_t step, const std::set<std::string>& left_out) const {
    Batch batch;
    batch.step = step;
    batch.rows = order_.batch(step);
    std::set<std::string> fields(labels_.begin(), labels_.end());
    for (const ViewPlan& view : views_) {
      if (!left_out.contains(view.request.name)) fields.insert(field_of(view.request));
    }
    const HostBatch raw = read(batch, {fields.begin(), fields.end()});
    for (const ViewPlan& view : views_) {
      if (!left_out.contains(view.request.name)) batch.views[view.request.name] = make_view(view, batch, raw);
    }
    for (const std::string& label : labels_) batch.labels[label] = as_doubles(raw.at(label));
    return batch;
  }

  HostArray make(const std::string& name, const Batch& batch) const {
    const auto view = std::ranges::find(views_, name, [](const ViewPlan& plan) { return plan.request.name; });
    return make_view(*view, batch, read(batch, {field_of(view->request)}));
  }

 private:
  HostBatch read(const Batch& batch, const std::vector<std::string>& fields) const {
    return read_fields(dataset_, options_.split, batch.rows, fields);
  }

  std::string field_of(const ViewRequest& request) const {
    return request.field.empty() ? dataset_.source_field(request.modality) : request.field;
  }

  HostArray make_view(const ViewPlan& view, const Batch& batch, const HostBatch& raw) const {
    const std::string field = field_of(view.request);
    const HostArray source = as_floats(raw.at(field), field);
    const auto count = static_cast<int64_t>(batch.rows.size());
    const int64_t crops = view.request.crops, from = source.shape.numel() / std::max<int64_t>(1, count);
    const int64_t to = view.shape.numel();
    std::vector<int64_t> extents = {count * crops};
    extents.insert(extents.end(), view.shape.begin(), view.shape.end());
    HostArray made(DType::f32, Shape(extents));
    const auto input = source.values<float>();
    const auto output = made.values<float>();
    for (int64_t sample = 0; sample < count; ++sample) {
      for (int64_t crop = 0; crop < crops; ++crop) {
        const int64_t at = sample * crops + crop;
        Rng rng(options_.seed ^ stable_hash(view.request.name), Purpose::augmentation,
                options_.stream << 40 | static_cast<uint64_t>(batch.step), static_cast<uint64_t>(at));
        dataset_.make_view(view.request, input.subspan(static_cast<size_t>(sample * from), static_cast<size_t>(from)),
                           view.shape, rng, output.subspan(static_cast<size_t>(at * to), static_cast<size_t>(to)));
      }
    }
    return made;
  }

  const Dataset& dataset_;
  RowOrder order_;
  std::vector<ViewPlan> views_;
  std::vector<std::string> labels_;
  LoaderOptions options_;
};

}  // namespace

struct Loader::State {
  State(const Dataset& dataset, std::vector<int64_t> rows, std::vector<ViewPlan> views, std::vector<std::string> labels,
        const LoaderOptions& loader_options)
      : maker(dataset, std::move(rows), std::move(views), std::move(labels), loader_options),
        options(loader_options),
        claimed(loader_options.first_step),
        delivered(loader_options.first_step) {}

  void work() {
    lower_priority();
    for (;;) {
      int64_t step = 0;
      std::set<std::string> without;
      {
        std::unique_lock lock(mutex);
        room.wait(lock, [&] { return stopping || claimed >= options.steps || claimed < delivered + ahead(); });
        if (stopping || claimed >= options.steps) return;
        step = claimed++;
        without = left_out;
      }
      Slot slot;
      try {
        slot.batch = maker.make(step, without);
      } catch (...) {
        slot.failure = std::current_exception();
      }
      const std::lock_guard lock(mutex);
      ready[step] = std::move(slot);
      arrived.notify_all();
    }
  }

  /// How far the threads may run ahead: memory stays bounded by these batches.
  int64_t ahead() const { return options.threads + 2; }

  struct Slot {
    Batch batch;
    std::exception_ptr failure;
  };
  BatchMaker maker;
  LoaderOptions options;
  std::mutex mutex;
  std::condition_variable room, arrived;
  std::map<int64_t, Slot> ready;
  std::set<std::string> left_out;  ///< views
  int64_t claimed, delivered;
  bool stopping = false;
  double waited = 0.0;
  std::vector<std::thread> threads;
};

Loader::Loader(const Dataset& dataset, std::vector<int64_t> rows, std::vector<ViewPlan> views,
               std::vector<std::string> labels, const LoaderOptions& options)
    : state_(std::make_unique<State>(dataset, std::move(rows), std::move(views), std::move(labels), options)) {
  for (int i = 0; i < std::max(1, options.threads); ++i) state_->threads.emplace_back([this] { state_->work(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->room.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

Batch Loader::next() {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  std::unique_lock lock(state_->mutex);
  const int64_t step = state_->delivered;
  if (step >= state_->options.steps) throw Error("[loader] there are no more batches");
  state_->arrived.wait(lock, [&] { return state_->ready.contains(step); });
  State::Slot slot = std::move(state_->ready.extract(step).mapped());
  ++state_->delivered;
  state_->waited += std::chrono::duration<double>(Clock::now() - start).count();
  state_->room.notify_all();
  if (slot.failure) std::rethrow_exception(slot.failure);
  return std::move(slot.batch);
}

void Loader::leave_out(const std::string& view) {
  const std::lock_guard lock(state_->mutex);
  state_->left_out.insert(view);
}

HostArray Loader::make(const std::string& view, const Batch& batch) const { return state_->maker.make(view, batch); }

double Loader::waited() const { return state_->waited; }

}  // namespace astroclip::data
