// The built program's `embed`: the published numbers, survival of kills, inputs of several layouts, and refusals.
#include <gmock/gmock.h>

#include <cmath>
#include <memory>
#include <numeric>

#include "base/rng.h"
#include "data/layouts/paired_file.h"
#include "data/preprocessing.h"
#include "embed/inputs.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "io/weights/safetensors.h"
#include "model/model.h"
#include "model/model_file.h"
#include "probe/probe_file.h"
#include "support/experiment_text.h"
#include "support/fixtures.h"
#include "support/hdf5_files.h"
#include "support/program.h"
#include "support/two_towers.h"
#include "support/whole_dataset.h"

namespace astroclip {
namespace {

namespace fs = std::filesystem;
using testing::Each;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing_support::fixture;
using testing_support::Hdf5Written;
using testing_support::Outcome;
using testing_support::run_and_signal;
using testing_support::run_program;
using testing_support::scratch;
using testing_support::two_towers;
using testing_support::whole_dataset;

constexpr int64_t width = 48;

std::string written(const std::string& name, const std::string& text) {
  const std::string path = scratch(name);
  io::write_text(path, text);
  return path;
}

std::vector<float> fixture_values(const std::string& name) {
  const Device cpu{DeviceKind::cpu};
  return io::SafetensorsFile::open(fixture("astroclip.io.safetensors")).read(name, DType::f32, cpu).to_floats();
}

/// The fixtures' two spectra, with images of one colour each.
const std::string& paired_input() {
  static const std::string path = [] {
    const std::vector<float> spectra = fixture_values("spectra");
    std::vector<float> images(2 * 3 * 152 * 152, 0.1F);
    std::fill_n(images.begin(), images.size() / 2, 0.3F);
    const std::string to = scratch("pairs.h5");
    const int64_t groups[] = {2};
    data::PairedWriter writer(to, groups, {}, false);
    const double redshifts[] = {0.1, 0.2};
    const int64_t ids[] = {39627, 39628};
    writer.write({.count = 2, .images = images, .spectra = spectra, .redshifts = redshifts, .object_ids = ids});
    writer.commit();
    return to;
  }();
  return path;
}

/// A survey file whose images are dark but for one bright pixel each; it takes no room on a disk that knows holes.
std::string survey_input(const std::string& name, int64_t rows) {
  const std::string path = scratch(name);
  const std::vector<hsize_t> shape = {static_cast<hsize_t>(rows), 3, 152, 152};
  {
    Hdf5Written file(path);
    file.write("images", shape, nullptr, H5T_NATIVE_FLOAT, {.early = true});
    std::vector<int64_t> ids(static_cast<size_t>(rows));
    std::iota(ids.begin(), ids.end(), int64_t{500000});
    file.write("object_id", {shape[0]}, ids.data(), H5T_NATIVE_INT64, {.type = H5T_STD_I64LE});
  }
  const int64_t begin = io::Hdf5File::open(path).layout("images").offset;
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  Rng rng(5, RngStream::tests);
  for (int64_t row = 0; row < rows; ++row) {
    const auto band = static_cast<int64_t>(rng.below(3)), x = static_cast<int64_t>(70 + rng.below(12));
    const float bright = static_cast<float>(rng.uniform()) + 0.1F;
    file.seekp(begin + (((row * 3 + band) * 152 + 75) * 152 + x) * int64_t{sizeof bright});
    file.write(reinterpret_cast<const char*>(&bright), sizeof bright);
  }
  return path;
}

std::string embed_arguments(const std::string& weights, const std::string& inputs, const std::string& output) {
  return "embed --model '" + weights + "' --input " + inputs + " --output '" + output + "'";
}

/// Three images whose identifiers a test chooses; contiguous ones take little time.
std::string input_with_ids(const std::string& name, const void* ids, hid_t type) {
  const std::string path = scratch(name);
  Hdf5Written file(path);
  file.group("0");
  std::vector<float> images(3 * 152 * 152 * 3, 0.1F);
  images[0] = 1.0F;
  file.write("0/images", {3, 152, 152, 3}, images);
  file.write("0/targetids", {3}, ids, type, {.type = type});
  return path;
}

TEST(Embed, KeepsIdentifiersAsTheFileHasThem) {
  const auto embedded = [&](const std::string& input, const std::string& name) {
    const std::string output = scratch(name);
    const Outcome outcome = run_program(embed_arguments(two_towers(), input, output) + " --precision f32");
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return io::Hdf5File::open(output).read_ids("object_id", std::vector<int64_t>{0, 1, 2});
  };
  const std::vector<uint64_t> numbers = {9223372036854775810U, 14127161586843054080U, 1};
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, 8);
  const std::string texts("J1200+05J12\0\0\0\0\0spec-1\0\0", 24);
  const std::string unsigned_input = input_with_ids("uint64.h5", numbers.data(), H5T_NATIVE_UINT64);
  const std::string text_input = input_with_ids("texts.h5", texts.data(), text);
  H5Tclose(text);
  const ObjectIds of_numbers = embedded(unsigned_input, "of_numbers.h5");
  EXPECT_EQ(of_numbers.kind, IdKind::uint64);
  EXPECT_EQ(static_cast<uint64_t>(of_numbers.keys[1]), numbers[1]);
  EXPECT_THAT(embedded(text_input, "of_texts.h5").texts, testing::ElementsAre("J1200+05", "J12", "spec-1"));
  // Where inputs differ, all are texts.
  const std::string both = scratch("both.h5");
  const Outcome outcome = run_program(embed_arguments(two_towers(), unsigned_input + " " + text_input, both));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(io::Hdf5File::open(both).read_ids("object_id", std::vector<int64_t>{1, 3}).texts,
              testing::ElementsAre("14127161586843054080", "J1200+05"));
}

TEST(Embed, GivesThePublishedEmbeddings) {
  const std::string output = scratch("published.h5");
  const Outcome outcome =
      run_program(embed_arguments(two_towers(), "'" + paired_input() + "'", output) + " --precision f32");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(whole_dataset<float>(output, "spectrum_embeddings"),
              testing::Pointwise(testing::FloatNear(1e-4F), fixture_values("spectrum_embedding")));
  const std::vector<float> images = whole_dataset<float>(output, "image_embeddings");
  ASSERT_EQ(images.size(), size_t{2 * width});
  EXPECT_NE(std::vector(images.begin(), images.begin() + width), std::vector(images.begin() + width, images.end()));
  EXPECT_THAT(whole_dataset<int64_t>(output, "object_id"), ElementsAre(39627, 39628));
  // Whatever is faster here, "auto" goes on with what an output was begun with.
  const Outcome again =
      run_program(embed_arguments(two_towers(), "'" + paired_input() + "'", output) + " --precision auto");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.out, testing::HasSubstr("0 of them now"));
}

