#include "data/survey_dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "base/error.h"
#include "data/fields.h"
#include "data/loader.h"
#include "data/preprocessing.h"
#include "io/weights/safetensors.h"
#include "support/fixtures.h"
#include "support/hdf5_files.h"
#include "support/scratch.h"

namespace astroclip::data {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;
using testing_support::Hdf5Written;
using testing_support::Stored;

constexpr size_t image_values = 3 * 152 * 152;

class SurveyDatasetTest : public testing::Test {
 protected:
  SurveyDatasetTest() { std::filesystem::create_directories(folder_); }
  ~SurveyDatasetTest() override { std::filesystem::remove_all(folder_); }

  /// Every pixel of object `first` + i tells which it is.
  static void write_images(Hdf5Written& file, int64_t first, int64_t rows, const Stored& stored) {
    std::vector<float> images;
    for (int64_t row = 0; row < rows; ++row)
      for (size_t pixel = 0; pixel < image_values; ++pixel)
        images.push_back(static_cast<float>(first + row) + static_cast<float>(pixel) / 131072.0F);
    file.write("images", {static_cast<hsize_t>(rows), 3, 152, 152}, images, stored);
  }
  static void write_integers(Hdf5Written& file, const std::string& name, const std::vector<int64_t>& values) {
    file.write(name, {values.size()}, values.data(), H5T_NATIVE_INT64, {.type = H5T_STD_I32LE});
  }
  std::string in_folder(const std::string& name) const { return folder_ + "/" + name; }
  /// Files b.h5 (rows 5, contiguous) and a.h5 (rows 6, compressed): objects 0 to 5, then 6 to 10.
  void write_two() const {
    Hdf5Written first(in_folder("a.h5")), second(in_folder("b.h5"));
    write_images(first, 0, 6, {.chunk = {4, 3, 152, 152}, .shuffle = true, .deflate = 1});
    write_images(second, 6, 5, {});
    first.write("z", {6}, {0, 1, 2, 3, 4, 5});
    second.write("z", {5}, {6, 7, 8, 9, 10});
    write_integers(first, "inds", {100, 101, 102, 103, 104, 105});
    write_integers(second, "inds", {106, 107, 108, 109, 110});
    first.write("only_here", {6}, {0, 0, 0, 0, 0, 0});
    first.write("shape", {6, 2}, std::vector<float>(12, 0.0F));
    second.write("shape", {5, 2}, std::vector<float>(10, 0.0F));
  }
  static HostBatch read(const SurveyDataset& dataset, Split split, const std::vector<int64_t>& rows,
                        const std::vector<std::string>& names) {
    HostBatch batch;
    dataset.read(split, rows, names, batch);
    return batch;
  }
  template <class T>
  static std::vector<T> column(const SurveyDataset& dataset, Split split, const std::vector<int64_t>& rows,
                               const std::string& name) {
    const HostBatch batch = read(dataset, split, rows, {name});
    const auto values = batch.at(name).values<T>();
    return {values.begin(), values.end()};
  }

  std::string folder_ = testing_support::scratch("survey");
};

TEST_F(SurveyDatasetTest, ReadsRowsAcrossFiles) {
  write_two();
  const SurveyDataset dataset({.files = {folder_}, .train_fraction = 1.0});
  EXPECT_EQ(dataset.size(Split::train), 11);
  EXPECT_EQ(dataset.size(Split::test), 0);
  std::vector<std::string> names;
  for (const auto& field : dataset.fields()) names.push_back(field.name + " " + field.shape.str());
  EXPECT_THAT(names, ElementsAre("image [3, 152, 152]", "object_id []", "inds []", "z []"));
  const std::vector<int64_t> rows = {10, 0, 5, 6, 7, 3, 3};
  const HostBatch batch = read(dataset, Split::train, rows, {"image", "z", "inds"});
  EXPECT_EQ(batch.at("image").shape, (Shape{7, 3, 152, 152}));
  const auto images = batch.at("image").values<float>();
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t pixel = 0; pixel < image_values; ++pixel)
      ASSERT_EQ(images[i * image_values + pixel], static_cast<float>(rows[i]) + static_cast<float>(pixel) / 131072.0F);
    EXPECT_EQ(batch.at("z").values<double>()[i], static_cast<double>(rows[i]));
    EXPECT_EQ(batch.at("inds").values<int64_t>()[i], 100 + rows[i]);
  }
}

