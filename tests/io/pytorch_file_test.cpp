#include "io/weights/pytorch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/error.h"
#include "base/rng.h"
#include "io/output/durable_file.h"
#include "io/weights/safetensors.h"
#include "support/devices.h"
#include "support/fixtures.h"
#include "support/pytorch_files.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::StartsWith;
using namespace testing_support;

/// The message of opening a file, without the path before it.
std::string message_of_opening(const std::string& path) {
  try {
    PytorchFile::open(path);
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), StartsWith(path + ": "));
    return std::string(error.what()).substr(path.size() + 2);
  }
  return "accepted";
}

/// Each tensor of the safetensors file stands in the other, under the prefix, with the same values.
void expect_holds(const PytorchFile& file, const std::string& prefix, const std::string& weights, double tolerance) {
  const auto expected = SafetensorsFile::open(fixture(weights));
  for (const auto& entry : expected.entries()) {
    SCOPED_TRACE(entry.name);
    ASSERT_TRUE(file.contains(prefix + entry.name));
    EXPECT_EQ(file.entry(prefix + entry.name).shape, entry.shape);
    const auto wanted = expected.read(entry.name, DType::f64, cpu).to_doubles();
    const auto found = file.read(prefix + entry.name, DType::f64, cpu).to_doubles();
    ASSERT_EQ(found.size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_LE(std::abs(found[i] - wanted[i]), tolerance * std::abs(wanted[i]) + (tolerance > 0 ? 0x1p-25 : 0)) << i;
    }
  }
}

TEST(PytorchFile, ReadsALightningFileWithPlainHyperParameters) {
  const auto file = PytorchFile::open(fixture("specformer.ckpt"));
  EXPECT_EQ(file.format(), "zip");
  EXPECT_EQ(file.section(), "state_dict");
  expect_holds(file, "state_dict.", "specformer.weights.safetensors", 0);
  EXPECT_EQ(file.entries().size(), SafetensorsFile::open(fixture("specformer.weights.safetensors")).entries().size());
  EXPECT_EQ(file.metadata().at("hyper_parameters.embed_dim"), "48");
  EXPECT_EQ(file.metadata().at("hyper_parameters.num_layers"), "2");
  EXPECT_THAT(file.skipped(), ElementsAre());
}

TEST(PytorchFile, ReadsALightningFileThatPicklesUnknownClasses) {
  const auto file = PytorchFile::open(fixture("astroclip.ckpt"));
  expect_holds(file, "state_dict.", "astroclip.weights.safetensors", 0);
  EXPECT_EQ(file.entries().size(), SafetensorsFile::open(fixture("astroclip.weights.safetensors")).entries().size());
  EXPECT_EQ(file.metadata().at("hyper_parameters.image_encoder"), "<astroclip.models.astroclip.ImageHead>");
}

TEST(PytorchFile, ReadsTheLegacyFormatInHalfPrecision) {
  const auto file = PytorchFile::open(fixture("specformer.fp16.legacy.ckpt"));
  EXPECT_EQ(file.format(), "legacy");
  for (const auto& entry : file.entries()) EXPECT_EQ(entry.type, ElementType::f16) << entry.name;
  expect_holds(file, std::string(file.section()) + ".", "specformer.weights.safetensors", 0x1p-11);
}

TEST(PytorchFile, ReadsATeacherWithItsHead) {
  const auto file = PytorchFile::open(fixture("astrodino.ckpt"));
  EXPECT_EQ(file.section(), "teacher");
  expect_holds(file, "teacher.backbone.", "vit.weights.safetensors", 0);
  const auto head = SafetensorsFile::open(fixture("dino_head.safetensors"));
  for (const auto& entry : file.entries()) {
    if (!entry.name.starts_with("teacher.dino_head.")) continue;
    const std::string name = "weights." + entry.name.substr(std::string("teacher.dino_head.").size());
    ASSERT_TRUE(head.contains(name)) << name;
    EXPECT_EQ(file.read(entry.name, DType::f64, cpu).to_doubles(), head.read(name, DType::f64, cpu).to_doubles());
  }
}

