// That mistakes in kernels and in their use show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>
#include <vector>

#include "backend/cuda/card.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/warpgroup.h"
#include "base/error.h"

namespace astroclip::cuda {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr int width = 96;

__global__ void sum_by_block(const float* x, float* y) {
  __shared__ float warps[width / 32];
  float sum = x[blockIdx.x * width + threadIdx.x];
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xFFFFFFFF, sum, step);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) y[blockIdx.x] = warps[0] + warps[1] + warps[2];
}

__global__ void reverse(const float* x, float* y, bool waits) {
  float* all = dynamic_shared<float>();
  all[threadIdx.x] = x[threadIdx.x];
  if (waits) __syncthreads();
  y[threadIdx.x] = all[width - 1 - threadIdx.x];
}

__global__ void part_waits(float* y) {
  if (threadIdx.x < 40) __syncthreads();
  y[threadIdx.x] = __shfl_sync(0xFFFFFFFF, 1.0f, 0);
}

__global__ void waits_at_two_places(float* y) {
  if (threadIdx.x % 2 == 0)
    __syncthreads();
  else
    __syncthreads();
  y[threadIdx.x] = 1.0f;
}

__global__ void most_return(float* y) {
  if (threadIdx.x >= 40) return;
  __syncthreads();
  y[threadIdx.x] = __shfl_down_sync(0xFFFFFFFF, static_cast<float>(threadIdx.x), 1);
}

__global__ void sum_with_neighbour_block(float* y) { y[blockIdx.x] += blockIdx.x == 0 ? 1.0f : y[blockIdx.x - 1]; }

__global__ void write(float* y, int64_t at) { y[at] = 1.0f; }

__global__ void wait_for_neighbour_block(float* y, unsigned arrivals) {
  const SharedAddress barrier = shared_address(dynamic_shared<uint64_t>());
  if (threadIdx.x == 0) make_barrier(barrier, arrivals);
  meet_cluster();
  if (threadIdx.x == 0) arrive_at(address_in(1 - rank_in_cluster(), barrier));
  wait_for_phase(barrier, 0);
  y[blockIdx.x] = 1.0f;
}

class Emulator : public testing::Test {
 protected:
  Emulator() {
    Card::open(0);
    cudaMalloc(reinterpret_cast<void**>(&x), 1024);
    cudaMalloc(reinterpret_cast<void**>(&y), 1024);
    std::vector<float> numbers;
    for (int i = 0; i < 2 * width; ++i) numbers.push_back(static_cast<float>(i));
    cudaMemcpyAsync(x, numbers.data(), numbers.size() * 4, cudaMemcpyHostToDevice, stream());
  }
  ~Emulator() override {
    cudaFree(x);
    cudaFree(y);
  }
  cudaStream_t stream() { return Card::get().stream(); }
  std::vector<float> result(size_t count) {
    std::vector<float> host(count);
    cudaMemcpyAsync(host.data(), y, count * 4, cudaMemcpyDeviceToHost, stream());
    return host;
  }

  float *x = nullptr, *y = nullptr;
};

TEST_F(Emulator, RunsBlocksWithBarriersAndShuffles) {
  launch(&sum_by_block, 2, width, x, y);
  EXPECT_EQ(result(2), (std::vector<float>{95 * 96 / 2, 95 * 96 / 2 + 96 * 96}));
}

TEST_F(Emulator, ThreadsThatReturnedAreNotWaitedFor) {
  launch(&most_return, 1, width, y);
  const std::vector<float> found = result(41);
  for (int i = 0; i < 39; ++i) EXPECT_EQ(found[static_cast<size_t>(i)], i % 32 == 31 ? i : i + 1) << i;
  EXPECT_TRUE(std::isnan(found[39])) << "of a lane that had returned";
  EXPECT_TRUE(std::isnan(found[40])) << "never written";
}

TEST_F(Emulator, AMissingBarrierReadsNaN) {
  for (const bool waits : {true, false}) {
    launch_shared(&reverse, 1, width, width * 4, x, y, waits);
    int missing = 0;
    for (const float value : result(width)) missing += std::isnan(value);
    EXPECT_EQ(missing > 0, !waits);
  }
}

TEST_F(Emulator, ABarrierThatOnlySomeReachIsAnError) {
  launch(&part_waits, 1, width, y);
  EXPECT_THAT([&] { result(1); }, ThrowsMessage<Error>(HasSubstr("wait for each other")));
  launch(&waits_at_two_places, 1, width, y);
  EXPECT_THAT([&] { result(1); }, ThrowsMessage<Error>(HasSubstr("wait for each other")));
}

TEST_F(Emulator, BlocksDoNotRunInTheirOrder) {
  launch(&sum_with_neighbour_block, 4, 1, y);
  EXPECT_TRUE(std::isnan(result(4)[3]));
}

TEST_F(Emulator, BlocksOfAClusterWaitForEachOther) {
  launch_clusters(&wait_for_neighbour_block, 2, 4, width, sizeof(uint64_t), y, 1);
  EXPECT_THAT(result(4), testing::Each(1.0f));
}

TEST_F(Emulator, AWaitForWhatDoesNotComeIsAnError) {
  launch_clusters(&wait_for_neighbour_block, 2, 4, width, sizeof(uint64_t), y, 2);
  EXPECT_THAT([&] { result(4); }, ThrowsMessage<Error>(HasSubstr("waits for what does not come")));
}

TEST_F(Emulator, AnAccessBehindTheEndIsAnError) {
  launch(&write, 1, 1, y, 1024 / 4 - 1);
  EXPECT_EQ(result(1024 / 4).back(), 1.0f);
  launch(&write, 1, 1, y, 1024 / 4);
  EXPECT_THAT([&] { result(1); }, ThrowsMessage<Error>(HasSubstr("0 bytes behind the end of a block of 1024")));
}