TEST_F(SurveyDatasetTest, TakesIdsFromTheColumnThatIsNamedOrKnown) {
  write_two();
  const std::vector<int64_t> rows = {9, 2};
  const auto ids = [&](const std::vector<std::string>& files, const std::string& column) {
    const SurveyDataset dataset({.files = files, .object_id = column, .train_fraction = 1.0});
    return SurveyDatasetTest::column<int64_t>(dataset, Split::train, rows, "object_id");
  };
  EXPECT_THAT(ids({folder_}, ""), ElementsAre(9, 2));
  EXPECT_THAT(ids({folder_}, "inds"), ElementsAre(109, 102));
  {
    Hdf5Written legacy(in_folder("legacy.hdf5"));
    write_images(legacy, 0, 10, {});
    write_integers(legacy, "RELEASE", std::vector<int64_t>(10, 9010));
    write_integers(legacy, "BRICKID", std::vector<int64_t>(10, 330368));
    write_integers(legacy, "OBJID", {0, 1, 70000, 3, 4, 5, 6, 4194304, 8, 7});
  }
  // As desitarget's encode_targetid gives them.
  EXPECT_THAT(ids({in_folder("legacy.hdf5")}, ""), ElementsAre(39627784728870919, 39627784728870912 + 70000));
  const SurveyDataset legacy({.files = {in_folder("legacy.hdf5")}, .train_fraction = 1.0});
  EXPECT_THAT([&] { column<int64_t>(legacy, Split::train, {7}, "object_id"); },
              ThrowsMessage<Error>(in_folder("legacy.hdf5") + ": row 7: OBJID must be 0 to 4194303, found 4194304"));
  std::filesystem::remove(in_folder("legacy.hdf5"));
  EXPECT_THAT(
      [&] {
        ids({in_folder("b.h5"), in_folder("a.h5")}, "object");
      },
      ThrowsMessage<Error>(in_folder("b.h5") +
                           ": no column 'object' of object ids in every file; there are: images, inds, shape, z"));
}

TEST_F(SurveyDatasetTest, KeepsTextsAndUnsignedNumbersThatIdentifyObjects) {
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, 3);
  const std::string texts = "a-1a-2";
  const std::vector<uint64_t> large = {1, 9223372036854775813U};
  {
    Hdf5Written first(in_folder("text.h5")), second(in_folder("large.h5"));
    write_images(first, 0, 2, {});
    first.write("OBJECT_ID", {2}, texts.data(), text, {.type = text});
    write_images(second, 0, 2, {});
    second.write("TARGETID", {2}, large.data(), H5T_NATIVE_UINT64, {.type = H5T_STD_U64LE});
  }
  H5Tclose(text);
  const SurveyDataset named({.files = {in_folder("text.h5")}, .train_fraction = 1.0});
  const ObjectIds names = read_object_ids(named, Split::train, std::vector<int64_t>{1, 0});
  EXPECT_EQ(names.kind, IdKind::text);
  EXPECT_THAT(names.texts, ElementsAre("a-2", "a-1"));
  EXPECT_THAT(names.keys, ElementsAre(id_key("a-2"), id_key("a-1")));
  const SurveyDataset numbered({.files = {in_folder("large.h5")}, .train_fraction = 1.0});
  const ObjectIds numbers = read_object_ids(numbered, Split::train, std::vector<int64_t>{1, 0});
  EXPECT_EQ(numbers.kind, IdKind::uint64);
  EXPECT_EQ(static_cast<uint64_t>(numbers.keys[0]), 9223372036854775813U);
  EXPECT_THAT(
      [&] {
        SurveyDataset({.files = {in_folder("text.h5"), in_folder("large.h5")}});
      },
      ThrowsMessage<Error>(testing::HasSubstr("ids must be in all files or in none")));
}

