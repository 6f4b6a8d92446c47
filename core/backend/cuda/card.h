#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <string>

struct cublasLtContext;
struct cudnnContext;

namespace astroclip::cuda {

/// The card that this process computes on. Kernels and copies run in the order of one stream, so a block of memory
/// may be handed on as soon as the work that reads it has been queued.
class Card {
 public:
  /// Why there is no card of that index to compute on: no driver, an old one, too old a card; "" if there is one.
  static std::string objection(int index);
  /// Selects the card for this process. Throws Error; a second card is an error.
  static void open(int index);
  /// The open card, current for the calling thread.
  static Card& get();

  int index() const { return index_; }
  /// Where the calling thread queues work: the card's stream, or the one on which its work is captured.
  cudaStream_t stream() const;
  /// The card's stream, also while the thread's work is captured.
  cudaStream_t main_stream() const { return stream_; }
  cublasLtContext* products() const { return products_; }
  /// Made at the first call, which loads cuDNN. Its work runs on stream().
  cudnnContext* networks();
  /// Work that the calling thread queues from now on is not done, but becomes a graph. One thread at a time.
  void begin_capture();
  /// The work queued since then; null where some of it cannot be captured.
  cudaGraph_t end_capture();
  /// Whether the calling thread's work is captured.
  static bool is_capturing();
  /// "NVIDIA H100 80GB HBM3, driver 13.0, CUDA 13.0, cuBLASLt 13.1.0, cuDNN 9.19.0": what results may depend on.
  std::string describe() const;

 private:
  explicit Card(int index);

  int index_;
  cudaStream_t stream_ = nullptr;
  cudaStream_t capturing_stream_ = nullptr;  ///< made at the first capture
  cublasLtContext* products_ = nullptr;
  cudnnContext* networks_ = nullptr;
  cudaStream_t stream_of_networks_ = nullptr;
};

}  // namespace astroclip::cuda
