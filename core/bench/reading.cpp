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
#include "bench/noise_file.h"
#include "bench/row.h"
#include "data/loader.h"
#include "data/survey_dataset.h"
#include "io/hdf5/row_reader.h"

namespace astroclip::bench {

namespace {

constexpr int64_t object_count = NoiseFile::object_count, together = NoiseFile::together;
constexpr int64_t image_size = NoiseFile::image_size;
constexpr int64_t image_bytes = image_size * 4;

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

/// Views of a file's images, epoch after epoch.
Work views(const Settings& settings, const std::vector<data::ViewPlan>& plans, int64_t epochs, int threads) {
  const auto noise = std::make_shared<NoiseFile>(false);
  const auto dataset = std::make_shared<data::SurveyDataset>(
      data::SurveyDataset::Options{.files = {noise->path()}, .train_fraction = 1.0});
  std::vector<int64_t> rows(object_count);
  std::iota(rows.begin(), rows.end(), 0);
  const int64_t batch = settings.small ? 8 : 64, steps = settings.small ? 1 : epochs * object_count / batch;
  const auto run = [=] {
    data::Loader loader(*dataset, rows, plans, {}, {.batch = batch, .steps = steps, .threads = threads});
    for (int64_t step = 0; step < steps; ++step) loader.next();
    (void)noise;
  };
  return {run, 0.0, 0.0, static_cast<double>(steps * batch)};
}

data::ViewPlan crops(const std::string& name, int64_t size, int64_t count, const std::vector<std::string>& groups) {
  data::ViewPlan plan{{.name = name, .modality = "image", .augment = true, .crops = count, .groups = groups},
                      {3, size, size}};
  for (const std::string& group : groups) plan.groups.push_back(*data::known_view_group(group));
  return plan;
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
  return table;
}

std::vector<Row> loading_rows(bool on_card) {
  std::vector<int> numbers = {1, 2, 4, 16};
  if (on_card) numbers = {static_cast<int>(std::thread::hardware_concurrency())};
  std::vector<Row> table;
  for (const int threads : numbers) {
    const std::string with = fmt::format(", {} thread{}", threads, threads == 1 ? "" : "s");
    // A thread makes whole batches, of which an epoch has four.
    const int64_t epochs = (threads + 3) / 4;
    // Of DINOv2 for ViT-L/12: two crops of 144² and eight of 60² of every image.
    table.push_back({"load 10 crops of an image" + with, [=](const Settings& s) {
                       return views(
                           s, {crops("global", 144, 2, {"global_1", "global_2"}), crops("local", 60, 8, {"local"})},
                           epochs, threads);
                     }});
    const data::ViewPlan centre{{.name = "image", .modality = "image"}, {3, 144, 144}};
    table.push_back(
        {"load an image" + with, [=](const Settings& s) { return views(s, {centre}, 4 * epochs, threads); }});
  }
  return table;
}

}  // namespace astroclip::bench