TEST(PytorchFile, NamesWhatItDoesNotHold) {
  const std::string path = fixture("specformer.ckpt");
  const auto file = PytorchFile::open(path);
  try {
    (void)file.read("nothing", DType::f32, cpu);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), path + ": holds no tensor 'nothing'");
  }
  EXPECT_EQ(message_of_opening("/nowhere/x.ckpt"), "cannot read: No such file or directory");
  EXPECT_EQ(message_of_opening(fixture("clip_loss.safetensors")),
            "not a valid PyTorch file: it is neither a zip archive nor in the legacy format");
}

PytorchFile open_bytes(const std::string& bytes) {
  const std::string path = testing_support::scratch("made.ckpt");
  write_text(path, bytes);
  return PytorchFile::open(path);
}
std::string message_of_bytes(const std::string& bytes) {
  const std::string path = testing_support::scratch("made.ckpt");
  write_text(path, bytes);
  return message_of_opening(path);
}

std::string floats(std::initializer_list<float> values) {
  std::string bytes;
  for (const float value : values) bytes += bytes_of(value);
  return bytes;
}

TEST(PytorchFile, TensorsMayShareAStorageAndStrideThroughIt) {
  const std::string object = pickled_dict({{"whole", pickled_tensor("FloatStorage", "0", 6, 0, {2, 3}, {3, 1})},
                                           {"transposed", pickled_tensor("FloatStorage", "0", 6, 0, {3, 2}, {1, 3})},
                                           {"row", pickled_tensor("FloatStorage", "0", 6, 3, {3}, {1})},
                                           {"repeated", pickled_tensor("FloatStorage", "0", 6, 5, {2, 2}, {0, 0})},
                                           {"scalar", pickled_tensor("FloatStorage", "0", 6, 4, {}, {})},
                                           {"empty", pickled_tensor("FloatStorage", "0", 6, 6, {0, 4}, {4, 1})}});
  const std::string values = floats({1, 2, 3, 4, 5, 6});
  for (const std::string& bytes :
       {legacy_file(object, {{"0", 6, values}}), zip_file({{"a/data.pkl", whole_pickle(object)}, {"a/data/0", values}}),
        zip_file({{"a/data.pkl", whole_pickle(object)}, {"a/data/0", values}}, true)}) {
    const auto file = open_bytes(bytes);
    EXPECT_EQ(file.section(), "");
    EXPECT_THAT(file.read("whole", DType::f32, cpu).to_doubles(), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(file.read("transposed", DType::f32, cpu).to_doubles(), ElementsAre(1, 4, 2, 5, 3, 6));
    EXPECT_EQ(file.entry("transposed").shape, (Shape{3, 2}));
    EXPECT_THAT(file.read("row", DType::f64, cpu).to_doubles(), ElementsAre(4, 5, 6));
    EXPECT_THAT(file.read("repeated", DType::f32, cpu).to_doubles(), ElementsAre(6, 6, 6, 6));
    EXPECT_EQ(file.read("scalar", DType::f32, cpu).item(), 5);
    EXPECT_EQ(file.read("empty", DType::f32, cpu).numel(), 0);
  }
}

/// What PyTorch writes for tensors with attributes of their own, and of subclasses.
TEST(PytorchFile, ReadsTensorsOfOtherTypes) {
  const std::string plain = pickled_tensor("FloatStorage", "0", 2, 0, {2}, {1});
  const std::string function = "ctorch._utils\n_rebuild_tensor_v2\n";
  const std::string arguments = plain.substr(function.size(), plain.size() - function.size() - 1);  // without the call
  const std::string typed =
      "ctorch._tensor\n_rebuild_from_type_v2\n(" + function + "ctorch\nTensor\n" + arguments + "}tR";
  const auto file = open_bytes(legacy_file(pickled_dict({{"w", typed}}), {{"0", 2, floats({3, 4})}}));
  EXPECT_THAT(file.read("w", DType::f32, cpu).to_doubles(), ElementsAre(3, 4));
  EXPECT_TRUE(file.metadata().empty());
}

TEST(PytorchFile, SaysWhatItLeavesOut) {
  const std::string sparse = "ctorch._utils\n_rebuild_sparse_tensor\n)R";
  const std::string whole = pickled_tensor("FloatStorage", "0", 1, 0, {1}, {1});
  const auto file =
      open_bytes(legacy_file(pickled_dict({{"w", whole}, {"s", sparse}, {"n", pickled(7)}}), {{"0", 1, floats({3})}}));
  EXPECT_THAT(file.skipped(), ElementsAre("s <torch._utils._rebuild_sparse_tensor>"));
  EXPECT_EQ(file.metadata().at("n"), "7");
}

/// A tensor that cannot be read does not keep the others from being read, in either format.
TEST(PytorchFile, LeavesOutTensorsOfOtherKindsAlone) {
  const std::string whole = pickled_tensor("FloatStorage", "0", 1, 0, {1}, {1});
  const std::string complex = pickled_tensor("ComplexFloatStorage", "1", 1, 0, {1}, {1});
  const std::string long_shape =
      pickled_tensor("FloatStorage", "0", 1, 0, {1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1});
  const std::string negated = whole.substr(0, whole.size() - 2) + pickled_dict({{"neg", "\x88"}}) + "tR";
  const std::string float8 =
      "ctorch._utils\n_rebuild_tensor_v3\n(NK\0"s + pickled({1}) + pickled({1}) + "\x89}ctorch\nfloat8_e4m3fn\ntR";
  const std::string object =
      pickled_dict({{"w", whole}, {"c", complex}, {"axes", long_shape}, {"neg", negated}, {"f8", float8}});
  for (const std::string& bytes :
       {legacy_file(object, {{"0", 1, floats({3})}, {"1", 1, floats({0, 1})}}),
        zip_file({{"a/data.pkl", whole_pickle(object)}, {"a/data/0", floats({3})}, {"a/data/1", floats({0, 1})}})}) {
    const auto file = open_bytes(bytes);
    EXPECT_EQ(file.entries().size(), 1U);
    EXPECT_EQ(file.read("w", DType::f32, cpu).item(), 3);
    EXPECT_THAT(file.skipped(),
                ElementsAre("c <torch.ComplexFloatStorage>", "axes <7 axes; at most 6 are supported>",
                            "neg <a lazy negative or conjugate; save the result of resolve_neg() or resolve_conj()>",
                            "f8 <torch.float8_e4m3fn>"));
  }
  EXPECT_EQ(message_of_bytes(legacy_file(pickled_dict({{"c", complex}}), {{"1", 1, floats({0, 1})}})),
            "holds no tensors that can be read: c <torch.ComplexFloatStorage>");
}

/// [state_dict, {"epoch": 3}]
TEST(PytorchFile, ReadsTheItemsOfAList) {
  const std::string dict = pickled_dict({{"w", pickled_tensor("FloatStorage", "0", 1, 0, {1}, {1})}});
  const auto file =
      open_bytes(legacy_file("](" + dict + pickled_dict({{"epoch", pickled(3)}}) + "e", {{"0", 1, floats({3})}}));
  EXPECT_EQ(file.read("0.w", DType::f32, cpu).item(), 3);
  EXPECT_EQ(file.metadata().at("1.epoch"), "3");
}

TEST(PytorchFile, NamesTheTensorWhoseStorageIsCutOff) {
  const std::string tensor = pickled_tensor("FloatStorage", "0", 6, 0, {6}, {1});
  const std::string object = pickled_dict({{"epoch", pickled(3)}, {"state_dict", pickled_dict({{"net.w", tensor}})}});
  EXPECT_THAT(
      message_of_bytes(legacy_file(object, {{"0", 6, floats({1, 2, 3, 4, 5})}})),
      testing::AllOf(StartsWith("not a valid PyTorch file: storage '0' of tensor 'state_dict.net.w' at byte "),
                     testing::EndsWith(" claims 6 elements, but the file has room for 5 (is the file truncated?)")));
}

/// Python's newer protocols frame the magic number.
TEST(PytorchFile, ReadsTheOlderFormatInEveryProtocol) {
  const std::string object = pickled_dict({{"w", pickled_tensor("FloatStorage", "0", 2, 0, {2}, {1})}});
  const std::string file = legacy_file(object, {{"0", 2, floats({3, 4})}});
  const std::string magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s;
  for (const char protocol : {'\3', '\4', '\5'}) {
    const std::string frame = protocol > '\3' ? "\x95" + bytes_of(uint64_t{magic.size()}) : "";
    const auto opened = open_bytes("\x80" + std::string(1, protocol) + frame + magic + file.substr(2 + magic.size()));
    EXPECT_EQ(opened.format(), "legacy");
    EXPECT_THAT(opened.read("w", DType::f32, cpu).to_doubles(), ElementsAre(3, 4));
  }
}

/// It has no checksum: what a changed byte makes of strides must be seen from the strides.
TEST(PytorchFile, RefusesDamagedStridesOfTheOlderFormat) {
  const auto message = [](std::initializer_list<int64_t> strides) {
    const std::string tensor = pickled_tensor("FloatStorage", "0", 6, 0, {2, 3}, strides);
    return message_of_bytes(legacy_file(pickled_dict({{"w", tensor}}), {{"0", 6, floats({1, 2, 3, 4, 5, 6})}}));
  };
  EXPECT_EQ(message({3, 1}), "accepted");
  EXPECT_EQ(message({1, 2}), "accepted");
  for (const auto& strides : {std::pair<int64_t, int64_t>{3, 0}, {0, 1}, {2, 1}, {1, 1}}) {
    EXPECT_THAT(message({strides.first, strides.second}), StartsWith("tensor 'w': its shape [2, 3] and strides ["));
  }
}

TEST(PytorchFile, ReadsEveryElementType) {
  struct Case {
    std::string storage, bytes;
    ElementType type;
    std::vector<double> values;
  };
  const Case cases[] = {
      {"DoubleStorage", bytes_of(0.1) + bytes_of(-2.0), ElementType::f64, {0.1, -2}},
      {"FloatStorage", bytes_of(0.5F) + bytes_of(-2.0F), ElementType::f32, {0.5, -2}},
      {"HalfStorage", bytes_of(uint16_t{0x3C00}) + bytes_of(uint16_t{0xC000}), ElementType::f16, {1, -2}},
      {"BFloat16Storage", bytes_of(uint16_t{0x3F80}) + bytes_of(uint16_t{0xC000}), ElementType::bf16, {1, -2}},
      {"LongStorage", bytes_of(int64_t{1} << 40) + bytes_of(int64_t{-1}), ElementType::i64, {std::ldexp(1, 40), -1}},
      {"IntStorage", bytes_of(int32_t{70000}) + bytes_of(int32_t{-1}), ElementType::i32, {70000, -1}},
      {"ShortStorage", bytes_of(int16_t{300}) + bytes_of(int16_t{-1}), ElementType::i16, {300, -1}},
      {"CharStorage", bytes_of(int8_t{100}) + bytes_of(int8_t{-1}), ElementType::i8, {100, -1}},
      {"ByteStorage", bytes_of(uint8_t{200}) + bytes_of(uint8_t{1}), ElementType::u8, {200, 1}},
      {"BoolStorage", bytes_of(uint8_t{1}) + bytes_of(uint8_t{0}), ElementType::boolean, {1, 0}},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.storage);
    const std::string object = pickled_dict({{"t", pickled_tensor(one.storage, "k", 2, 0, {2}, {1})}});
    const auto file = open_bytes(legacy_file(object, {{"k", 2, one.bytes}}));
    EXPECT_EQ(file.entry("t").type, one.type);
    EXPECT_EQ(file.read("t", DType::f64, cpu).to_doubles(), one.values);
    const DType own = dtype_of_elements(one.type);
    const Tensor tensor = file.read("t", own, cpu);
    EXPECT_EQ(tensor.dtype(), own);
    if (own != DType::u8) {
      EXPECT_EQ(tensor.to_doubles(), one.values);
    }
  }
}