TEST_F(SurveyDatasetTest, SaysThatRowsAreNumbered) {
  write_two();
  const SurveyDataset dataset({.files = {folder_}});
  EXPECT_EQ(field_of(dataset, "object_id").meaning, "the row's number, as the files have no ids");
}

TEST_F(SurveyDatasetTest, SearchesFoldersToAnyDepth) {
  std::filesystem::create_directories(in_folder("survey/healpix=583"));
  Hdf5Written(in_folder("survey/healpix=583/a.h5")).write("images", {1, 3, 152, 152}, std::vector<float>(image_values));
  const SurveyDataset dataset({.files = {folder_, folder_ + "/./survey/healpix=583/a.h5"}, .train_fraction = 1.0});
  EXPECT_EQ(dataset.size(Split::train), 1);
}

TEST_F(SurveyDatasetTest, FollowsLinksAndLeavesOutWhatIsHidden) {
  const std::string inside = in_folder("inside"), outside = testing_support::scratch("outside");
  for (const std::string& folder : {inside, in_folder(".ipynb_checkpoints"), outside + "/healpix=1"}) {
    std::filesystem::create_directories(folder);
    Hdf5Written file(folder + "/a.h5");
    write_images(file, 0, 1, {});
  }
  const auto size = [&] { return SurveyDataset({.files = {folder_}, .train_fraction = 1.0}).size(Split::train); };
  EXPECT_EQ(size(), 1);
  std::filesystem::create_directory_symlink(outside, inside + "/linked");
  std::filesystem::create_directory_symlink(folder_, inside + "/circle");
  std::filesystem::create_symlink(folder_ + "/gone.h5", inside + "/dangling.h5");
  EXPECT_EQ(size(), 2);
  std::filesystem::remove_all(outside);
}

TEST_F(SurveyDatasetTest, NamesACatalogueOfParquetFiles) {
  std::filesystem::create_directories(in_folder("dataset/Norder=1/Dir=0"));
  std::ofstream(in_folder("dataset/Norder=1/Dir=0/Npix=44.parquet")) << "PAR1";
  EXPECT_THAT([&] { SurveyDataset({.files = {folder_}}); },
              ThrowsMessage<Error>(testing::StartsWith(folder_ + ": the folder contains Parquet files (a HATS")));
}

TEST_F(SurveyDatasetTest, IdsAreInAllFilesOrInNone) {
  {
    Hdf5Written with(in_folder("a.h5")), without(in_folder("b.h5"));
    write_images(with, 0, 2, {});
    write_images(without, 2, 2, {});
    write_integers(with, "object_id", {500, 501});
  }
  EXPECT_THAT([&] { SurveyDataset({.files = {folder_}}); },
              ThrowsMessage<Error>(in_folder("b.h5") + ": has no column 'object_id', " + in_folder("a.h5") +
                                   " has one: ids must be in all files or in none"));
}

TEST_F(SurveyDatasetTest, SplitsEveryThousandRowsOfAFile) {
  for (const char* name : {"a.h5", "b.h5"}) {
    Hdf5Written file(in_folder(name));  // the images take no space: they are never written
    file.write("images", {2750, 3, 152, 152}, nullptr, H5T_NATIVE_FLOAT, {.chunk = {400, 3, 152, 152}, .deflate = 1});
    std::vector<float> numbers(2750);
    std::iota(numbers.begin(), numbers.end(), 0.0F);
    file.write("number", {2750}, numbers);
  }
  const SurveyDataset dataset({.files = {in_folder("*.h5")}, .train_fraction = 0.8});
  EXPECT_EQ(dataset.size(Split::train), 2 * (800 + 800 + 750));
  EXPECT_EQ(dataset.size(Split::test), 2 * (200 + 200));
  EXPECT_THAT(column<double>(dataset, Split::train, {0, 799, 800, 1600, 2349, 2350, 4699}, "number"),
              ElementsAre(0, 799, 1000, 2000, 2749, 0, 2749));
  EXPECT_THAT(column<double>(dataset, Split::test, {0, 199, 200, 399, 400, 799}, "number"),
              ElementsAre(800, 999, 1800, 1999, 800, 1999));
  EXPECT_THAT([&] { column<double>(dataset, Split::test, {800}, "number"); },
              ThrowsMessage<Error>(in_folder("a.h5") + " and 1 more: 800 test objects, row 800 was asked for"));
}