TEST(Embed, TakesSeveralLayoutsAndLeavesMissingModalitiesBlank) {
  const std::string survey = survey_input("three.h5", 3), output = scratch("layouts.h5");
  const Outcome outcome =
      run_program(embed_arguments(two_towers(), "'" + survey + "' '" + paired_input() + "'", output) + " --batch 2");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              EndsWith("5 objects, 5 of them now, in " + outcome.out.substr(outcome.out.rfind("in ") + 3)));
  const std::vector<float> spectra = whole_dataset<float>(output, "spectrum_embeddings"),
                           images = whole_dataset<float>(output, "image_embeddings");
  ASSERT_EQ(spectra.size(), size_t{5 * width});
  const auto is_nan = testing::Truly([](float value) { return std::isnan(value); });
  EXPECT_THAT(std::vector(spectra.begin(), spectra.begin() + 3 * width), Each(is_nan));
  EXPECT_THAT(std::vector(spectra.begin() + 3 * width, spectra.end()), Each(testing::Not(is_nan)));
  EXPECT_THAT(images, Each(testing::Not(is_nan)));
  EXPECT_THAT(whole_dataset<int64_t>(output, "object_id"), ElementsAre(500000, 500001, 500002, 39627, 39628));
}

TEST(Embed, BeforeAlignmentGivesTheTowersOwnEmbedding) {
  const std::string output = scratch("pool.h5");
  const Outcome outcome = run_program(embed_arguments(two_towers(), "'" + paired_input() + "'", output) +
                                      " --embedding pool --modality spectrum --precision f32");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const io::Hdf5File file = io::Hdf5File::open(output);
  EXPECT_FALSE(file.contains("image_embeddings"));
  EXPECT_EQ(file.shape("spectrum_embeddings"), (Shape{2, width}));
  EXPECT_THAT(whole_dataset<float>(output, "spectrum_embeddings"),
              testing::Not(testing::Pointwise(testing::FloatNear(1e-2F), fixture_values("spectrum_embedding"))));
}