TEST(PytorchFile, RefusesTensorsThatLeaveTheirStorage) {
  const auto message = [](const std::string& tensor) {
    return message_of_bytes(legacy_file(pickled_dict({{"w", tensor}}), {{"0", 4, floats({1, 2, 3, 4})}}));
  };
  EXPECT_EQ(message(pickled_tensor("FloatStorage", "0", 4, 1, {2, 2}, {2, 1})),
            "tensor 'w': its shape [2, 2], strides [2, 1] and offset 1 exceed its storage of 4 elements");
  EXPECT_EQ(message(pickled_tensor("FloatStorage", "0", 4, -1, {2}, {1})),
            "tensor 'w': its shape [2], strides [1] and offset -1 exceed its storage of 4 elements");
  EXPECT_EQ(message(pickled_tensor("FloatStorage", "0", 4, 0, {2}, {-1})),
            "tensor 'w': its strides must be non-negative integers");
  EXPECT_EQ(message(pickled_tensor("FloatStorage", "0", 4, 0, {2}, {INT64_MAX})),
            "tensor 'w': its shape [2], strides [9223372036854775807] and offset 0 exceed its storage of 4 elements");
  EXPECT_EQ(message(pickled_tensor("FloatStorage", "0", 5, 0, {2}, {1})),
            "tensor 'w': its storage '0' should hold 5 elements, but the file has 4");
  EXPECT_EQ(message(pickled_tensor("FloatStorage", "0", 4, 0, {1LL << 40, 1LL << 40}, {0, 0})),
            "tensor 'w': its shape [1099511627776, 1099511627776] is too large");
  EXPECT_EQ(message(pickled_tensor("FloatStorage", "0", 4, 0, {1LL << 30}, {0})),
            "tensor 'w': its shape [1073741824] repeats a storage of 4 elements too often");
}