TEST_F(Emulator, TheHostMayNotTouchTheCard) { EXPECT_DEATH(*y = 1.0f, "the host touches memory of the card"); }

TEST_F(Emulator, WorkIsDoneWhenTheHostWaits) {
  void* pinned = nullptr;
  cudaMallocHost(&pinned, 4);
  auto* number = static_cast<float*>(pinned);
  *number = 1.0f;
  cudaMemcpyAsync(y, number, 4, cudaMemcpyHostToDevice, stream());
  *number = 2.0f;  // too early
  EXPECT_EQ(result(1)[0], 2.0f);
  cudaMemcpyAsync(number, x + 3, 4, cudaMemcpyDeviceToHost, stream());
  EXPECT_EQ(*number, 2.0f);
  cudaStreamSynchronize(stream());
  EXPECT_EQ(*number, 3.0f);
  cudaFreeHost(pinned);
}

class Capturing : public Emulator {
 protected:
  Capturing() {
    cudaStreamCreateWithFlags(&other_, cudaStreamNonBlocking);
    cudaMallocHost(&pinned_, 4);
    begin();
  }
  ~Capturing() override {
    cudaGraphDestroy(end());
    cudaFreeHost(pinned_);
  }
  void begin() { EXPECT_EQ(cudaStreamBeginCapture(other_, cudaStreamCaptureModeThreadLocal), cudaSuccess); }
  /// The graph; null if the capture was spoilt, or none was begun.
  cudaGraph_t end(cudaError_t status = cudaSuccess) {
    cudaGraph_t graph = nullptr;
    if (ended_) return graph;
    EXPECT_EQ(cudaStreamEndCapture(other_, &graph), status);
    ended_ = true;
    return graph;
  }
  /// Makes a call that spoils the capture, and begins another one.
  void spoil(cudaError_t status, cudaError_t expected = cudaErrorStreamCaptureUnsupported) {
    EXPECT_EQ(status, expected);
    EXPECT_EQ(end(cudaErrorStreamCaptureInvalidated), nullptr);
    ended_ = false;
    begin();
  }

  cudaStream_t other_ = nullptr;
  void* pinned_ = nullptr;
  bool ended_ = false;
};

TEST_F(Capturing, RunsWorkWhenItsGraphIsLaunched) {
  auto* number = static_cast<float*>(pinned_);
  *number = 1.0f;
  cudaMemcpyAsync(y, number, 4, cudaMemcpyHostToDevice, other_);
  cudaMemcpyAsync(y + 1, x + 3, 4, cudaMemcpyDeviceToDevice, other_);
  const cudaGraph_t graph = end();
  ASSERT_NE(graph, nullptr);
  cudaGraphExec_t made = nullptr;
  EXPECT_EQ(cudaGraphInstantiate(&made, graph, 0), cudaSuccess);
  cudaStreamSynchronize(other_);
  EXPECT_TRUE(std::isnan(result(1)[0])) << "nothing ran yet";
  for (const float value : {2.0f, 4.0f}) {
    *number = value;
    EXPECT_EQ(cudaGraphLaunch(made, stream()), cudaSuccess);
    EXPECT_EQ(result(2), (std::vector<float>{value, 3.0f}));
  }
  cudaGraphExecDestroy(made);
  cudaGraphDestroy(graph);
}

TEST_F(Capturing, IsSpoiltByWhatTheThreadMayNotDo) {
  void* block = nullptr;
  spoil(cudaMalloc(&block, 4));
  spoil(cudaFree(y));
  spoil(cudaMallocHost(&block, 4));
  spoil(cudaFreeHost(pinned_));
  spoil(cudaMemcpy(y, x, 4, cudaMemcpyDeviceToDevice));
  spoil(cudaStreamSynchronize(other_));
  spoil(cudaDeviceSynchronize());
  float number = 0.0f;
  spoil(cudaMemcpyAsync(&number, y, 4, cudaMemcpyDeviceToHost, other_));
  cudaEvent_t event = nullptr;
  cudaEventCreate(&event);
  cudaEventRecord(event, stream());
  spoil(cudaEventQuery(event));
  spoil(cudaStreamWaitEvent(other_, event, 0), cudaErrorStreamCaptureIsolation);
  cudaEventRecord(event, other_);
  EXPECT_EQ(cudaEventSynchronize(event), cudaErrorCapturedEvent);
  cudaEventDestroy(event);
}

TEST_F(Capturing, LeavesOtherThreadsAndStreamsAlone) {
  std::thread([] {
    void* block = nullptr;
    EXPECT_EQ(cudaMalloc(&block, 4), cudaSuccess);
    EXPECT_EQ(cudaFree(block), cudaSuccess);
  }).join();
  EXPECT_EQ(cudaStreamSynchronize(stream()), cudaSuccess);
  EXPECT_EQ(cudaMemsetAsync(y, 0, 4, nullptr), cudaSuccess);
  cudaGraph_t graph = end();
  EXPECT_NE(graph, nullptr);
  cudaGraphDestroy(graph);
}

TEST_F(Capturing, OfAStreamForWhichTheLegacyOneWaitsIsSpoiltByThatOne) {
  cudaGraphDestroy(end());
  cudaStreamCreate(&other_);
  ended_ = false;
  begin();
  spoil(cudaMemsetAsync(y, 0, 4, nullptr), cudaErrorStreamCaptureImplicit);
}

}  // namespace
}  // namespace astroclip::cuda