/// A ridge probe on the embedding of an encoder of the fixtures' model, which gives the sum of its first `columns`.
std::string sum_probe(const std::string& name, const std::string& encoder, size_t columns,
                      const std::map<std::string, std::string>& changes = {}) {
  const std::vector<double> ones(columns, 1.0), none(columns, 0.0);
  const Tensor weight = Tensor::from_host(ones, {1, static_cast<int64_t>(columns)}, DType::f64, Device::host()),
               bias = Tensor::from_host(std::vector<double>{0.5}, {1}, DType::f64, Device::host());
  const probe::FittedProbe fitted{
      "ridge",
      "redshift",
      {"redshift"},
      probe::Target::numbers,
      probe::Protocol::own,
      probe::Standardiser(none, ones),
      probe::restore("ridge", {{"weight", weight}, {"bias", bias}}, probe::Target::numbers)};
  auto metadata = fitted.metadata();
  metadata.insert({{"encoder", encoder},
                   {"embedding", "head"},
                   {"model_hash", read_model_description(two_towers()).hash},
                   {"trained_on", "80 objects"}});
  for (const auto& [key, value] : changes) metadata[key] = value;
  const std::string path = scratch(name);
  io::write_safetensors(path, fitted.tensors(), metadata);
  return path;
}

TEST(Embed, AppliesProbes) {
  const std::string output = scratch("probed.h5"), survey = survey_input("two.h5", 2);
  const std::string of_image = sum_probe("of_image.safetensors", "image", width),
                    of_spectrum = sum_probe("of_spectrum.safetensors", "spectrum", width);
  const Outcome outcome =
      run_program(embed_arguments(two_towers(), "'" + paired_input() + "' '" + survey + "'", output) + " --probe '" +
                  of_image + "' '" + of_spectrum + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const std::string encoder : {"image", "spectrum"}) {
    const std::vector<float> embeddings = whole_dataset<float>(output, encoder + "_embeddings");
    const std::vector<double> found = whole_dataset<double>(output, encoder + "_redshift_ridge");
    ASSERT_EQ(found.size(), 4U);
    for (size_t row = 0; row < 4; ++row) {
      double sum = 0.5;
      for (size_t column = 0; column < width; ++column) sum += double{embeddings[row * width + column]};
      // The survey has no spectra.
      if (encoder == "spectrum" && row >= 2) {
        EXPECT_TRUE(std::isnan(found[row]));
      } else {
        EXPECT_NEAR(found[row], sum, 1e-9);
      }
    }
  }
  EXPECT_THAT(io::Hdf5File::open(output).attribute("probes"),
              testing::StartsWith("image_redshift_ridge: redshift, protocol own, of 80 objects; hash "));
}

TEST(Embed, RefusesAProbeOfOtherEmbeddings) {
  const std::string output = scratch("not_probed.h5"), hash = read_model_description(two_towers()).hash;
  const auto refusal = [&](const std::string& probe, const std::string& more = "") {
    const Outcome outcome = run_program(embed_arguments(two_towers(), "'" + paired_input() + "'", output) +
                                        " --probe '" + probe + "'" + more);
    EXPECT_NE(outcome.status, 0);
    EXPECT_FALSE(fs::exists(output));
    return outcome.err;
  };
  const std::string error = "astroclip: error: ";
  const std::string foreign = sum_probe("foreign.safetensors", "image", width, {{"model_hash", "abc"}});
  EXPECT_EQ(refusal(foreign), error + foreign + ": was fitted on embeddings of the model abc; " + two_towers() +
                                  " is the model " + hash + "\n");
  const std::string wide = sum_probe("wide.safetensors", "image", width + 1);
  EXPECT_EQ(refusal(wide), error + wide + ": takes vectors of 49 columns; the embedding 'image' has 48\n");
  const std::string own = sum_probe("own.safetensors", "image", width);
  EXPECT_EQ(refusal(own, " --embedding pool"),
            error + own + ": was fitted on embeddings that --embedding head gives, not pool\n");
  EXPECT_EQ(refusal(own, " --modality spectrum"),
            error + own + ": takes the embedding 'image', which is not among those to write\n");
  EXPECT_EQ(refusal(own + "' '" + own), error + own + ": another --probe predicts image_redshift_ridge, too\n");
  EXPECT_EQ(refusal(two_towers()),
            error + two_towers() + ": is not a file of a probe: its metadata has no \"probe\"\n");
}