TEST(PytorchFile, RefusesArchivesThatPyTorchDoesNotWrite) {
  const std::string object = whole_pickle(pickled_dict({{"w", pickled_tensor("FloatStorage", "0", 1, 0, {1}, {1})}}));
  const std::string invalid = "not a valid zip archive: ";
  EXPECT_EQ(message_of_bytes(zip_file({{"a/data.pkl", object}}, false, 8)),
            invalid +
                "entry 'a/data.pkl' is compressed (method 8), and PyTorch stores its entries uncompressed; unzip "
                "the archive and pack it again with zip -0");
  EXPECT_EQ(message_of_bytes(zip_file({{"a/data.pkl", object}, {"a/data.pkl", object}})),
            invalid + "entry 'a/data.pkl' is listed twice");
  EXPECT_EQ(message_of_bytes(zip_file({{"readme", ""}})),
            "not a valid PyTorch file: the archive holds no data.pkl; it holds readme");
  EXPECT_EQ(message_of_bytes(zip_file(
                {{"net/code/__torch__.py", "x"}, {"net/constants.pkl", ""}, {"net/data.pkl", object}}, false, 8)),
            "is a TorchScript archive, a program with its weights; save the module's state_dict(): "
            "torch.save(torch.jit.load('made.ckpt').state_dict(), 'weights.pt')");
  EXPECT_EQ(message_of_bytes(zip_file({{"w.npy", ""}})),
            "is a NumPy archive (.npz); save its arrays with safetensors.numpy.save_file");
  EXPECT_EQ(message_of_bytes(zip_file({{"a/data.pkl", object}})), "tensor 'w': the file lacks its storage '0'");
  EXPECT_EQ(message_of_bytes(zip_file({{"a/data.pkl", object}, {"a/byteorder", "big"}, {"a/data/0", "1234"}})),
            "not a valid PyTorch file: its numbers are not little-endian");
  EXPECT_EQ(message_of_bytes(zip_file({{"a/data.pkl", whole_pickle("cnet\nNet\n)R")}})),
            "holds an object of class net.Net, not a dict of tensors; save the model's state_dict() instead");
  EXPECT_EQ(message_of_bytes(zip_file({{"a/data.pkl", whole_pickle("}")}})), "holds no tensors");
}

