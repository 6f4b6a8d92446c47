#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>

#include "base/error.h"
#include "io/fits.h"
#include "io/output/durable_file.h"
#include "support/fits_files.h"
#include "support/scratch.h"

/// Compressed images whose tiles are damaged: cfitsio's decoders read and write beyond what such tiles have.
namespace astroclip::io {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using testing_support::FitsWriter;

constexpr long side = 20, tile_rows = 10;

/// An image of two tiles in HDU 2, and its file's bytes.
struct Packed {
  std::string path;
  std::vector<double> values;
  std::string bytes;

  Packed(int code, int bitpix, const std::string& name = "packed") : path(testing_support::scratch("tiles_" + name)) {
    std::mt19937 random(7);
    std::normal_distribution<double> noise(60, 9);
    for (long i = 0; i < side * side; ++i) values.push_back(std::round(noise(random)));
    FitsWriter writer(path);
    const float level = bitpix < 0 ? 0 : 4;  // cfitsio packs no integers without a level
    writer.empty_primary().compress(code, {tile_rows, side}, level).image("", {side, side}, values, bitpix).close();
    bytes = read_text(path);
  }

  size_t data() const { return (bytes.find("END" + std::string(77, ' '), 2880) / 2880 + 1) * 2880; }
  /// A number of four bytes, the highest first.
  size_t number(size_t at) const {
    size_t value = 0;
    for (const char byte : bytes.substr(at, 4)) value = value << 8U | static_cast<unsigned char>(byte);
    return value;
  }
  void set_number(size_t at, size_t value) {
    for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (24 - 8 * i));
  }
  size_t row_bytes() const { return std::stoul(bytes.substr(bytes.find("NAXIS1  =", 2880) + 10, 20)); }
  /// Where the second row of the table tells how long its tile's code is.
  size_t second_length() const { return data() + row_bytes(); }
  size_t second_code() const { return data() + 2 * row_bytes() + number(second_length() + 4); }
  FitsFile written() const {
    write_text(path, bytes);
    return FitsFile::open(path);
  }
  /// The second tile is refused, and the first is as it was.
  void expect_second_refused(const std::string& packing) const {
    const FitsFile file = written();
    const FitsHdu& hdu = file.hdu("HDU 2");
    const std::array<int64_t, 2> extent = {tile_rows, side};
    const auto first = file.section(hdu, std::array<int64_t, 2>{0, 0}, extent);
    EXPECT_EQ(first, std::vector<double>(values.begin(), values.begin() + tile_rows * side)) << packing;
    const auto message =
        testing::AllOf(testing::StartsWith(path + ": is damaged: tile 2 of HDU 2 does not have its 200 pixels in "),
                       HasSubstr(packing));
    EXPECT_THAT(
        [&] {
          (void)file.section(hdu, std::array<int64_t, 2>{tile_rows, 3}, std::array<int64_t, 2>{1, 1});
        },
        ThrowsMessage<Error>(message));
    EXPECT_THAT([&] { (void)file.image("HDU 2"); }, ThrowsMessage<Error>(message));
  }
};

struct Code {
  int code, bitpix;
  std::string packing;
};

class FitsTilesTest : public testing::TestWithParam<Code> {};

INSTANTIATE_TEST_SUITE_P(Codes, FitsTilesTest,
                         testing::Values(Code{RICE_1, 8, "bytes of RICE_1"}, Code{RICE_1, 16, "bytes of RICE_1"},
                                         Code{RICE_1, 32, "bytes of RICE_1"}, Code{GZIP_1, 16, "bytes of GZIP_1"},
                                         Code{GZIP_2, 32, "bytes of GZIP_2"}, Code{GZIP_2, -32, "bytes of GZIP_2"},
                                         Code{HCOMPRESS_1, 16, "bytes of HCOMPRESS_1"},
                                         Code{HCOMPRESS_1, 32, "bytes of HCOMPRESS_1"},
                                         Code{PLIO_1, 16, "words of PLIO_1"}),
                         [](const auto& of) {
                           return fmt::format("{}_{}{}", of.param.packing.substr(9),
                                              of.param.bitpix < 0 ? "float" : "int", std::abs(of.param.bitpix));
                         });

TEST_P(FitsTilesTest, ReadsWholeTiles) {
  const Packed packed(GetParam().code, GetParam().bitpix);
  EXPECT_EQ(packed.written().image("HDU 2"), packed.values);
}

/// Whatever the code, its last byte is needed.
TEST_P(FitsTilesTest, RefusesATileThatLacksItsEnd) {
  Packed packed(GetParam().code, GetParam().bitpix);
  const size_t length = packed.number(packed.second_length());
  for (const size_t shorter : {length - 1, length / 2, size_t{1}}) {
    packed.set_number(packed.second_length(), shorter);
    packed.expect_second_refused(GetParam().packing);
  }
}

/// cfitsio 4.2 would take the second image's integers for floating-point numbers.
TEST(FitsTiles, ReadsQuantisedNumbersAfterOthers) {
  const std::string name = testing_support::scratch("tiles_two");
  const std::vector<double> values = Packed(RICE_1, 32).values;
  FitsWriter writer(name);
  writer.empty_primary().compress().image("EXACT", {side, side}, values);
  writer.compress(RICE_1, {1, side}, 16).image("ROUNDED", {side, side}, values).close();
  const FitsFile file = FitsFile::open(name);
  constexpr double step = 1;  // a sixteenth of the noise, and not less than the smallest row's
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(file.image("EXACT"), values);
    EXPECT_THAT(file.image("ROUNDED"), testing::Pointwise(testing::DoubleNear(step), values));
  }
}

/// cfitsio takes the seed for a place in its random numbers.
TEST(FitsTiles, RefusesASeedThatIsNoPlace) {
  const std::string name = testing_support::scratch("tiles_seed");
  FitsWriter writer(name);
  writer.empty_primary().compress(RICE_1, {1, side}, 16).image("", {side, side}, Packed(RICE_1, 32).values).close();
  const std::string whole = read_text(name);
  for (const int seed : {-9000, 0, 2147483647}) {
    std::string changed = whole;
    changed.replace(changed.find("ZDITHER0=") + 10, 20, fmt::format("{:>20}", seed));
    write_text(name, changed);
    EXPECT_THAT([&] { (void)FitsFile::open(name).image("HDU 2"); },
                ThrowsMessage<Error>(fmt::format("{}: is damaged: HDU 2 has ZDITHER0 = {}", name, seed)));
  }
}

/// H-compress code says of how many pixels it is.
TEST(FitsTiles, RefusesCodeOfAnotherShape) {
  Packed packed(HCOMPRESS_1, 32);
  const size_t rows_at = packed.second_code() + 2;
  EXPECT_EQ(packed.number(rows_at), static_cast<size_t>(tile_rows));
  packed.set_number(rows_at, 2 * tile_rows);
  packed.expect_second_refused("bytes of HCOMPRESS_1");
}

}  // namespace
}  // namespace astroclip::io