TEST(Embed, KilledAtRandomMomentsItEndsWithTheSameBytes) {
  const std::string architecture = written("small.toml", R"([encoders.image]
plugin = "vit"
image = 24
dim = 12
depth = 1
heads = 1
chunks = 1
head = { width = 12, heads = 1 }
)");
  const std::string survey = survey_input("large.h5", 6000);
  const std::vector<EncoderSpec> encoders = load_architecture(architecture);
  const std::string small = scratch("small.safetensors");
  write_model_file(small, Model(encoders, {DeviceKind::cpu}, 0).state(),
                   {encoders, data::published_preprocessing(), {}}, {});
  const std::string alone = scratch("alone.h5"), killed = scratch("killed.h5");
  Outcome outcome = run_program(embed_arguments(small, "'" + survey + "'", alone));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  Rng rng(3, RngStream::tests);
  uint64_t longest = 1000;  // ms; less where the machine finishes before
  for (int kills = 0; kills < 10;) {
    const std::chrono::milliseconds wait(rng.below(longest));
    const int status =
        run_and_signal({"embed", "--model", small, "--input", survey, "--output", killed}, wait, SIGKILL);
    if (status == 128 + SIGKILL) {
      ++kills;
      continue;
    }
    longest = std::max<uint64_t>(longest / 2, 1);
    fs::remove(killed);
  }
  outcome = run_program(embed_arguments(small, "'" + survey + "'", killed));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(io::read_text(killed) == io::read_text(alone));
  fs::remove(survey);
}

/// Small towers of the template dataset's images and spectra.
std::string my_model() {
  const std::string architecture = written("mine.toml", testing_support::template_towers);
  const std::vector<EncoderSpec> encoders = load_architecture(architecture);
  const std::string path = scratch("mine.safetensors");
  write_model_file(path, Model(encoders, {DeviceKind::cpu}, 0).state(), {encoders, {}, {}}, {});
  return path;
}

TEST(Embed, TakesAnyDatasetPlugin) {
  const std::string model = my_model(), output = scratch("mine.h5"), other = scratch("mine_too.h5");
  const std::string begin = "--plugins '" TEST_DATASETS "' embed --model '" + model + "' --output '";
  Outcome outcome = run_program(begin + output + "' --dataset my_dataset --set dataset.objects=20 dataset.pixels=64");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  // Training objects, then test objects; ids are rows among all.
  std::vector<int64_t> ids(20);
  std::iota(ids.begin(), ids.end(), 0);
  EXPECT_EQ(whole_dataset<int64_t>(output, "object_id"), ids);
  const std::vector<float> images = whole_dataset<float>(output, "image_embeddings");
  ASSERT_EQ(images.size(), 240U);
  EXPECT_THAT(images, Each(testing::Truly([](float value) { return std::isfinite(value); })));
  EXPECT_NE(std::vector(images.begin(), images.begin() + 12), std::vector(images.end() - 12, images.end()));
  // The same from the section [dataset] of a file.
  const std::string file = written("dataset.toml", "[dataset]\nplugin = \"my_dataset\"\nobjects = 20\npixels = 64\n");
  outcome = run_program(begin + other + "' --dataset '" + file + "'");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(whole_dataset<float>(other, "image_embeddings"), images);
  // Other objects do not go on with an output of these.
  outcome =
      run_program(begin + output + "' --dataset my_dataset --set dataset.objects=20 dataset.pixels=64 dataset.seed=2");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr(output + ": "));
}

TEST(Embed, RefusesADatasetThatIsNone) {
  const std::string begin =
      "--plugins '" TEST_DATASETS "' embed --model '" + my_model() + "' --output '" + scratch("no.h5") + "' ";
  const auto refusal = [&](const std::string& arguments) { return run_program(begin + arguments).err; };
  EXPECT_THAT(refusal("--dataset my_datset"), HasSubstr("there is no dataset 'my_datset'"));
  EXPECT_THAT(refusal("--dataset my_dataset --set dataset.pixel=64"),
              HasSubstr("[dataset] plugin 'my_dataset' has no parameter 'pixel'; did you mean 'pixels'?"));
  EXPECT_THAT(refusal("--dataset my_dataset --set dataset.pixels=65"),
              HasSubstr("[dataset] view 'spectrum [64]': the encoder takes [64], field 'spectrum' is [65]"));
  const std::string file = written("empty.toml", "[experiment]\nseed = 1\n");
  EXPECT_THAT(refusal("--dataset '" + file + "'"), HasSubstr(file + ": has no section [dataset]"));
  EXPECT_THAT(refusal(""), HasSubstr("embed needs --input or --dataset"));
  EXPECT_THAT(refusal("--dataset my_dataset --input '" + paired_input() + "'"),
              HasSubstr("embed needs --input or --dataset"));
}