TEST(PytorchFile, WalksOfSharedDictsAreBounded) {
  // Forty dicts, each holding the one before twice.
  std::string object = pickled_dict({{"w", pickled_tensor("FloatStorage", "0", 1, 0, {1}, {1})}}) + "q" + '\0';
  for (int i = 0; i < 12; ++i) {
    object += "0}(";
    for (int j = 0; j < 4; ++j) object += pickled("k" + std::to_string(j)) + "h" + static_cast<char>(i);
    object += "uq";
    object += static_cast<char>(i + 1);
  }
  EXPECT_EQ(message_of_bytes(legacy_file(object, {{"0", 1, floats({1})}})), "more than 100000 tensors");
}

TEST(PytorchFile, ATruncatedFileIsAClearError) {
  const std::string path = testing_support::scratch("truncated.ckpt");
  for (const char* name : {"specformer.ckpt", "specformer.fp16.legacy.ckpt"}) {
    const std::string whole = read_text(fixture(name));
    std::ofstream(path, std::ios::binary) << whole;
    Rng rng(5, RngStream::tests);
    std::vector<size_t> lengths;
    for (int trial = 0; trial < 200; ++trial) {
      lengths.push_back(static_cast<size_t>(rng.below(static_cast<int64_t>(whole.size()))));
    }
    std::ranges::sort(lengths, std::greater<>());
    for (const size_t length : lengths) {
      std::filesystem::resize_file(path, length);
      EXPECT_NE(message_of_opening(path), "accepted") << name << " at " << length;
    }
  }
}

