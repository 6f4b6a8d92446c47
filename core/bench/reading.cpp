#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <thread>

#include "base/error.h"
#include "base/rng.h"
#include "bench/row.h"
#include "data/loader.h"
#include "data/survey_dataset.h"
#include "io/hdf5/row_reader.h"
#include "io/output/durable_file.h"

namespace astroclip::bench {

namespace {

constexpr int64_t object_count = 256, together = 16;
constexpr int64_t image_size = int64_t{3} * 152 * 152;
constexpr int64_t image_bytes = image_size * 4;

/// A survey file of noise, the worst that a compressor meets; removed with its owner.
class NoiseFile {
 public:
  explicit NoiseFile(bool is_compressed)
      : path_((std::filesystem::temp_directory_path() / fmt::format("astroclip_bench_{}.h5", getpid())).string()) {
    io::DurableFile durable(path_);
    auto file = io::Hdf5File::create(durable.file());
    file.make_dataset("images", DType::f32, {object_count, 3, 152, 152}, is_compressed ? together : 0);
    Rng rng(1, RngStream::tests);
    std::vector<float> images(static_cast<size_t>(together * image_size));
    for (int64_t row = 0; row < object_count; row += together) {
      for (float& value : images) value = static_cast<float>(0.01 * rng.normal());
      file.write_rows("images", row, together, DType::f32, images.data());
    }
    file.close();
    durable.commit();
  }
  ~NoiseFile() { std::filesystem::remove(path_); }
  NoiseFile(const NoiseFile&) = delete;
  NoiseFile& operator=(const NoiseFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Calls `read(first row, buffer)` for every chunk's worth of rows, on several threads; rethrows what one throws.
void read_all(int threads, std::vector<std::vector<float>>& buffers,
              const std::function<void(int64_t, std::vector<float>&)>& read) {
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex lock;
  const auto work = [&](std::vector<float>& buffer) {
    try {
      for (int64_t row = next.fetch_add(together); row < object_count; row = next.fetch_add(together))
        read(row, buffer);
    } catch (...) {
      const std::lock_guard guard(lock);
      failure = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back([&, i] { work(buffers[static_cast<size_t>(i)]); });
  work(buffers[0]);
  for (std::thread& thread : others) thread.join();
  if (failure) std::rethrow_exception(failure);
}

std::vector<std::vector<float>> buffers_for(int threads) {
  return std::vector<std::vector<float>>(static_cast<size_t>(threads),
                                         std::vector<float>(static_cast<size_t>(together * image_size)));
}

/// The file's bytes, as `dd` would read them.
Work plain(bool is_compressed) {
  const auto file = std::make_shared<NoiseFile>(is_compressed);
  const auto bytes = static_cast<double>(std::filesystem::file_size(file->path()));
  auto buffers = buffers_for(1);
  const auto run = [=]() mutable {
    const int descriptor = ::open(file->path().c_str(), O_RDONLY | O_CLOEXEC);
    while (::read(descriptor, buffers[0].data(), static_cast<size_t>(together * image_bytes)) > 0) {
    }
    ::close(descriptor);
  };
  return {run, 0.0, bytes, 0.0};
}

Work rows(bool is_compressed, bool by_library, int threads) {
  const auto noise = std::make_shared<NoiseFile>(is_compressed);
  const auto file = io::Hdf5File::open(noise->path());
  // A cache that holds a block for each thread: none is found again in the next call.
  const auto cache = std::make_shared<io::BlockCache>(threads * together * image_bytes);
  const io::RowReader reader(file, "images", cache);
  auto buffers = buffers_for(threads);
  const auto run = [=]() mutable {
    read_all(threads, buffers, [&](int64_t first, std::vector<float>& buffer) {
      std::vector<int64_t> wanted(together);
      std::iota(wanted.begin(), wanted.end(), first);
      if (by_library)
        file.read_rows("images", wanted, DType::f32, buffer.data());
      else
        reader.read(wanted, DType::f32, buffer.data());
    });
    (void)noise;
  };
  return {run, 0.0, static_cast<double>(object_count * image_bytes), static_cast<double>(object_count)};
}

/// The views of a batch of DINOv2 for ViT-L/12: two crops of 144² and eight of 60² of every image.
Work crops(int threads) {
  const auto noise = std::make_shared<NoiseFile>(false);
  const auto dataset = std::make_shared<data::SurveyDataset>(
      data::SurveyDataset::Options{.files = {noise->path()}, .train_fraction = 1.0});
  const auto plan = [](const std::string& name, int64_t size, int64_t count) {
    return data::ViewPlan{{.name = name, .modality = "image", .augment = true, .crops = count}, {3, size, size}};
  };
  const std::vector<data::ViewPlan> views = {plan("global", 144, 2), plan("local", 60, 8)};
  std::vector<int64_t> rows(object_count);
  std::iota(rows.begin(), rows.end(), 0);
  const auto run = [=] {
    constexpr int64_t batch = 64;
    data::Loader loader(*dataset, rows, views, {}, {.batch = batch, .steps = object_count / batch, .threads = threads});
    for (int64_t step = 0; step < object_count / batch; ++step) loader.next();
    (void)noise;
  };
  return {run, 0.0, 0.0, static_cast<double>(object_count)};
}

}  // namespace

std::vector<Row> reading_rows() {
  std::vector<Row> table;
  for (const bool is_compressed : {false, true}) {
    const std::string kind = is_compressed ? "gzip" : "contiguous";
    table.push_back(
        {fmt::format("read {}, the file's bytes", kind), [=](const Settings&) { return plain(is_compressed); }});
    for (const bool by_library : {true, false})
      for (const int threads : {1, 2, 4})
        table.push_back({fmt::format("read {}, {}, {} thread{}", kind, by_library ? "H5Dread" : "around the lock",
                                     threads, threads == 1 ? "" : "s"),
                         [=](const Settings&) { return rows(is_compressed, by_library, threads); }});
  }
  for (const int threads : {1, 2, 4, 16}) {
    table.push_back({fmt::format("load 10 crops of an image, {} thread{}", threads, threads == 1 ? "" : "s"),
                     [=](const Settings&) { return crops(threads); }});
  }
  return table;
}

}  // namespace astroclip::bench