TEST(Embed, BadInputIsAClearError) {
  const std::string output = scratch("refused.h5"), pairs = "'" + paired_input() + "'";
  const auto refusal = [&](const std::string& arguments) {
    const Outcome outcome = run_program(arguments);
    EXPECT_NE(outcome.status, 0);
    EXPECT_FALSE(fs::exists(output));
    return outcome.err;
  };
  EXPECT_EQ(
      refusal(embed_arguments(fixture("astroclip.ckpt"), pairs, output)),
      "astroclip: error: " + fixture("astroclip.ckpt") +
          ": does not tell its architecture; astroclip convert IN OUT --architecture FILE.toml writes a file that "
          "does\n");
  EXPECT_EQ(refusal(embed_arguments(two_towers(), pairs, output) + " --modality photometry"),
            "astroclip: error: " + two_towers() + ": has no encoder for 'photometry', only for image and spectrum\n");
  EXPECT_EQ(refusal(embed_arguments(two_towers(), pairs, output) + " --embedding mean"),
            "astroclip: error: --embedding must be one of head, pool, found 'mean'\nsee: astroclip embed --help\n");
  EXPECT_EQ(refusal(embed_arguments(two_towers(), pairs, output) + " --batch 0"),
            "astroclip: error: --batch must be an integer from 1 to 65536, found '0'\nsee: astroclip embed --help\n");
  EXPECT_THAT(refusal(embed_arguments(two_towers(), "'" + two_towers() + "'", output)), HasSubstr(two_towers()));
  EXPECT_THAT(refusal(embed_arguments(two_towers(), "/nowhere/x.h5", output)), HasSubstr("/nowhere/x.h5"));
}

/// A model file whose tensors do not have the hash in its metadata is damaged.
TEST(Embed, RefusesTensorsThatWereChanged) {
  const std::string changed = scratch("changed.safetensors"), output = scratch("changed.h5");
  std::string bytes = io::read_text(two_towers());
  bytes.back() ^= 1;
  io::write_text(changed, bytes);
  const Outcome outcome = run_program(embed_arguments(changed, "'" + paired_input() + "'", output));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr(changed + ": damaged: the hash of its tensors is "));
  EXPECT_FALSE(fs::exists(output));
}

/// A folder may hold the output of an earlier call, which is no input.
TEST(Embed, TakesAPairedFileOfImagesAlone) {
  const std::string folder = scratch("images_alone"), input = folder + "/a.h5", output = folder + "/embedded.h5";
  fs::create_directories(folder);
  {
    Hdf5Written file(input);
    file.group("0");
    file.write("0/images", {1, 152, 152, 3}, std::vector<float>(3 * 152 * 152, 0.5F));
    const int64_t id = 77;
    file.write("0/targetids", {1}, &id, H5T_NATIVE_INT64, {.type = H5T_NATIVE_INT64});
  }
  for (int call = 0; call < 2; ++call) {
    const Outcome outcome = run_program(embed_arguments(two_towers(), "'" + folder + "'", output));
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const auto file = io::Hdf5File::open(output);
    EXPECT_TRUE(file.contains("image_embeddings"));
    EXPECT_FALSE(file.contains("spectrum_embeddings"));
  }
}

TEST(Embed, RefusesToGoOnWithAnotherModelsOutput) {
  const std::string output = scratch("other.h5");
  const std::string inputs = "'" + paired_input() + "'";
  ASSERT_EQ(run_program(embed_arguments(two_towers(), inputs, output)).status, 0);
  const std::string before = io::read_text(output);
  const Outcome outcome = run_program(embed_arguments(two_towers(), inputs, output) + " --embedding pool");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr(output + ": "));
  EXPECT_THAT(outcome.err, HasSubstr("embedding"));
  EXPECT_TRUE(io::read_text(output) == before);
}

