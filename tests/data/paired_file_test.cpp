#include "data/layouts/paired_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "base/error.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "support/scratch.h"

namespace astroclip::data {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;

constexpr int64_t image_size = 3 * 152 * 152;

/// What pixel (band, y, x) of an object holds.
float pixel(int64_t object, int64_t band, int64_t y, int64_t x) {
  return static_cast<float>(object * 10 + band) + static_cast<float>(y) / 256.0F + static_cast<float>(x) / 65536.0F;
}

/// Fifteen objects in groups of ten and five, written in uneven parts.
std::string written() {
  const std::string path = testing_support::scratch("written.h5");
  std::filesystem::remove(path);
  const std::vector<int64_t> groups = {10, 5};
  const std::vector<std::string> labels = {"age"};
  PairedWriter writer(path, groups, labels, true);
  int64_t object = 0;
  for (const int64_t count : {7, 8}) {
    std::vector<float> images(static_cast<size_t>(count * image_size));
    std::vector<float> spectra(static_cast<size_t>(count * 7781));
    std::vector<float> ivar(spectra.size(), 4.0F);
    std::vector<double> redshifts, ages;
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < count; ++i, ++object) {
      for (int64_t k = 0; k < image_size; ++k)
        images[static_cast<size_t>(i * image_size + k)] = pixel(object, k / (152 * 152), k / 152 % 152, k % 152);
      for (int64_t k = 0; k < 7781; ++k)
        spectra[static_cast<size_t>(i * 7781 + k)] = static_cast<float>(object * 7781 + k);
      redshifts.push_back(0.01 * static_cast<double>(object));
      ages.push_back(1.0 + static_cast<double>(object));
      ids.push_back(object + (int64_t{1} << 55));
    }
    writer.write({count, images, spectra, ivar, redshifts, ids, {{"age", ages}}});
  }
  EXPECT_FALSE(std::filesystem::exists(path)) << "visible before commit";
  writer.commit();
  return path;
}

TEST(PairedFile, KeepsThePublishedLayout) {
  const auto raw = io::Hdf5File::open(written());
  EXPECT_EQ(raw.shape("0/images"), (Shape{10, 152, 152, 3}));
  EXPECT_EQ(raw.shape("1/spectra"), (Shape{5, 7781, 1}));
  std::vector<float> image(image_size);
  const int64_t row[] = {2};
  raw.read_rows("0/images", row, DType::f32, image.data());
  // Axes of the file: (x, y, band).
  EXPECT_EQ(image[(5 * 152 + 9) * 3 + 1], pixel(2, 1, 9, 5));
}

TEST(PairedFile, SplitsEveryGroupAndReadsAnyRows) {
  const auto file = PairedFile::open(written());
  EXPECT_EQ(file.size(true), 8 + 4);
  EXPECT_EQ(file.size(false), 2 + 1);
  const int64_t rows[] = {11, 0, 1, 8, 0};
  std::vector<double> redshifts(5);
  file.read(true, rows, "redshift", DType::f64, redshifts.data());
  EXPECT_THAT(redshifts, ElementsAre(0.13, 0.0, 0.01, 0.10, 0.0));
  std::vector<int64_t> ids(3);
  const int64_t test_rows[] = {0, 1, 2};
  file.read(false, test_rows, "object_id", DType::i64, ids.data());
  EXPECT_THAT(ids, ElementsAre(8 + (int64_t{1} << 55), 9 + (int64_t{1} << 55), 14 + (int64_t{1} << 55)));
  std::vector<float> images(5 * image_size);
  file.read(true, rows, "image", DType::f32, images.data());
  EXPECT_EQ(images[3 * image_size + (2 * 152 + 7) * 152 + 30], pixel(10, 2, 7, 30));
  std::vector<float> spectra(5 * 7781);
  file.read(true, rows, "spectrum", DType::f32, spectra.data());
  EXPECT_EQ(spectra[2 * 7781 + 7], 7781.0F + 7.0F);
  std::vector<double> ages(5);
  file.read(true, rows, "age", DType::f64, ages.data());
  EXPECT_THAT(ages, ElementsAre(14.0, 1.0, 2.0, 11.0, 1.0));
  EXPECT_THAT([&] { file.column("mass"); },
              ThrowsMessage<Error>(file.path() + ": has no column 'mass'; it has image, spectrum, redshift, "
                                                 "object_id, spectrum_ivar, age"));
}