TEST_F(SurveyDatasetTest, PlansToReadAChunkAtOnce) {
  {
    Hdf5Written file(in_folder("a.h5")), other(in_folder("b.h5"));
    file.write("images", {1010, 3, 152, 152}, nullptr, H5T_NATIVE_FLOAT, {.chunk = {300, 3, 152, 152}, .deflate = 1});
    other.write("images", {2, 3, 152, 152}, nullptr, H5T_NATIVE_FLOAT, {});
  }
  const auto plan_of = [&](const std::string& file, Split split, int64_t cache_bytes) {
    const SurveyDataset dataset({.files = {in_folder(file)}, .train_fraction = 0.7, .cache_bytes = cache_bytes});
    return dataset.read_plan(split);
  };
  const auto ranges_of = [&](Split split) {
    std::vector<std::pair<int64_t, int64_t>> found;
    for (const auto& range : plan_of("*.h5", split, int64_t{2} << 30).ranges)
      found.emplace_back(range.begin, range.end);
    return found;
  };
  using P = std::pair<int64_t, int64_t>;
  // Rows 0 to 699 and 1000 to 1009 train; chunks begin at 0, 300, 600 and 900.
  EXPECT_THAT(ranges_of(Split::train),
              ElementsAre(P(0, 300), P(300, 600), P(600, 700), P(700, 710), P(710, 711), P(711, 712)));
  EXPECT_THAT(ranges_of(Split::test), ElementsAre(P(0, 200), P(200, 300)));
  // A chunk takes 300 · 3 · 152² · 4 bytes: 79.3 MB.
  EXPECT_EQ(plan_of("a.h5", Split::train, int64_t{2} << 30).window, 12);
  EXPECT_THAT(
      [&] { plan_of("a.h5", Split::train, int64_t{1} << 30); },
      ThrowsMessage<Error>(in_folder("a.h5") + ": chunks of 300 images take 80 MB: cache_mb = 1024 is too small "
                                               "to shuffle, at least 1270 is needed"));
  EXPECT_TRUE(plan_of("b.h5", Split::train, 0).ranges.empty());
}

TEST_F(SurveyDatasetTest, APlainViewIsThePublishedModelInput) {
  const auto fixture = io::SafetensorsFile::open(testing_support::fixture("to_rgb.safetensors"));
  const auto raw = fixture.read("raw_nanomaggies", DType::f32, {DeviceKind::cpu}).to_floats();
  const auto expected = fixture.read("model_input", DType::f32, {DeviceKind::cpu}).to_floats();
  std::vector<float> images;  // the fixture's axes are (x, y, band)
  for (size_t object = 0; object < 2; ++object)
    for (size_t band = 0; band < 3; ++band)
      for (size_t y = 0; y < 152; ++y)
        for (size_t x = 0; x < 152; ++x) images.push_back(raw[((object * 152 + x) * 152 + y) * 3 + band]);
  Hdf5Written(in_folder("a.h5")).write("images", {2, 3, 152, 152}, images, {.chunk = {1, 3, 152, 152}, .deflate = 4});
  const SurveyDataset dataset({.files = {folder_}, .train_fraction = 1.0});
  LoaderOptions options{.batch = 1, .steps = 1, .shuffle = false};
  Loader loader(dataset, {1}, {{{.name = "v", .modality = "image"}, {3, 144, 144}}}, {}, options);
  const HostArray view = loader.next().views.at("v");
  const auto out = view.values<float>();
  for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[out.size() + i], 1e-6) << i;
}

