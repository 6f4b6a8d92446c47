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

#include "backend/backend.h"
#include "base/error.h"
#include "base/rng.h"
#include "data/row_order.h"

namespace astroclip::data {

namespace {

/// Kernels keep the cores; a loader thread takes what they leave.
void lower_priority() { (void)setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 10); }

int64_t bytes_of(const Batch& batch) {
  size_t bytes = 0;
  for (const auto& [name, view] : batch.views) bytes += view.bytes.size();
  for (const auto& [name, arrays] : batch.kept) {
    for (const HostArray& array : arrays) bytes += array.bytes.size();
  }
  return static_cast<int64_t>(bytes);
}

/// Makes batches; shared by the loader's threads.
class BatchMaker {
 public:
  BatchMaker(const Dataset& dataset, std::vector<int64_t> rows, const std::vector<ViewPlan>& views,
             std::vector<std::string> labels, const LoaderOptions& options)
      : dataset_(dataset),
        order_(std::move(rows), options.shuffle ? dataset.read_plan(options.split) : ReadPlan(), options),
        makers_(view_makers(dataset, views)),
        labels_(std::move(labels)),
        options_(options) {}

  Batch make(int64_t step) const {
    Batch batch;
    batch.step = step;
    batch.rows = order_.batch(step);
    std::set<std::string> view_fields;
    for (const ViewMaker& maker : makers_) {
      for (const std::string& field : maker.fields()) view_fields.insert(field);
    }
    std::set<std::string> fields = view_fields;
    fields.insert(labels_.begin(), labels_.end());
    HostBatch raw = read_fields(dataset_, options_.split, batch.rows, {fields.begin(), fields.end()});
    for (const std::string& label : labels_) batch.labels[label] = as_doubles(raw.at(label));
    for (const std::string& field : view_fields) raw[field] = as_floats(std::move(raw[field]), field);
    for (const ViewMaker& maker : makers_) make_views(maker, raw, batch);
    for (const auto& [name, read] : options_.kept) batch.kept[name] = read(batch.rows);
    return batch;
  }

 private:
  void make_views(const ViewMaker& maker, const HostBatch& raw, Batch& batch) const {
    const auto stream = [&](int64_t view) {
      return Rng(options_.seed ^ stable_hash(maker.name()), RngStream::augmentation,
                 options_.stream << 40 | static_cast<uint64_t>(batch.step), static_cast<uint64_t>(view));
    };
    maker.make(raw, static_cast<int64_t>(batch.rows.size()), stream, batch.views, options_.memory);
  }

  const Dataset& dataset_;
  RowOrder order_;
  std::vector<ViewMaker> makers_;
  std::vector<std::string> labels_;
  LoaderOptions options_;
};

}  // namespace

Tensor upload(const HostArray& views, Device device) {
  Tensor tensor = Tensor::empty(views.shape, backend_of(device).compute_dtype(), device);
  upload(views, tensor);
  return tensor;
}

void upload(const HostArray& views, Tensor& to) {
  const auto values = views.values<float>();
  if (to.dtype() == DType::f32) return backend_of(to.device()).copy_async(to, values.data());
  to.copy_from(Tensor::from_host(values, views.shape, to.dtype(), to.device()));
}

struct Loader::State {
  State(const Dataset& dataset, std::vector<int64_t> rows, const std::vector<ViewPlan>& views,
        std::vector<std::string> labels, const LoaderOptions& loader_options)
      : maker(dataset, std::move(rows), views, std::move(labels), loader_options),
        options(loader_options),
        claimed(loader_options.first_step),
        delivered(loader_options.first_step) {}

  void work() {
    lower_priority();
    for (;;) {
      int64_t step = 0;
      {
        std::unique_lock lock(mutex);
        room.wait(lock, [&] { return stopping || claimed >= options.steps || claimed < delivered + ahead(); });
        if (stopping || claimed >= options.steps) return;
        step = claimed++;
      }
      Slot slot;
      try {
        slot.batch = maker.make(step);
      } catch (...) {
        slot.failure = std::current_exception();
      }
      const std::lock_guard lock(mutex);
      batch_bytes = std::max(batch_bytes, bytes_of(slot.batch));
      ready[step] = std::move(slot);
      arrived.notify_all();
      room.notify_all();
    }
  }

  /// How far the threads may run ahead: memory stays bounded by these batches. Their size is known from the first.
  int64_t ahead() const {
    constexpr int64_t fewest = 2, most_bytes = int64_t{4} << 30;
    return std::clamp<int64_t>(batch_bytes == 0 ? 0 : most_bytes / batch_bytes, fewest, options.threads + fewest);
  }

  struct Slot {
    Batch batch;
    std::exception_ptr failure;
  };
  BatchMaker maker;
  LoaderOptions options;
  std::mutex mutex;
  std::condition_variable room, arrived;
  std::map<int64_t, Slot> ready;
  int64_t claimed, delivered, batch_bytes = 0;
  bool stopping = false;
  double waited = 0.0;
  std::vector<std::thread> threads;
};

Loader::Loader(const Dataset& dataset, std::vector<int64_t> rows, const std::vector<ViewPlan>& views,
               std::vector<std::string> labels, const LoaderOptions& options)
    : state_(std::make_unique<State>(dataset, std::move(rows), views, std::move(labels), options)) {
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

double Loader::waited() const { return state_->waited; }

}  // namespace astroclip::data
