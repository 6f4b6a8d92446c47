#include "io/weights/safetensors.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/rng.h"
#include "io/output/durable_file.h"
#include "support/devices.h"
#include "support/fixtures.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;
using testing_support::fixture;

using testing_support::cpu;

/// A file of a given header and so many bytes of data.
std::string file_with(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof(length));
  bytes += header + std::string(data_bytes, '\1');
  const std::string path = testing_support::scratch("made.safetensors");
  write_text(path, bytes);
  return path;
}

TEST(Safetensors, ReadsAFileOfThePublishedCode) {
  const auto file = SafetensorsFile::open(fixture("schedule.safetensors"));
  EXPECT_EQ(file.metadata().at("base_lr"), "0.001");
  const Tensor rates = file.read("learning_rate", DType::f64, cpu);
  EXPECT_EQ(rates.shape(), Shape{80});
  // Ten steps of linear warm-up from 0 to 1e-3: see the metadata.
  EXPECT_DOUBLE_EQ(rates.to_doubles()[0], 0.0);
  EXPECT_NEAR(rates.to_doubles()[5], 5e-4, 1e-12);
}

TEST(Safetensors, RoundTripsEveryDtype) {
  const std::vector<double> values = {1.5, -2.0, 3.0};
  const std::vector<int64_t> counts = {1, -5, 1LL << 60};
  const std::string path = testing_support::scratch("round.safetensors");
  write_safetensors(
      path,
      std::vector<NamedTensor>{{"b.f64", Tensor::from_host(values, {3}, DType::f64, cpu)},
                               {"a.bf16", Tensor::from_host(values, {1, 3}, DType::bf16, cpu)},
                               {"count", Tensor::from_host(counts, {3}, cpu)},
                               {"scalar", Tensor::from_host(std::vector<double>{7}, {}, DType::f32, cpu)}},
      {{"note", "a \"quoted\" note"}});
  const auto file = SafetensorsFile::open(path);
  EXPECT_EQ(file.metadata().at("note"), "a \"quoted\" note");
  EXPECT_EQ(file.entries()[0].name, "b.f64");
  EXPECT_THAT(file.read("b.f64", DType::f32, cpu).to_doubles(), ElementsAre(1.5, -2.0, 3.0));
  EXPECT_THAT(file.read("a.bf16", DType::f64, cpu).to_doubles(), ElementsAre(1.5, -2.0, 3.0));
  EXPECT_THAT(file.read("count", DType::i64, cpu).to_doubles(), ElementsAre(1, -5, std::ldexp(1, 60)));
  EXPECT_EQ(file.read("scalar", DType::f32, cpu).item(), 7.0);
  EXPECT_THAT([&] { (void)file.read("nothing", DType::f32, cpu); },
              ThrowsMessage<Error>(path + ": holds no tensor 'nothing'"));
  EXPECT_THAT([&] { (void)file.read("b.f64", DType::i64, cpu); },
              ThrowsMessage<Error>(path + ": tensor 'b.f64' holds f64; expected integers"));
}

TEST(Safetensors, HalfPrecisionIsExact) {
  // 1, -2, the smallest subnormal, the largest finite half.
  const std::string header = R"({"h":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}})";
  const uint16_t halves[] = {0x3C00, 0xC000, 0x0001, 0x7BFF};
  const std::string path = file_with(header, 0);
  write_text(path, read_text(path) + std::string(reinterpret_cast<const char*>(halves), sizeof(halves)));
  EXPECT_THAT(SafetensorsFile::open(path).read("h", DType::f32, cpu).to_doubles(),
              ElementsAre(1.0, -2.0, std::ldexp(1.0, -24), 65504.0));
}

TEST(Safetensors, RefusesWhatDoesNotFit) {
  const auto message_of = [](const std::string& header, size_t bytes) -> std::string {
    try {
      SafetensorsFile::open(file_with(header, bytes));
    } catch (const Error& error) {
      return std::string(error.what()).substr(testing_support::scratch("made.safetensors").size());
    }
    return "accepted";
  };
  const std::string prefix = ": not a valid safetensors file: ";
  EXPECT_EQ(message_of(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4),
            prefix + "tensor 'w' ends at byte 8 of the data, which has 4 bytes (is the file truncated?)");
  EXPECT_EQ(message_of(R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
            prefix + "tensor 'w' has 8 bytes, but its shape and dtype need 12");
  EXPECT_EQ(message_of(R"({"w":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})", 8),
            prefix + "tensor 'w' has the unknown dtype \"F33\"");
  EXPECT_EQ(message_of(R"({"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})", 8),
            prefix + "tensor 'w' has an invalid shape");
  EXPECT_EQ(message_of(R"({"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8),
            prefix + "tensor 'w' has an invalid shape");
  EXPECT_EQ(message_of(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8),
            prefix + "tensor 'w' has invalid data_offsets");
  EXPECT_EQ(message_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                       R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
                       8),
            prefix + "tensor 'b' begins at byte 2 of the data, expected 4");
  EXPECT_EQ(message_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}})", 5),
            prefix + "tensor 'a' begins at byte 1 of the data, expected 0");
  EXPECT_EQ(message_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 6),
            prefix + "its tensors end at byte 4 of the data, which has 6 bytes");
  EXPECT_EQ(message_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                       R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                       8),
            prefix + "tensor 'a' is listed twice");
  EXPECT_EQ(message_of(R"({"a":{"dtype":"I32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4),
            prefix + "'dtype' appears twice in 'a'");
  EXPECT_EQ(message_of(R"({"__metadata__":{"k":"1","k":"2"},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1),
            prefix + "'k' appears twice in '__metadata__'");
  EXPECT_EQ(message_of("[1, 2]", 8), prefix + "its header is not a JSON object");
  EXPECT_EQ(message_of(R"({"a":3})", 8), prefix + "tensor 'a' lacks dtype, shape or data_offsets");
}