TEST_F(SurveyDatasetTest, TakesAnyNumberOfBandsTheSameInAllFiles) {
  Hdf5Written(in_folder("a.h5")).write("images", {2, 4, 152, 152}, std::vector<float>(2 * 4 * 152 * 152, 0.25F));
  const SurveyDataset dataset({.files = {folder_}, .train_fraction = 1.0});
  EXPECT_EQ(dataset.fields()[0].shape, (Shape{4, 152, 152}));
  // No stretch is known for four bands: views hold fluxes.
  Loader loader(dataset, {1}, {{{.name = "v", .modality = "image"}, {4, 8, 8}}}, {}, {.batch = 1, .steps = 1});
  const HostArray view = loader.next().views.at("v");
  EXPECT_EQ(view.shape, (Shape{1, 4, 8, 8}));
  EXPECT_THAT(view.values<float>(), testing::Each(0.25F));
  Hdf5Written(in_folder("b.h5")).write("images", {1, 3, 152, 152}, std::vector<float>(image_values));
  EXPECT_THAT([&] { SurveyDataset({.files = {folder_}}); },
              ThrowsMessage<Error>(in_folder("b.h5") + ": dataset 'images' has the shape [1, 3, 152, 152], expected "
                                                       "[N, 4, 152, 152]"));
}

TEST_F(SurveyDatasetTest, NamesWhatIsMissingOrMisshapen) {
  const auto message_of = [&](const std::string& file) {
    try {
      const SurveyDataset dataset({.files = {file}});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  const std::string path = in_folder("a.h5");
  EXPECT_EQ(message_of(path), path + ": no such file");
  EXPECT_EQ(message_of(folder_), folder_ + ": the folder contains no *.h5 or *.hdf5 files");
  EXPECT_EQ(message_of(in_folder("*.h5")), in_folder("*.h5") + ": no file matches the pattern");
  std::ofstream(path) << "text";
  EXPECT_EQ(message_of(path), path + ": is not an HDF5 file");
  Hdf5Written(path).write("image", {1}, {1.0F});
  EXPECT_EQ(message_of(path), path + ": has no dataset 'images'");
  Hdf5Written(path).write("images", {1, 152, 152, 3}, std::vector<float>(image_values));
  EXPECT_EQ(message_of(path), path + ": dataset 'images' has the shape [1, 152, 152, 3], expected [N, N, 152, 152]");
  Hdf5Written(path).write("images", {1, 3, 152, 152}, std::vector<float>(image_values), {.type = H5T_STD_I16LE});
  EXPECT_EQ(message_of(path), path + ": dataset 'images' holds i64, expected f32");
  Hdf5Written(path).write("images", {1, 3, 152, 152}, std::vector<float>(image_values));
  std::filesystem::resize_file(path, 5000);
  EXPECT_EQ(message_of(path), path + ": is truncated: it has 5000 bytes, fewer than its HDF5 header says");
}

/// Text of one length, as numpy's bytes are.
void write_texts(Hdf5Written& file, const std::string& name, const std::vector<hsize_t>& extents,
                 const std::string& all, size_t length) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, length);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  file.write(name, extents, all.data(), type, {.type = type});
  H5Tclose(type);
}

