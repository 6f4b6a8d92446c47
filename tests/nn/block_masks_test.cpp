// Masks against histograms of the published implementation's.
#include "nn/block_masks.h"

#include <gmock/gmock.h>

#include <boost/math/distributions/chi_squared.hpp>

#include "io/weights/safetensors.h"
#include "support/fixtures.h"

namespace astroclip::nn {
namespace {

constexpr int64_t side = 12, patches = side * side, drawn = 20000;

std::vector<double> read(const std::string& name) {
  const auto file = io::SafetensorsFile::open(testing_support::fixture("multi_crop_masks.safetensors"));
  return file.read(name, DType::f64, {DeviceKind::reference}).to_doubles();
}

std::vector<double> row_of(const std::vector<double>& table, size_t row, size_t width) {
  const auto begin = table.begin() + static_cast<std::ptrdiff_t>(row * width);
  return {begin, begin + static_cast<std::ptrdiff_t>(width)};
}

/// Whether two samples of counts are of one distribution: the chance of a larger χ² over bins with ten or more in both.
double homogeneity(const std::vector<double>& a, const std::vector<double>& b) {
  double chi2 = 0.0, rest_a = 0.0, rest_b = 0.0;
  int bins = 0;
  const auto add = [&](double x, double y) {
    if (x + y == 0.0) return;
    chi2 += (x - y) * (x - y) / (x + y);  // samples of equal size
    ++bins;
  };
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] + b[i] >= 20.0) {
      add(a[i], b[i]);
    } else {
      rest_a += a[i];
      rest_b += b[i];
    }
  }
  add(rest_a, rest_b);
  if (bins < 2) return 1.0;
  return boost::math::cdf(boost::math::complement(boost::math::chi_squared(bins - 1), chi2));
}

TEST(BlockMask, CountsAndPlacesAreThePublishedOnes) {
  const std::vector<double> targets = read("targets"), counts = read("count_histogram");
  const std::vector<double> frequency = read("cell_frequency"), other = read("second.cell_frequency");
  for (size_t target = 0; target < targets.size(); ++target) {
    std::vector<double> histogram(patches + 1, 0.0), hidden(patches, 0.0);
    for (int64_t i = 0; i < drawn; ++i) {
      Rng rng(3, RngStream::masks, target, static_cast<uint64_t>(i));
      const std::vector<float> mask = block_mask(side, static_cast<int64_t>(targets[target]), rng);
      for (size_t cell = 0; cell < mask.size(); ++cell) hidden[cell] += mask[cell];
      ++histogram[static_cast<size_t>(std::count(mask.begin(), mask.end(), 1.0F))];
    }
    EXPECT_GT(homogeneity(histogram, row_of(counts, target, patches + 1)), 1e-4) << "target " << targets[target];
    const std::vector<double> published = row_of(frequency, target, patches), second = row_of(other, target, patches);
    double difference = 0.0, chance = 0.0;
    for (size_t cell = 0; cell < hidden.size(); ++cell) {
      difference += std::abs(hidden[cell] / drawn - published[cell]);
      chance += std::abs(second[cell] - published[cell]);
    }
    EXPECT_LT(difference, 2.0 * chance) << "target " << targets[target];
  }
}

/// Half of the crops, two of each image, are masked, with shares from equal slices of 10 % to 50 %.
TEST(BlockMasks, MasksOfABatchAreThePublishedOnes) {
  const auto crops = 2 * static_cast<int64_t>(read("collate.images_per_batch")[0]);
  std::vector<double> histogram(patches + 1, 0.0);
  const auto batches = static_cast<uint64_t>(read("collate.batches")[0]);
  for (uint64_t batch = 0; batch < batches; ++batch) {
    const auto rng = [&](int64_t i) { return Rng(5, RngStream::masks, batch, static_cast<uint64_t>(i)); };
    const std::vector<float> masks = block_masks(crops, side, 0.5, 0.1, 0.5, rng);
    int64_t masked = 0;
    for (int64_t crop = 0; crop < crops; ++crop) {
      const auto first = masks.begin() + crop * patches;
      const auto count = std::count(first, first + patches, 1.0F);
      ++histogram[static_cast<size_t>(count)];
      masked += count > 0 ? 1 : 0;
    }
    ASSERT_EQ(masked, crops / 2);
  }
  histogram[0] = 0.0;
  std::vector<double> published = read("collate.count_histogram");
  published[0] = 0.0;
  EXPECT_GT(homogeneity(histogram, published), 1e-4);
}

TEST(BlockMasks, ASmallGridMayStayWhole) {
  Rng rng(1, RngStream::masks);
  EXPECT_THAT(block_mask(2, 2, rng), testing::Each(0.0F));  // no block of 4 spans the grid
}

}  // namespace
}  // namespace astroclip::nn