TEST(PairedFile, ImagesHaveAnyNumberOfBands) {
  const std::string path = testing_support::scratch("five.h5");
  const int64_t groups[] = {1}, ids[] = {7};
  PairedWriter writer(path, groups, {}, false, 5);
  std::vector<float> image(5 * 152 * 152);
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i);
  const std::vector<float> spectrum(7781);
  const double redshift[] = {0.5};
  writer.write({.count = 1, .images = image, .spectra = spectrum, .redshifts = redshift, .object_ids = ids});
  writer.commit();
  EXPECT_EQ(io::Hdf5File::open(path).shape("0/images"), (Shape{1, 152, 152, 5}));
  const auto file = PairedFile::open(path);
  EXPECT_EQ(file.column("image").shape, (Shape{5, 152, 152}));
  std::vector<float> found(image.size());
  const int64_t first[] = {0};
  file.read(false, first, "image", DType::f32, found.data());
  EXPECT_EQ(found, image);
}

TEST(PairedFile, SeveralThreadsReadTheSameNumbers) {
  const auto file = PairedFile::open(written());
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < 100; ++i) {
        const int64_t row[] = {(i * 7 + static_cast<int64_t>(t)) % 8};
        std::vector<float> spectrum(7781);
        file.read(true, row, "spectrum", DType::f32, spectrum.data());
        wrong[t] += spectrum[3] != static_cast<float>(row[0] * 7781 + 3);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(wrong, ElementsAre(0, 0, 0, 0));
}

TEST(PairedFile, NamesWhatIsMissingOrMisshapen) {
  const std::string path = testing_support::scratch("bad.h5");
  const auto make = [&](const std::function<void(io::Hdf5File&)>& fill) {
    io::DurableFile durable(path);
    auto made = io::Hdf5File::create(durable.file());
    fill(made);
    made.close();
    durable.commit();
  };
  make([](io::Hdf5File& made) { made.make_dataset("0/images", DType::f32, {4, 152, 152, 3}); });
  EXPECT_THAT([&] { PairedFile::open(path); },
              ThrowsMessage<Error>(path + ": group '0' has no identifiers of its objects: a dataset named targetids, "
                                          "targetid, object_ids, object_id, objids, ids, id"));
  make([](io::Hdf5File& made) { made.make_dataset("0/targetids", DType::i64, {4}); });
  EXPECT_THAT(
      [&] { PairedFile::open(path); },
      ThrowsMessage<Error>(path + ": group '0' has neither images nor spectra; the paired layout has groups with "
                                  "images and spectra"));
  make([](io::Hdf5File& made) {
    for (const int64_t group : {0, 1}) {
      const std::string prefix = std::to_string(group) + "/";
      made.make_dataset(prefix + "images", DType::f32, {4, 152, 152, 3 + group});
      made.make_dataset(prefix + "targetids", DType::i64, {4});
    }
  });
  EXPECT_THAT([&] { PairedFile::open(path); },
              ThrowsMessage<Error>(path + ": image of group '1': [4, 152, 152]; of group '0': [3, 152, 152]; all "
                                          "groups must have the same"));
  make([](io::Hdf5File& made) {
    made.make_dataset("0/images", DType::f32, {4, 152, 152, 3});
    made.make_dataset("0/spectra", DType::f32, {3, 7781, 1});
  });
  EXPECT_THAT([&] { PairedFile::open(path); },
              ThrowsMessage<Error>(path + ": dataset '0/spectra' has the shape [3, 7781, 1], expected [4, 7781, 1]"));
}

TEST(PairedFile, RefusesTruncatedAndForeignFiles) {
  const std::string whole = io::read_text(written());
  const std::string path = testing_support::scratch("truncated.h5");
  for (const double part : {0.1, 0.5, 0.9, 0.999}) {
    const std::string bytes = whole.substr(0, static_cast<size_t>(part * static_cast<double>(whole.size())));
    io::write_text(path, bytes);
    EXPECT_THAT([&] { PairedFile::open(path); },
                ThrowsMessage<Error>(path + ": is truncated: it has " + std::to_string(bytes.size()) +
                                     " bytes, fewer than its HDF5 header says"));
  }
  io::write_text(path, "hello");
  EXPECT_THAT([&] { PairedFile::open(path); }, ThrowsMessage<Error>(path + ": is not an HDF5 file"));
  EXPECT_THAT([&] { PairedFile::open("/nowhere.h5"); },
              ThrowsMessage<Error>("/nowhere.h5: cannot read: No such file or directory"));
}

}  // namespace
}  // namespace astroclip::data