/// Of images with more bands than g, r, z, and more pixels, the layout's are taken.
TEST_F(SurveyDatasetTest, ReadsImagesOfTheMultimodalUniverse) {
  constexpr int64_t rows = 2, bands = 4, height = 160, width = 162;
  const auto value = [](int64_t row, int64_t band, int64_t y, int64_t x) {
    return static_cast<float>(((row * bands + band) * height + y) * width + x);
  };
  std::vector<float> images;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t band = 0; band < bands; ++band)
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x) images.push_back(value(row, band, y, x));
  std::filesystem::create_directories(in_folder("healpix=583"));
  const std::string path = in_folder("healpix=583/001-of-001.hdf5");
  const auto write = [&](const std::string& to, float scale) {
    Hdf5Written file(to);
    file.write("image_array", {rows, bands, height, width}, images, {.chunk = {1, 2, 80, 81}, .deflate = 1});
    write_texts(file, "image_band", {rows, bands}, "des-gdes-rdes-ides-zdes-gdes-rdes-ides-z", 5);
    write_texts(file, "object_id", {rows}, "0012m085-10012m085-2", 10);
    file.write("image_scale", {rows, bands}, std::vector<float>(rows * bands, scale));
    std::vector<float> mask(rows * height * width, 1.0F), ivar(rows * bands * height * width, 4.0F);
    mask[(height + 4) * width + 5] = 0.0F;  // the first pixel that is taken of the second object
    ivar[((0 * bands + 3) * height + 4 + 151) * width + 5 + 151] = 0.0F;  // the last one of the first object, in z
    file.write("image_mask", {rows, height, width}, mask);
    file.write("image_ivar", {rows, bands, height, width}, ivar);
    file.write("EBV", {rows}, {0.1F, 0.2F});
  };
  write(path, 0.262F);
  const SurveyDataset dataset({.files = {folder_}, .train_fraction = 1.0});
  EXPECT_EQ(field_of(dataset, "image").shape, (Shape{3, 152, 152}));
  const HostBatch batch = read(dataset, Split::train, {1, 0}, {"image"});
  const auto found = batch.at("image").values<float>();
  const int64_t plane_of[] = {0, 1, 3};
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t band = 0; band < 3; ++band)
      for (const auto& [y, x] : {std::pair<int64_t, int64_t>(0, 0), {151, 151}, {70, 33}})
        ASSERT_EQ(found[static_cast<size_t>(((i * 3 + band) * 152 + y) * 152 + x)],
                  (i == 0 && y == 0) || (i == 1 && band == 2 && y == 151) ? 0.0F
                                                                          : value(1 - i, plane_of[band], 4 + y, 5 + x));
  EXPECT_THAT(dataset.id_texts(Split::train, std::vector<int64_t>{1}), ElementsAre("0012m085-2"));
  EXPECT_EQ(column<double>(dataset, Split::train, {1}, "EBV")[0], static_cast<double>(0.2F));
  EXPECT_THAT(dataset.notes(),
              ElementsAre("pixels that image_mask or image_ivar takes out are 0; images with over 5 % of "
                          "them in a band count as not observed (has_image)",
                          "bands grz taken, i left out"));
  EXPECT_TRUE(stretch_of(dataset.preprocessing(), field_of(dataset, "image")).has_value());
  write(in_folder("hsc.h5"), 0.168F);
  EXPECT_THAT([&] { SurveyDataset({.files = {in_folder("hsc.h5")}}); },
              ThrowsMessage<Error>(testing::StartsWith(in_folder("hsc.h5") + ": its pixels are of 0.168")));
}

/// numpy's booleans, true where a pixel may be used; bands as the northern surveys call them.
TEST_F(SurveyDatasetTest, ImagesThatAreMaskedInLargePartWereNotObserved) {
  constexpr int64_t rows = 3, side = 152;
  const hid_t truth = H5Tenum_create(H5T_NATIVE_INT8);
  const int8_t no = 0, yes = 1;
  H5Tenum_insert(truth, "FALSE", &no);
  H5Tenum_insert(truth, "TRUE", &yes);
  const auto write = [&](const std::string& to, const std::string& bands, const std::vector<int64_t>& masked) {
    std::vector<int8_t> mask(rows * 3 * side * side, 1);
    for (size_t row = 0; row < masked.size(); ++row)
      for (int64_t i = 0; i < masked[row]; ++i)
        mask[static_cast<size_t>(((static_cast<int64_t>(row) * 3 + 1) * side * side) + i)] = 0;
    Hdf5Written file(to);
    file.write("image_flux", {rows, 3, side, side}, std::vector<float>(rows * 3 * side * side, 0.5F));
    write_texts(file, "image_band", {rows, 3}, bands, 6);
    file.write("image_scale", {rows, 3}, std::vector<float>(rows * 3, 0.262F));
    file.write("image_mask", {rows, 3, side, side}, mask.data(), truth, {.type = truth});
    write_integers(file, "object_id", {1, 2, 3});
  };
  const std::string north = "BASS-GBASS-RMzLS-z";
  write(in_folder("north.h5"), north + north + north, {0, 1155, 1156});  // of 23,104 pixels
  const SurveyDataset dataset({.files = {folder_}, .train_fraction = 1.0});
  EXPECT_THAT(rows_with(dataset, Split::train, {"image"}), ElementsAre(0, 1));
  EXPECT_THAT(column<double>(dataset, Split::train, {2, 0, 1}, "has_image"), ElementsAre(0, 1, 1));
  EXPECT_EQ(*dataset.preprocessing().find("image")->get_if<config::Table>()->find("bands")->get_if<std::string>(),
            "grz");
  write(in_folder("mixed.h5"), north + north + "BASS-GBASS-Rzband ", {});
  EXPECT_EQ(SurveyDataset({.files = {in_folder("mixed.h5")}}).size(Split::train), 3);
  write(in_folder("other.h5"), north + "BASS-GHSC-I MzLS-z" + north, {});
  EXPECT_THAT(
      [&] { SurveyDataset({.files = {in_folder("other.h5")}}); },
      ThrowsMessage<Error>(in_folder("other.h5") + ": its objects differ in 'image_band': plane 1 is 'r' in row "
                                                   "0 and 'i' in row 1"));
  H5Tclose(truth);
}

