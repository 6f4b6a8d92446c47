// Copies between host and device: rates by size, from pinned and from ordinary memory, both ways at once, beside
// products; how long a call keeps the host. Usage: copies
#include <cstring>
#include <thread>

#include "product.h"

namespace {

/// Host memory, every page touched.
class HostBlock {
 public:
  HostBlock(size_t bytes, bool is_pinned) : bytes_(bytes), is_pinned_(is_pinned) {
    if (is_pinned)
      check(cudaMallocHost(&data_, bytes));
    else
      data_ = ::operator new (bytes, std::align_val_t{4096});
    std::memset(data_, 1, bytes);
  }
  HostBlock(const HostBlock&) = delete;
  ~HostBlock() {
    if (is_pinned_)
      cudaFreeHost(data_);
    else
      ::operator delete (data_, std::align_val_t{4096});
  }
  char* get() const { return static_cast<char*>(data_); }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_;
  bool is_pinned_;
};

constexpr size_t MiB = size_t{1} << 20;
/// Views of a DINOv2 step of 64 images: 128 crops of 144 x 144 and 512 of 60 x 60 pixels, float.
constexpr size_t views = size_t{3} * 4 * (128 * 144 * 144 + 512 * 60 * 60);

double rate(size_t bytes, double ms) { return static_cast<double>(bytes) / ms * 1e-6; }

void by_size() {
  const HostBlock pinned(256 * MiB, true), ordinary(256 * MiB, false);
  const Workspace device(256 * MiB);
  const Stream stream;
  say("GB/s by size:            to device pinned  ordinary | to host pinned  ordinary");
  for (const size_t bytes : {size_t{4} << 10, size_t{64} << 10, MiB, 4 * MiB, 16 * MiB, views, 256 * MiB}) {
    const int calls = bytes < MiB ? 50 : bytes < 64 * MiB ? 10 : 3;
    double ms[2][2];
    for (const bool is_to_host : {false, true}) {
      for (const bool is_pinned : {true, false}) {
        char* host = (is_pinned ? pinned : ordinary).get();
        ms[is_to_host][is_pinned] = time_ms(
            [&] {
              if (is_to_host)
                check(cudaMemcpyAsync(host, device.get(), bytes, cudaMemcpyDeviceToHost, stream));
              else
                check(cudaMemcpyAsync(device.get(), host, bytes, cudaMemcpyHostToDevice, stream));
            },
            calls, 5, stream);
      }
    }
    say("%10zu bytes        %12.2f %15.2f | %12.2f %14.2f", bytes, rate(bytes, ms[0][1]), rate(bytes, ms[0][0]),
        rate(bytes, ms[1][1]), rate(bytes, ms[1][0]));
  }
  const Stream other;
  const HostBlock second(256 * MiB, true);
  const Workspace more(256 * MiB);
  const Event done;
  const double both = time_ms(
      [&] {
        check(cudaMemcpyAsync(device.get(), pinned.get(), pinned.bytes(), cudaMemcpyHostToDevice, stream));
        check(cudaMemcpyAsync(second.get(), more.get(), second.bytes(), cudaMemcpyDeviceToHost, other));
        done.record(other);
        done.hold_back(stream);
      },
      3, 5, stream);
  say("both ways at once, 256 MiB each, pinned: %.2f GB/s each way", rate(pinned.bytes(), both));
}

/// What a call costs the host while the stream has work for 50 ms: a copy that is asynchronous returns at once.
void calls_of_the_host(const Blas& blas, const std::function<void()>& product, double product_ms) {
  const HostBlock pinned(16 * MiB, true), ordinary(16 * MiB, false);
  const Workspace device(16 * MiB);
  say("host's milliseconds in cudaMemcpyAsync behind 50 ms of work: to device pinned, ordinary | to host pinned, "
      "ordinary");
  for (const size_t bytes : {size_t{4}, size_t{4} << 10, size_t{64} << 10, (size_t{64} << 10) + 4096, MiB, 16 * MiB}) {
    double ms[2][2];
    for (const bool is_to_host : {false, true}) {
      for (const bool is_pinned : {true, false}) {
        char* host = (is_pinned ? pinned : ordinary).get();
        for (int i = 0; i < 50.0 / product_ms; ++i) product();
        const double start = now();
        if (is_to_host)
          check(cudaMemcpyAsync(host, device.get(), bytes, cudaMemcpyDeviceToHost, blas.stream()));
        else
          check(cudaMemcpyAsync(device.get(), host, bytes, cudaMemcpyHostToDevice, blas.stream()));
        ms[is_to_host][is_pinned] = (now() - start) * 1e3;
        check(cudaStreamSynchronize(blas.stream()));
      }
    }
    say("%10zu bytes  %9.3f %9.3f | %9.3f %9.3f", bytes, ms[0][1], ms[0][0], ms[1][1], ms[1][0]);
  }
}

/// Copies of 54 MB without pause on a stream of their own, and products on another.
void beside_products(const std::function<void()>& product, const Stream& compute) {
  const HostBlock pinned(views, true), ordinary(views, false);
  const Workspace device(views);
  const Stream stream;
  const double alone_ms = time_ms(product, 20, 5, compute);
  for (const bool is_to_host : {false, true}) {
    for (const bool is_pinned : {true, false}) {
      char* host = (is_pinned ? pinned : ordinary).get();
      const auto copy = [&] {
        if (is_to_host)
          check(cudaMemcpyAsync(host, device.get(), views, cudaMemcpyDeviceToHost, stream));
        else
          check(cudaMemcpyAsync(device.get(), host, views, cudaMemcpyHostToDevice, stream));
      };
      const double copy_alone_ms = time_ms(copy, 5, 5, stream);
      constexpr int copies = 40;
      const int products = static_cast<int>(copies * copy_alone_ms / alone_ms);
      const Event start, stop, copied_from, copied;
      check(cudaDeviceSynchronize());
      start.record(compute);
      for (int i = 0; i < products; ++i) product();
      stop.record(compute);
      copied_from.record(stream);
      for (int i = 0; i < copies; ++i) copy();
      copied.record(stream);
      stop.wait();
      copied.wait();
      say("%s %s: products %.3f ms alone, %.3f ms beside copies; copies %.2f GB/s alone, %.2f beside products",
          is_pinned ? "pinned" : "ordinary", is_to_host ? "to host" : "to device", alone_ms,
          stop.ms_since(start) / products, rate(views, copy_alone_ms),
          rate(views * copies, copied.ms_since(copied_from)));
    }
  }
}

/// What filling pinned memory costs the host: the loader could write there at once.
void host_copies() {
  const HostBlock pinned(views, true), ordinary(views, false);
  for (const int threads : {1, 4, 16}) {
    std::vector<double> ms;
    for (int turn = 0; turn < 7; ++turn) {
      const double start = now();
      std::vector<std::thread> others;
      const size_t part = views / static_cast<size_t>(threads);
      for (size_t at = 0; at + part <= views; at += part) {
        others.emplace_back([&, at] { std::memcpy(pinned.get() + at, ordinary.get() + at, part); });
      }
      for (std::thread& thread : others) thread.join();
      ms.push_back((now() - start) * 1e3);
    }
    say("ordinary to pinned memory, %d threads: %.2f ms for %.1f MB, %.1f GB/s", threads, median(ms),
        static_cast<double>(views) * 1e-6, rate(views, median(ms)));
  }
  const double start = now();
  const HostBlock block(256 * MiB, true);
  say("cudaMallocHost of 256 MiB: %.0f ms", (now() - start) * 1e3);
}

}  // namespace

int main() {
  const auto program = [] {
    say_versions();
    attempt("by size", by_size);
    attempt("products", [] {
      const Stream stream;
      const Blas blas(stream);
      const ProductSpec spec = forward_product(18560, 4096, 1024);
      const Buffer<bf16> a = normal<bf16>(spec.m * spec.k, 1), b = normal<bf16>(spec.n * spec.k, 2), y(spec.m * spec.n);
      const Product product(blas, spec, {.a = a.get(), .b = b.get(), .y = y.get()});
      const Product::Choice choice = product.search();
      const auto run = [&] { product.run(choice.algorithm); };
      attempt("calls", [&] { calls_of_the_host(blas, run, choice.ms); });
      attempt("beside products", [&] { beside_products(run, stream); });
    });
    attempt("host copies", host_copies);
  };
  return attempt("copies", program) ? 0 : 1;
}