TEST(Embed, KnowsItsInputsByTheirContents) {
  const std::string input = survey_input("contents.h5", 3), output = scratch("of_contents.h5");
  ASSERT_EQ(run_program(embed_arguments(two_towers(), "'" + input + "'", output)).status, 0);
  const std::filesystem::path there(input);
  const std::string moved = scratch("moved.h5"), spelt = (there.parent_path() / "." / there.filename()).string();
  std::filesystem::copy_file(input, moved, std::filesystem::copy_options::overwrite_existing);
  for (const std::string& same : {spelt, moved}) {
    const Outcome outcome = run_program(embed_arguments(two_towers(), "'" + same + "'", output));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("3 objects, 0 of them now"));
  }
  const int64_t begin = io::Hdf5File::open(input).layout("images").offset;
  const float other = 2.0F;
  std::fstream(input, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(begin)
      .write(reinterpret_cast<const char*>(&other), sizeof other);
  const Outcome outcome = run_program(embed_arguments(two_towers(), "'" + input + "'", output));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr(output + ": was made when " + input + " had other contents"));
}

TEST(Embed, SaysThatObjectsAreNumberedByTheirRows) {
  const std::string input = scratch("numbered.h5");
  Hdf5Written(input).write("images", {2, 3, 152, 152}, std::vector<float>(2 * 3 * 152 * 152, 0.5F));
  const Outcome outcome = run_program(embed_arguments(two_towers(), "'" + input + "'", scratch("of_numbered.h5")));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(input + ": object_id is the row's number, as the files have no ids"));
}

/// Columns that no model needs: a text, a table of two columns, a group of something else, and labels never written.
TEST(Embed, LeavesOutWhatItDoesNotNeedAndSaysSo) {
  const std::string input = scratch("odd_columns.h5");
  {
    Hdf5Written file(input);
    file.group("0");
    file.group("about");
    file.write("0/images", {2, 152, 152, 3}, std::vector<float>(2 * 3 * 152 * 152, 0.5F));
    const std::vector<int64_t> ids = {77, 78};
    file.write("0/targetids", {2}, ids.data(), H5T_NATIVE_INT64, {.type = H5T_NATIVE_INT64});
    file.write("0/mass", {2}, nullptr, H5T_NATIVE_FLOAT, {});
    file.write("0/colours", {2, 2}, {1.0F, 2.0F, 3.0F, 4.0F});
    const std::vector<const char*> names = {"a", "b"};
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    file.write("0/name", {2}, names.data(), text, {.type = text});
    H5Tclose(text);
  }
  const Outcome outcome = run_program(embed_arguments(two_towers(), "'" + input + "'", scratch("of_odd_columns.h5")));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(input + ": labels that cannot be read, and are left out: mass"));
  EXPECT_THAT(outcome.out,
              HasSubstr(input + ": left out, as they are not one number or text for each object: colours, group "
                                "about\n"));
}

TEST(Embed, NamesTheInputThatChanged) {
  const std::string output = scratch("of_three.h5");
  std::string inputs;
  std::vector<std::string> paths;
  for (const char* name : {"first", "second", "third"}) {
    paths.push_back(scratch(std::string(name) + "_of_three.h5"));
    std::filesystem::copy_file(paired_input(), paths.back(), std::filesystem::copy_options::overwrite_existing);
    inputs += "'" + paths.back() + "' ";
  }
  ASSERT_EQ(run_program(embed_arguments(two_towers(), inputs, output)).status, 0);
  const int64_t begin = io::Hdf5File::open(paths[1]).layout("0/images").offset;
  const float other = 2.0F;
  std::fstream(paths[1], std::ios::in | std::ios::out | std::ios::binary)
      .seekp(begin)
      .write(reinterpret_cast<const char*>(&other), sizeof other);
  const Outcome outcome = run_program(embed_arguments(two_towers(), inputs, output));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr(output + ": was made when " + paths[1] + ", file 2 of 3, had other contents"));
}

/// 10,000 small files were held in memory to the last, decoded, by the survey's cache of a gigabyte.
TEST(Embed, HoldsFewDecodedChunksOfSurveyFiles) {
  const std::string input = scratch("chunks_of_a_survey.h5");
  Hdf5Written(input).write("images", {4, 3, 152, 152}, std::vector<float>(4 * 3 * 152 * 152, 0.5F),
                           {.chunk = {2, 3, 152, 152}, .deflate = 1});
  embed::Request request;
  request.inputs = {input};
  const int64_t bytes = 2 * 3 * 152 * 152 * 4;
  EXPECT_EQ(embed::open_inputs(request)[0].objects->read_plan(Split::train).window, (int64_t{256} << 20) / 2 / bytes);
}

}  // namespace
}  // namespace astroclip
