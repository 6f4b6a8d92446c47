// The functions of CUDA's runtime that the backend calls, in place of libcudart.
#include <cuda_runtime.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "backend/cuda/launch.h"
#include "backend/cuda/warpgroup.h"
#include "base/error.h"
#include "blocks.h"
#include "device.h"

using namespace astroclip;
using namespace astroclip::cuda;

namespace astroclip::cuda::emulated {

namespace {

struct Pinned {
  std::mutex mutex;
  std::map<const char*, size_t> blocks;
};

Pinned& pinned() {
  static auto* all = new Pinned();
  return *all;
}

bool is_pinned(const void* address) {
  Pinned& p = pinned();
  const std::lock_guard lock(p.mutex);
  const auto after = p.blocks.upper_bound(static_cast<const char*>(address));
  if (after == p.blocks.begin()) return false;
  const auto [begin, bytes] = *std::prev(after);
  return static_cast<const char*>(address) < begin + bytes;
}

Stream* stream_of(cudaStream_t stream) { return reinterpret_cast<Stream*>(stream); }

}  // namespace

void queue_kernel(const void* kernel, unsigned cluster, dim3 grid, dim3 block, size_t shared,
                  std::function<void()> thread) {
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > 1024 || cluster > 2 || threads * cluster > 1024 || grid.x % cluster != 0 ||
      block.z > 64 || grid.x > 0x7FFFFFFF || grid.y > 65535 || grid.z > 65535 || shared > 227 << 10) {
    throw Error(fmt::format(
        "[cuda emulator] a card, or this emulator, does not start a grid of ({}, {}, {}) blocks of ({}, {}, {}) "
        "threads with {} bytes of shared memory",
        grid.x, grid.y, grid.z, block.x, block.y, block.z, shared));
  }
  Dl_info library;
  (void)dladdr(kernel, &library);
  // addr2line -fCe cuda_emulated.so OFFSET says which one it is.
  std::string name = fmt::format("at {:#x}", static_cast<const char*>(kernel) - static_cast<char*>(library.dli_fbase));
  queue(stream_of(Card::get().stream()),
        [k = Kernel{std::move(name), grid, block, shared, cluster, std::move(thread)}] { run_blocks(k); });
}

}  // namespace astroclip::cuda::emulated

using namespace astroclip::cuda::emulated;

namespace {

/// A place in a stream's work.
struct Mark {
  Stream* stream = nullptr;
  uint64_t number = 0;
  bool is_captured = false;  ///< of a graph's work
};

Mark& mark(cudaEvent_t event) { return *reinterpret_cast<Mark*>(event); }

Graph& graph_of(cudaGraph_t graph) { return *reinterpret_cast<Graph*>(graph); }
Graph& graph_of(cudaGraphExec_t graph) { return *reinterpret_cast<Graph*>(graph); }

/// Whether work may be queued there: not in the legacy stream while one is captured for which it waits.
cudaError_t check_queue(cudaStream_t stream) {
  if (stream != nullptr || !legacy_stream_waits()) return cudaSuccess;
  (void)spoils_any_capture();
  return cudaErrorStreamCaptureImplicit;
}

cudaError_t copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (const cudaError_t status = check_queue(stream); status != cudaSuccess) return status;
  const bool to_card = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_card = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (is_on_card(to) != to_card || is_on_card(from) != from_card) return cudaErrorInvalidValue;
  // A graph's copy reads the host's memory when it runs.
  if (!from_card && !is_pinned(from) && !is_captured(stream_of(stream))) {
    // As the runtime does up to some size; above it, it waits for the stream.
    const auto* begin = static_cast<const char*>(from);
    queue(stream_of(stream), [to, staged = std::make_shared<std::vector<char>>(begin, begin + bytes)] {
      std::memcpy(to, staged->data(), staged->size());
    });
    return cudaSuccess;
  }
  queue(stream_of(stream), [=] { std::memmove(to, from, bytes); });
  if (!to_card && !is_pinned(to)) return cudaStreamSynchronize(stream);
  return cudaSuccess;
}