/// The reference library reads all of these. What we cannot read is named, and does not keep the rest from being read.
TEST(Safetensors, LeavesOutTensorsOfOtherTypes) {
  const std::pair<const char*, int> types[] = {{"U16", 2},     {"U32", 4},     {"U64", 8},    {"C64", 8},
                                               {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1}};
  for (const auto& [type, size] : types) {
    const std::string header =
        fmt::format(R"({{"__metadata__":null,"a":{{"dtype":"F16","shape":[2],"data_offsets":[0,4]}},)"
                    R"("b":{{"dtype":"{}","shape":[2,1],"data_offsets":[4,{}]}}}})",
                    type, 4 + 2 * size);
    const auto file = SafetensorsFile::open(file_with(header, static_cast<size_t>(4 + 2 * size)));
    ASSERT_EQ(file.entries().size(), 1U);
    EXPECT_EQ(file.entries()[0].type, ElementType::f16);
    EXPECT_FALSE(file.contains("b"));
    EXPECT_THAT(file.skipped(), ElementsAre(fmt::format("b <{} [2, 1]>", type)));
  }
  const auto packed = SafetensorsFile::open(file_with(
      R"({"p":{"dtype":"F4","shape":[4],"data_offsets":[0,2]},"q":{"dtype":"U8","shape":[1,1,1,1,1,1,2],"data_offsets":[2,4]}})",
      4));
  EXPECT_TRUE(packed.entries().empty());
  EXPECT_THAT(packed.skipped(), ElementsAre("p <F4 [4]>", "q <7 axes; at most 6 are supported>"));
}

/// Files of other formats, by their first bytes.
TEST(Safetensors, SaysWhatAFileIsInstead) {
  const std::string path = testing_support::scratch("other.bin");
  const std::pair<std::string, std::string> files[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:",
       "a Git LFS pointer, not the file itself; fetch it with git lfs pull"},
      {"\x80\x04\x95\x10numpy and more",
       "a Python pickle; load it in Python and save its tensors with "
       "safetensors.torch.save_file or torch.save"},
      {"<!DOCTYPE html><html>", "a web page, perhaps a failed download"},
      {"PAR1 and more", "a Parquet file; write it as FITS, HDF5 or CSV"},
      {"GGUF and more of it", "a GGUF file of quantised weights"}};
  for (const auto& [bytes, what] : files) {
    write_text(path, bytes);
    EXPECT_THAT([&] { SafetensorsFile::open(path); },
                ThrowsMessage<Error>(path + ": is not a file of weights but " + what));
  }
}

TEST(Safetensors, ATruncatedFileIsAlwaysRefused) {
  const std::string whole = read_text(fixture("clip_loss.safetensors"));
  const std::string path = testing_support::scratch("truncated.safetensors");
  Rng rng(3, RngStream::tests);
  for (int trial = 0; trial < 200; ++trial) {
    write_text(path, whole.substr(0, static_cast<size_t>(rng.below(static_cast<int64_t>(whole.size())))));
    EXPECT_THAT([&] { SafetensorsFile::open(path); },
                ThrowsMessage<Error>(HasSubstr(path + ": not a valid safetensors file: ")));
  }
}

TEST(Safetensors, ReadsInPlaceWhatNeedsNoConversion) {
  const std::string path = file_with(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  )", 8);
  const auto file = SafetensorsFile::open(path);
  Tensor first = file.read("w", DType::f32, cpu);
  EXPECT_EQ(first.data(), file.read("w", DType::f32, cpu).data());
  const float before = first.to_floats()[0];
  first.mutable_data_as<float>()[0] = 0.5f;
  EXPECT_THAT(file.read("w", DType::f32, cpu).to_floats(), ElementsAre(before, before));
}

TEST(Safetensors, AMissingFileIsNamed) {
  EXPECT_THAT([] { SafetensorsFile::open("/nowhere/x.safetensors"); },
              ThrowsMessage<Error>("/nowhere/x.safetensors: cannot read: No such file or directory"));
}

}  // namespace
}  // namespace astroclip::io
