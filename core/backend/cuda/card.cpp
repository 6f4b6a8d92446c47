#include "backend/cuda/card.h"

#include <fmt/format.h>

#include <memory>

#include "backend/cuda/check.h"
#include "base/error.h"

namespace astroclip::cuda {

namespace {

std::unique_ptr<Card>& opened() {
  // Never destroyed, because tensors in static objects may outlive it.
  static auto* card = new std::unique_ptr<Card>();
  return *card;
}

thread_local bool capturing = false;

std::string version(int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); }

}  // namespace

std::string Card::objection(int index) {
  int driver = 0, cards = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) return "no NVIDIA driver is loaded";
  if (driver < CUDART_VERSION / 1000 * 1000) {
    return fmt::format("the driver supports CUDA {}; CUDA {}.0 is needed", version(driver), CUDART_VERSION / 1000);
  }
  const cudaError_t status = cudaGetDeviceCount(&cards);
  if (status != cudaSuccess) return fmt::format("the driver finds no card: {}", cudaGetErrorString(status));
  if (index >= cards) return fmt::format("there is no card {}; there {} {}", index, cards == 1 ? "is" : "are", cards);
  cudaDeviceProp properties;
  ASTROCLIP_CUDA(cudaGetDeviceProperties(&properties, index));
  if (properties.major != 9) {
    return fmt::format("card {} ({}) has compute capability {}.{}; the kernels are built for 9.0", index,
                       properties.name, properties.major, properties.minor);
  }
  return "";
}

void Card::open(int index) {
  std::unique_ptr<Card>& card = opened();
  if (card != nullptr && card->index_ == index) return;
  if (card != nullptr) {
    throw Error(
        fmt::format("[cuda] this process computes on card {}; it cannot use card {}, too", card->index_, index));
  }
  const std::string problem = objection(index);
  if (!problem.empty()) throw Error("[cuda] " + problem);
  card.reset(new Card(index));
}

Card& Card::get() {
  const std::unique_ptr<Card>& card = opened();
  if (card == nullptr) throw Error("[cuda] no card is open");
  // The runtime keeps the current card by thread.
  thread_local bool current = false;
  if (!current) {
    ASTROCLIP_CUDA(cudaSetDevice(card->index_));
    current = true;
  }
  return *card;
}

Card::Card(int index) : index_(index) {
  ASTROCLIP_CUDA(cudaSetDevice(index));
  ASTROCLIP_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  ASTROCLIP_CUDA(cublasLtCreate(&products_));
}

cudaStream_t Card::stream() const { return capturing ? capturing_stream_ : stream_; }

cudnnContext* Card::networks() {
  if (networks_ == nullptr) ASTROCLIP_CUDA(cudnnCreate(&networks_));
  if (stream_of_networks_ != stream()) {
    ASTROCLIP_CUDA(cudnnSetStream(networks_, stream()));
    stream_of_networks_ = stream();
  }
  return networks_;
}

void Card::begin_capture() {
  // A stream of its own: what other threads queue meanwhile is not captured.
  if (capturing_stream_ == nullptr) {
    ASTROCLIP_CUDA(cudaStreamCreateWithFlags(&capturing_stream_, cudaStreamNonBlocking));
  }
  ASTROCLIP_CUDA(cudaStreamBeginCapture(capturing_stream_, cudaStreamCaptureModeThreadLocal));
  capturing = true;
}

cudaGraph_t Card::end_capture() {
  capturing = false;
  cudaGraph_t graph = nullptr;
  if (cudaStreamEndCapture(capturing_stream_, &graph) == cudaSuccess) return graph;
  (void)cudaGetLastError();
  return nullptr;
}

bool Card::is_capturing() { return capturing; }

std::string Card::describe() const {
  cudaDeviceProp properties;
  int driver = 0, runtime = 0;
  ASTROCLIP_CUDA(cudaGetDeviceProperties(&properties, index_));
  ASTROCLIP_CUDA(cudaDriverGetVersion(&driver));
  ASTROCLIP_CUDA(cudaRuntimeGetVersion(&runtime));
  const size_t blas = cublasLtGetVersion(), dnn = cudnnGetVersion();
  return fmt::format("{}, driver for CUDA {}, CUDA {}, cuBLASLt {}.{}.{}, cuDNN {}.{}.{}", properties.name,
                     version(driver), version(runtime), blas / 10000, blas / 100 % 100, blas % 100, dnn / 10000,
                     dnn / 100 % 100, dnn % 100);
}

}  // namespace astroclip::cuda