/// The driver's cuTensorMapEncodeTiled, for matrices of bf16 in tiles of 128 bytes a row.
CUresult encode_tiles(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* data,
                      const cuuint64_t* extents, const cuuint64_t* pitch, const cuuint32_t* tile,
                      const cuuint32_t* every, CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                      CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
  constexpr cuuint64_t unit = 16, most_extent = cuuint64_t{1} << 32;
  constexpr cuuint32_t most_rows = 256, row_bytes = 128;
  const bool is_matrix = type == CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 && rank == 2 && every[0] == 1 && every[1] == 1 &&
                         interleave == CU_TENSOR_MAP_INTERLEAVE_NONE && swizzle == CU_TENSOR_MAP_SWIZZLE_128B;
  if (!is_matrix || !is_on_card(data) || reinterpret_cast<uintptr_t>(data) % unit != 0 || pitch[0] % unit != 0 ||
      extents[0] * sizeof(uint16_t) != pitch[0] || extents[0] == 0 || extents[1] == 0 || extents[0] > most_extent ||
      extents[1] > most_extent || tile[0] * sizeof(uint16_t) != row_bytes || tile[1] == 0 || tile[1] > most_rows) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  const Tiles tiles = {static_cast<char*>(data), static_cast<int64_t>(extents[1]), static_cast<int64_t>(pitch[0]),
                       static_cast<int>(tile[1])};
  static_assert(sizeof tiles <= sizeof *map);
  std::memcpy(static_cast<void*>(map), &tiles, sizeof tiles);
  return CUDA_SUCCESS;
}

}  // namespace

#pragma GCC visibility push(hidden)
extern "C" {

cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  std::strcpy(properties->name, "emulated card");
  properties->major = 9;
  properties->totalGlobalMem = card_bytes;
  properties->multiProcessorCount = 132;
  properties->sharedMemPerBlockOptin = 227 << 10;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  if (attribute != cudaDevAttrMultiProcessorCount) return cudaErrorInvalidValue;
  *value = 7;  // few, odd: work is divided among them
  return cudaSuccess;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char* name, void** function, unsigned, unsigned long long,
                                             cudaDriverEntryPointQueryResult*) {
  const bool known = std::strcmp(name, "cuTensorMapEncodeTiled") == 0;
  *function = known ? reinterpret_cast<void*>(&encode_tiles) : nullptr;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* index) {
  *index = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int index) { return index == 0 ? cudaSuccess : cudaErrorInvalidDevice; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaPeekAtLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t status) { return cudaGetErrorString(status); }
const char* cudaGetErrorString(cudaError_t status) {
  if (status == cudaErrorMemoryAllocation) return "out of memory";
  if (status == cudaErrorInvalidValue) return "invalid argument";
  if (status == cudaErrorInvalidDevice) return "invalid device ordinal";
  if (status == cudaErrorStreamCaptureUnsupported) return "operation not permitted when stream is capturing";
  return status == cudaSuccess ? "no error" : "another error";
}