using Values = std::vector<std::pair<std::string, std::vector<double>>>;

/// All tensors; nothing when there was an Error, which names the path. Anything else fails the test.
Values read_all(const std::string& path) {
  Values values;
  try {
    const auto file = PytorchFile::open(path);
    for (const auto& entry : file.entries()) {
      values.emplace_back(entry.name, file.read(entry.name, dtype_of_elements(entry.type), cpu).to_doubles());
    }
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), StartsWith(path + ": "));
    values.clear();
  }
  return values;
}

/// A copy of a fixture in which one byte at a time is changed.
class Changeable {
 public:
  explicit Changeable(const std::string& name)
      : path_(testing_support::scratch("changed_" + name)), bytes_(read_text(fixture(name))) {
    std::ofstream(path_, std::ios::binary) << bytes_;
  }
  size_t size() const { return bytes_.size(); }
  const std::string& path() const { return path_; }
  Values with_change(size_t at) {
    put(at, static_cast<char>(bytes_[at] ^ (1 + rng_.below(255))));
    const Values values = read_all(path_);
    put(at, bytes_[at]);
    return values;
  }

 private:
  void put(size_t at, char byte) const {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
  }
  std::string path_, bytes_;
  Rng rng_{6, RngStream::tests};
};

TEST(PytorchFile, AnyChangedByteOfAnArchiveIsAClearErrorOrLoadsTheSame) {
  Changeable file("specformer.ckpt");
  const Values whole = read_all(file.path());
  ASSERT_FALSE(whole.empty());
  const auto expect_same = [&](size_t at) {
    const Values values = file.with_change(at);
    EXPECT_TRUE(values.empty() || values == whole) << "byte " << at;
  };
  // The first header and the pickle; the directory, which takes the last 2201 bytes.
  for (size_t at = 0; at < 4700; at += 7) expect_same(at);
  for (size_t back = 1; back <= 2200; back += 3) expect_same(file.size() - back);
}

TEST(PytorchFile, AnyChangedByteOfTheOlderFormatIsAClearErrorOrLoads) {
  Changeable file("specformer.fp16.legacy.ckpt");
  for (size_t at = 0; at < 3936; at += 5) file.with_change(at);
}

}  // namespace
}  // namespace astroclip::io