TEST_F(SurveyDatasetTest, ReadsSpectraOfTheMultimodalUniverse) {
  constexpr size_t pixels = 7781;
  const std::string path = in_folder("desi.hdf5");
  const hid_t truth = H5Tenum_create(H5T_NATIVE_INT8);
  const int8_t no = 0, yes = 1;
  H5Tenum_insert(truth, "FALSE", &no);
  H5Tenum_insert(truth, "TRUE", &yes);
  const auto write = [&](const std::string& to, float first_wavelength) {
    std::vector<float> flux(2 * pixels), ivar(2 * pixels, 4.0F), waves;
    std::vector<int8_t> mask(2 * pixels, 0);
    for (size_t i = 0; i < flux.size(); ++i) {
      flux[i] = static_cast<float>(i);
      waves.push_back(first_wavelength + 0.8F * static_cast<float>(i % pixels));
    }
    mask[11] = 1;
    ivar[pixels + 20] = 0.0F;
    flux[11] = flux[pixels + 20] = 999.0F;
    Hdf5Written file(to);
    file.write("spectrum_flux", {2, pixels}, flux);
    file.write("spectrum_ivar", {2, pixels}, ivar);
    file.write("spectrum_lambda", {2, pixels}, waves);
    file.write("spectrum_mask", {2, pixels}, mask.data(), truth, {.type = truth});
    write_integers(file, "object_id", {7, 8});
    file.write("Z", {2}, {0.1F, 0.2F});
  };
  write(path, 3600.0F);
  const SurveyDataset dataset({.files = {folder_}, .train_fraction = 1.0});
  const HostBatch batch = read(dataset, Split::train, {1, 0}, {"spectrum", "spectrum_ivar", "object_id"});
  const auto flux = batch.at("spectrum").values<float>(), ivar = batch.at("spectrum_ivar").values<float>();
  EXPECT_EQ(flux[pixels + 11], 11.0F) << "masked: a straight line between its neighbours";
  EXPECT_EQ(flux[20], static_cast<float>(pixels + 20));
  EXPECT_EQ(flux[21], static_cast<float>(pixels + 21));
  EXPECT_EQ(ivar[pixels + 11], 0.0F);
  EXPECT_EQ(ivar[pixels + 12], 4.0F);
  EXPECT_EQ(ivar[20], 0.0F);
  EXPECT_THAT(batch.at("object_id").values<int64_t>(), ElementsAre(8, 7));
  EXPECT_TRUE(dataset.notes().empty());
  write(in_folder("other.h5"), 3800.0F);
  EXPECT_THAT(
      [&] { SurveyDataset({.files = {in_folder("other.h5")}}); },
      ThrowsMessage<Error>(in_folder("other.h5") + ": pixel 0 of its spectra is at 3800.00 Å; on DESI's grid it "
                                                   "is at 3600.00 Å"));
  H5Tclose(truth);
}

}  // namespace
}  // namespace astroclip::data
