#include "backend/cuda/capture.h"

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "backend/cuda/card.h"
#include "backend/cuda/check.h"
#include "backend/cuda/choice.h"
#include "backend/cuda/cuda_backend.h"
#include "base/error.h"

namespace astroclip::cuda {

namespace {

/// For measurements: ASTROCLIP_CUDA_GRAPHS=none captures nothing.
bool captures_nothing() {
  static const bool chosen = choice("ASTROCLIP_CUDA_GRAPHS") == "none";
  return chosen;
}

/// What the thread that makes it releases until finish(); released when it goes.
class KeptMemory {
 public:
  explicit KeptMemory(std::shared_ptr<CardMemory> memory)
      : memory_(std::move(memory)), keeps_(memory_->keep_released()) {}
  ~KeptMemory() {
    finish();
    for (const CardMemory::Block& block : blocks_) memory_->release(block.data, block.size);
  }
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;
  /// Whether it keeps anything: one thread does at a time.
  explicit operator bool() const { return keeps_; }
  void finish() {
    if (std::exchange(keeps_, false)) blocks_ = memory_->take_kept();
  }

 private:
  std::shared_ptr<CardMemory> memory_;
  bool keeps_;
  std::vector<CardMemory::Block> blocks_;
};

/// A weight's form that was made in a capture, and what queues its making.
struct Form {
  std::weak_ptr<Prepared> form;
  std::function<void()> make;
};

/// Those of the calling thread's capture.
std::vector<Form>& forms() {
  thread_local std::vector<Form> made;
  return made;
}

struct GraphDeleter {
  void operator()(cudaGraph_t graph) const { (void)cudaGraphDestroy(graph); }
  void operator()(cudaGraphExec_t graph) const { (void)cudaGraphExecDestroy(graph); }  // when its last run has ended
};
template <class Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, GraphDeleter>;

bool succeeds(const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const Error&) {  // what is at fault in the work itself shows again where it is done without a capture
    return false;
  }
}

/// The graph of `work`; null where that does what cannot be captured.
Owned<cudaGraph_t> graph_of(const std::function<void()>& work) {
  struct Capture {
    ~Capture() { (void)end(); }
    Owned<cudaGraph_t> end() { return Owned<cudaGraph_t>(Card::is_capturing() ? Card::get().end_capture() : nullptr); }
  } capture;
  bool is_good = succeeds([&] {
    Card::get().begin_capture();
    work();
  });
  Owned<cudaGraph_t> graph = capture.end();
  for (const Form& one : std::exchange(forms(), {})) {
    if (one.form.expired()) continue;
    one.make();
    is_good = false;
  }
  return is_good ? std::move(graph) : nullptr;
}

class GraphReplay final : public Replay {
 public:
  GraphReplay(Owned<cudaGraphExec_t> graph, std::unique_ptr<KeptMemory> memory)
      : memory_(std::move(memory)), graph_(std::move(graph)) {}
  void run() override { ASTROCLIP_CUDA(cudaGraphLaunch(graph_.get(), Card::get().stream())); }

 private:
  // The next owner's work on these blocks is queued behind that of the graph.
  std::unique_ptr<KeptMemory> memory_;
  Owned<cudaGraphExec_t> graph_;
};

}  // namespace

void refuse_in_capture(std::string_view what) {
  if (Card::is_capturing()) throw Error(fmt::format("[cuda] {} cannot be captured", what));
}

void expect_to_end_in_capture(const std::shared_ptr<Prepared>& form, std::function<void()> make) {
  if (Card::is_capturing()) forms().push_back({form, std::move(make)});
}

std::unique_ptr<Replay> CudaBackend::capture(const std::function<void()>& work) {
  if (captures_nothing()) return nullptr;
  auto memory = std::make_unique<KeptMemory>(memory_);
  // The first call makes memory and plans for the second one.
  if (!*memory || !succeeds(work)) return nullptr;
  const Owned<cudaGraph_t> graph = graph_of(work);
  memory->finish();
  cudaGraphExec_t made = nullptr;
  if (!graph || cudaGraphInstantiate(&made, graph.get(), 0) != cudaSuccess) {
    (void)cudaGetLastError();
    return nullptr;
  }
  return std::make_unique<GraphReplay>(Owned<cudaGraphExec_t>(made), std::move(memory));
}

}  // namespace astroclip::cuda