cudaError_t cudaMalloc(void** block, size_t bytes) {
  if (spoils_capture_of_thread()) return cudaErrorStreamCaptureUnsupported;
  *block = allocate_on_card(bytes);
  return *block == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

cudaError_t cudaFree(void* block) {
  if (block == nullptr) return cudaSuccess;
  if (spoils_capture_of_thread()) return cudaErrorStreamCaptureUnsupported;
  finish_all();
  return free_on_card(block) ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  *total = card_bytes;
  *available = card_bytes - used_on_card();
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** block, size_t bytes) {
  if (spoils_capture_of_thread()) return cudaErrorStreamCaptureUnsupported;
  *block = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (*block == nullptr) return cudaErrorMemoryAllocation;
  std::memset(*block, 0xFF, bytes);
  Pinned& p = pinned();
  const std::lock_guard lock(p.mutex);
  p.blocks[static_cast<char*>(*block)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** block, size_t bytes, unsigned) { return cudaMallocHost(block, bytes); }

cudaError_t cudaFreeHost(void* block) {
  if (spoils_capture_of_thread()) return cudaErrorStreamCaptureUnsupported;
  finish_all();
  Pinned& p = pinned();
  const std::lock_guard lock(p.mutex);
  if (p.blocks.erase(static_cast<char*>(block)) == 0) return cudaErrorInvalidValue;
  std::free(block);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return copy(to, from, bytes, kind, stream);
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (spoils_capture_of_thread()) return cudaErrorStreamCaptureUnsupported;
  const cudaError_t status = copy(to, from, bytes, kind, nullptr);
  finish_all();
  return status;
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t rows,
                              cudaMemcpyKind kind, cudaStream_t stream) {
  cudaError_t status = cudaSuccess;
  for (size_t row = 0; row < rows && status == cudaSuccess; ++row) {
    status = copy(static_cast<char*>(to) + row * to_pitch, static_cast<const char*>(from) + row * from_pitch, width,
                  kind, stream);
  }
  return status;
}

cudaError_t cudaMemsetAsync(void* block, int value, size_t bytes, cudaStream_t stream) {
  if (bytes > 0 && !is_on_card(block)) return cudaErrorInvalidValue;
  if (const cudaError_t status = check_queue(stream); status != cudaSuccess) return status;
  queue(stream_of(stream), [=] { std::memset(block, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  *stream = reinterpret_cast<cudaStream_t>(new_stream(flags != cudaStreamNonBlocking));
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, 0); }
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return cudaStreamSynchronize(stream); }

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (const cudaError_t status = check_queue(stream); status != cudaSuccess) return status;
  if (spoils_capture(stream_of(stream))) return cudaErrorStreamCaptureUnsupported;
  finish(stream_of(stream), queued(stream_of(stream)));
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  if (spoils_any_capture()) return cudaErrorStreamCaptureUnsupported;
  finish_all();
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (mark(event).is_captured) {
    // A graph's work has one order here; other streams do not join a capture.
    return mark(event).stream == stream_of(stream) ? cudaSuccess : cudaErrorNotSupported;
  }
  if (spoils_capture(stream_of(stream))) return cudaErrorStreamCaptureIsolation;
  if (mark(event).stream != nullptr) queue_wait(stream_of(stream), mark(event).stream, mark(event).number);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = reinterpret_cast<cudaEvent_t>(new Mark());
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete &mark(event);
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  mark(event) = {stream_of(stream), queued(stream_of(stream)), is_captured(stream_of(stream))};
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (mark(event).is_captured) return cudaErrorCapturedEvent;
  if (spoils_capture_of_thread()) return cudaErrorStreamCaptureUnsupported;
  if (mark(event).stream != nullptr) finish(mark(event).stream, mark(event).number);
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) { return cudaEventSynchronize(event); }

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  *milliseconds = static_cast<float>(mark(to).number - mark(from).number);
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  if (stream == nullptr || mode != cudaStreamCaptureModeThreadLocal) return cudaErrorStreamCaptureUnsupported;
  return begin_capture(stream_of(stream)) ? cudaSuccess : cudaErrorIllegalState;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  if (!is_captured(stream_of(stream))) return cudaErrorIllegalState;
  if (!is_capture_of_thread(stream_of(stream))) return cudaErrorStreamCaptureWrongThread;
  const std::optional<Graph> captured = end_capture(stream_of(stream));
  if (!captured) return cudaErrorStreamCaptureInvalidated;
  *graph = reinterpret_cast<cudaGraph_t>(new Graph(*captured));
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long) {
  *made = reinterpret_cast<cudaGraphExec_t>(new Graph(graph_of(graph)));
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  if (const cudaError_t status = check_queue(stream); status != cudaSuccess) return status;
  for (const std::function<void()>& work : graph_of(graph)) queue(stream_of(stream), work);
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  if (graph == nullptr) return cudaErrorInvalidValue;
  delete &graph_of(graph);
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  if (graph == nullptr) return cudaErrorInvalidValue;
  delete &graph_of(graph);
  return cudaSuccess;
}

}  // extern "C"
#pragma GCC visibility pop
