#include "bench/noise_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "base/rng.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"

namespace astroclip::bench {

NoiseFile::NoiseFile(bool is_compressed)
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

NoiseFile::~NoiseFile() { std::filesystem::remove(path_); }

}  // namespace astroclip::bench
