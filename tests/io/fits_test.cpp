#include "io/fits.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "io/output/durable_file.h"
#include "support/fits_files.h"
#include "support/real_data.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::ThrowsMessage;
using testing_support::FitsWriter;

class FitsTest : public testing::Test {
 protected:
  std::string path(const std::string& name = "file.fits") const { return testing_support::scratch("fits_" + name); }
  /// An image of two rows, and a table.
  std::string two_hdus() const {
    const std::string file = path();
    FitsWriter(file)
        .image("", {2, 3}, {1, 2, 3, 4, 5, NAN})
        .key("CRVAL1", 146.5)
        .table("GALAXIES", 2,
               {{"Z", "D", {0.25, 0.5}},
                {"TARGETID", "K", {}, {39633123456789012, -3}},
                {"NAME", "10A", {}, {}, {" first", "second"}},
                {"COEFF", "2D", {1, 2, 3, 4}}});
    return file;
  }
};

TEST_F(FitsTest, ListsHdusAndReadsThem) {
  const auto file = FitsFile::open(two_hdus());
  ASSERT_EQ(file.hdus().size(), 2U);
  EXPECT_EQ(file.hdus()[0].name, "PRIMARY");
  EXPECT_EQ(file.hdus()[0].shape, (Shape{2, 3}));
  EXPECT_EQ(file.hdu("galaxies").rows, 2);
  EXPECT_THAT(file.hdu("GALAXIES").columns, ElementsAre("Z", "TARGETID", "NAME", "COEFF"));
  const auto pixels = file.image("PRIMARY");
  EXPECT_EQ(pixels[3], 4.0);
  EXPECT_TRUE(std::isnan(pixels[5]));
  EXPECT_THAT(file.column("GALAXIES", "z"), ElementsAre(0.25, 0.5));
  EXPECT_THAT(file.id_column("GALAXIES", "TARGETID"), ElementsAre("39633123456789012", "-3"));
  EXPECT_THAT(file.text_column("GALAXIES", "NAME"), ElementsAre("first", "second"));
  EXPECT_THAT(file.header("PRIMARY"), testing::HasSubstr("CRVAL1  =                146.5"));
  EXPECT_EQ(file.header("GALAXIES").size() % 80, 0U);
  EXPECT_TRUE(file.has_column("GALAXIES", "Z"));
  EXPECT_FALSE(file.has_column("STARS", "Z"));
}

TEST_F(FitsTest, SaysWhatWasExpectedAndFound) {
  const std::string name = two_hdus();
  const auto file = FitsFile::open(name);
  EXPECT_THAT([&] { file.image("FLUX"); },
              ThrowsMessage<Error>(name + ": has no HDU 'FLUX'; it has PRIMARY, GALAXIES"));
  EXPECT_THAT(
      [&] {
        file.image("PRIMARY", {2, 4});
      },
      ThrowsMessage<Error>(name + ": HDU 'PRIMARY': expected an image of shape [2, 4], found [2, 3]"));
  EXPECT_THAT([&] { file.image("GALAXIES"); },
              ThrowsMessage<Error>(name + ": HDU 'GALAXIES': expected an image, found a table"));
  EXPECT_THAT([&] { file.column("GALAXIES", "RA"); },
              ThrowsMessage<Error>(name + ": HDU 'GALAXIES' has no column 'RA'; it has Z, TARGETID, NAME, COEFF"));
  EXPECT_THAT([&] { file.column("GALAXIES", "COEFF"); },
              ThrowsMessage<Error>(name + ": HDU 'GALAXIES', column 'COEFF': expected one number per row, found 2 "
                                          "numbers"));
  EXPECT_THAT([&] { file.column("GALAXIES", "NAME"); },
              ThrowsMessage<Error>(name + ": HDU 'GALAXIES', column 'NAME': expected one number per row, found text"));
}

/// astropy and ds9 read such files, too.
TEST_F(FitsTest, IgnoresPaddingAfterTheLastHduWithAWarning) {
  const std::string name = two_hdus(), whole = read_text(name);
  EXPECT_EQ(FitsFile::open(name).warning(), "");
  for (const std::string& padding :
       {std::string(2880, '\0'), std::string("\n"), std::string(100000, ' '), std::string("\r\n\x1a")}) {
    write_text(name, whole + padding);
    const auto file = FitsFile::open(name);
    EXPECT_EQ(file.warning(), fmt::format("{} bytes of padding after the last HDU are ignored", padding.size()));
    EXPECT_EQ(file.hdus().size(), 2U);
    EXPECT_EQ(file.image("PRIMARY")[3], 4.0);
    EXPECT_THAT(file.column("GALAXIES", "Z"), ElementsAre(0.25, 0.5));
  }
  for (const std::string& more : {std::string(2880, '\0') + "x", std::string("XTENSION= 'IMAGE   '")}) {
    write_text(name, whole + more);
    EXPECT_THAT([&] { FitsFile::open(name); },
                ThrowsMessage<Error>(
                    fmt::format("{}: is damaged: the {} bytes after HDU 2 are not an HDU", name, more.size())));
  }
}

/// A header that a damaged byte made absurd is an error before cfitsio divides by it or reserves memory for it.
TEST_F(FitsTest, RefusesAbsurdHeadersOfCompressedImages) {
  const std::string name = path();
  FitsWriter(name).empty_primary();
  fitsfile* open = nullptr;
  int status = 0;
  fits_open_diskfile(&open, name.c_str(), READWRITE, &status);
  fits_set_compression_type(open, RICE_1, &status);
  long axes[] = {20, 20};
  fits_create_img(open, LONG_IMG, 2, axes, &status);
  std::vector<double> values(400);
  std::iota(values.begin(), values.end(), 1.0);
  fits_write_img(open, TDOUBLE, 1, 400, values.data(), &status);
  fits_close_file(open, &status);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(FitsFile::open(name).image("HDU 2"), values);
  const std::string whole = read_text(name);
  const auto with = [&](const std::string& card, const std::string& value) {
    std::string changed = whole;
    const size_t at = changed.find(card + " ");
    changed.replace(at + 10, 20, fmt::format("{:>20}", value));
    write_text(name, changed);
  };
  for (const char* tile : {"0", "-3", "4294967296"}) {
    with("ZTILE1", tile);
    EXPECT_THAT([&] { FitsFile::open(name); },
                ThrowsMessage<Error>(fmt::format("{}: is damaged: HDU 2 has ZTILE1 = {}", name, tile)));
  }
  for (const char* block : {"0", "-1", "0.5"}) {
    with("ZVAL1", block);
    EXPECT_THAT([&] { FitsFile::open(name); },
                ThrowsMessage<Error>(
                    fmt::format("{}: is damaged: HDU 2 has blocks of {} pixels for Rice code (ZVAL1)", name, block)));
  }
  const size_t end = whole.find("END" + std::string(77, ' '), 2880);
  std::string large = whole;
  large[(end / 2880 + 1) * 2880] = 0x7F;  // of the first tile's descriptor, the first byte of its length
  write_text(name, large);
  EXPECT_THAT([&] { FitsFile::open(name).image("HDU 2"); },
              ThrowsMessage<Error>(testing::StartsWith(name + ": is damaged: tile 1 of HDU 2 has 2130706")));
  for (const std::string& value : {std::string(70, '\xff'), std::string(66, 'Z') + "'TAR"}) {
    std::string unquoted = whole;
    unquoted.replace(unquoted.find("TTYPE1  = ") + 10, 70, value);
    write_text(name, unquoted);
    EXPECT_THAT([&] { FitsFile::open(name); },
                ThrowsMessage<Error>(name + ": is damaged: HDU 2 has a column's name without quotes"));
  }
  with("ZNAXIS2", "2000000000");
  EXPECT_THAT([&] { FitsFile::open(name); }, ThrowsMessage<Error>(testing::HasSubstr("is damaged: ")));
}

/// One HDU that cannot be held does not keep the others from being read.
TEST_F(FitsTest, LeavesAlonePicturesOfMoreAxesThanAreSupported) {
  const std::string name = path();
  FitsWriter(name).image("", {1, 1, 1, 1, 1, 1, 2}, {1, 2}).image("FLUX", {2}, {3, 4});
  const auto file = FitsFile::open(name);
  EXPECT_THAT(file.image("FLUX"), ElementsAre(3, 4));
  EXPECT_THAT([&] { file.image("PRIMARY"); },
              ThrowsMessage<Error>(name + ": HDU 'PRIMARY': expected an image, found no data, or more axes than are "
                                          "supported"));
}

/// Nothing waits for the other end of a pipe.
TEST_F(FitsTest, RefusesWhatIsNoFile) {
  const std::string pipe = path("pipe");
  fs::remove(pipe);
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT([&] { FitsFile::open(pipe); },
              ThrowsMessage<Error>(pipe + ": is a pipe or device; save its data to a file first"));
  EXPECT_THAT([] { FitsFile::open("-"); },
              ThrowsMessage<Error>("-: standard input cannot be read; save its data to a file first"));
  const std::string folder = fs::path(pipe).parent_path();
  EXPECT_THAT([&] { FitsFile::open(folder); }, ThrowsMessage<Error>(folder + ": is a folder; name the files in it"));
  const std::string other = path("other.h5");
  write_text(other, "\x89HDF\r\n\x1a\n and more");
  EXPECT_THAT([&] { FitsFile::open(other); },
              ThrowsMessage<Error>(testing::StartsWith(other + ": is not a FITS file but an HDF5 file; ")));
}

TEST_F(FitsTest, ReadsLogicalAndVectorColumnsAndUnits) {
  const std::string file = path();
  FitsWriter(file).empty_primary().table(
      "", 2, {{"ZWARN", "L", {0, 1}}, {"FLUX", "3E", {1, 2, 3, 4, 5, 6}, {}, {}, {}, "Jy"}, {"WAVE", "PD(3)", {}}});
  {
    fitsfile* open = nullptr;
    int status = 0;
    fits_open_diskfile(&open, file.c_str(), READWRITE, &status);
    fits_movabs_hdu(open, 2, nullptr, &status);
    double values[] = {7, 8, 9};
    fits_write_col(open, TDOUBLE, 3, 1, 1, 1, values, &status);
    fits_write_col(open, TDOUBLE, 3, 2, 1, 3, values, &status);
    fits_close_file(open, &status);
    ASSERT_EQ(status, 0);
  }
  const auto read = FitsFile::open(file);
  EXPECT_EQ(read.hdus()[1].name, "HDU 2");
  EXPECT_THAT(read.column("HDU 2", "ZWARN"), ElementsAre(0.0, 1.0));
  EXPECT_EQ(read.column_width("HDU 2", "FLUX"), 3);
  EXPECT_THAT(read.vectors("HDU 2", "FLUX"), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(read.column_unit("HDU 2", "FLUX"), "Jy");
  EXPECT_EQ(read.column_unit("HDU 2", "ZWARN"), "");
  EXPECT_THAT(read.vectors("HDU 2", "WAVE"), ElementsAre(7, testing::IsNan(), testing::IsNan(), 7, 8, 9));
}

TEST_F(FitsTest, ReadsIdentifiersExactly) {
  const std::string file = path();
  const std::vector<int64_t> ids = {39633300968442591, 39633300968442592};
  FitsWriter(file)
      .empty_primary()
      .table("A", 2,
             {{"K", "K", {}, {-5, 39633300968442591}},
              {"W", "W", {}, {}, {}, {14127161586843054080U, 7}},
              {"TEXT", "22A", {}, {}, {"   299489676975171584", "a-1"}},
              {"D", "D", {17.0, NAN}},
              {"LOST", "D", {39633300968442591.0, 1.0}},
              {"HALF", "D", {3.5, 1.0}},
              {"TWO", "2K", {}, {1, 2, 3, 4}}})
      .table("ASCII", 2, {{"ID", "I20", {}, {}, {"39633300968442591", "39633300968442592"}}}, ASCII_TBL);
  const auto read = FitsFile::open(file);
  EXPECT_THAT(read.id_column("A", "K"), ElementsAre("-5", "39633300968442591"));
  EXPECT_THAT(read.id_column("A", "W"), ElementsAre("14127161586843054080", "7"));
  EXPECT_THAT(read.id_column("A", "TEXT"), ElementsAre("299489676975171584", "a-1"));
  EXPECT_THAT(read.id_column("A", "D"), ElementsAre("17", ""));
  EXPECT_THAT(read.id_column("ASCII", "ID"), ElementsAre("39633300968442591", "39633300968442592"));
  for (const char* name : {"LOST", "HALF"}) {
    EXPECT_THAT([&] { read.id_column("A", name); },
                ThrowsMessage<Error>(testing::HasSubstr("identifies no object exactly")));
  }
  EXPECT_THAT([&] { read.id_column("A", "TWO"); },
              ThrowsMessage<Error>(testing::EndsWith("expected one number or text per row, found 2 numbers")));
}

TEST_F(FitsTest, RefusesWhatIsNoFitsFile) {
  const std::string file = path("text.fits");
  write_text(file, "SIMPLE words, and no FITS file\n");
  EXPECT_THAT([&] { FitsFile::open(file); }, ThrowsMessage<Error>(file + ": is not a FITS file"));
  write_text(file, "");
  EXPECT_THAT([&] { FitsFile::open(file); }, ThrowsMessage<Error>(file + ": is not a FITS file but an empty file"));
  EXPECT_THAT([&] { FitsFile::open("/none.fits"); },
              ThrowsMessage<Error>("/none.fits: cannot open: No such file or directory"));
}

TEST_F(FitsTest, RefusesATruncatedFile) {
  const std::string file = path("short.fits");
  FitsWriter(file).image("", {100, 100}, std::vector<double>(10000, 1.0));
  ASSERT_EQ(fs::file_size(file), 2880U + 14U * 2880U);
  fs::resize_file(file, 2880 + 40000);  // the last block is not filled up, which harms nobody
  EXPECT_EQ(FitsFile::open(file).image("PRIMARY").back(), 1.0);
  fs::resize_file(file, 2880 + 39999);
  EXPECT_THAT(
      [&] { FitsFile::open(file); },
      ThrowsMessage<Error>(
          file + ": is truncated: the data of HDU 'PRIMARY' end at byte 42880, but the file ends at byte 42879"));
}

TEST_F(FitsTest, RefusesAnImpossibleSize) {
  const std::string file = path("huge.fits");
  FitsWriter(file).image("", {2, 3, 4}, std::vector<double>(24, 1.0));
  std::string text = read_text(file);
  for (const char* axis : {"NAXIS1  =", "NAXIS2  =", "NAXIS3  ="}) {
    text.replace(text.find(axis) + 10, 20, "          2000000000");
  }
  write_text(file, text);
  EXPECT_THAT([&] { FitsFile::open(file); },
              ThrowsMessage<Error>(file + ": is damaged: HDU 1 has NAXIS2 = 2000000000"));
}

TEST_F(FitsTest, RefusesAFileCutWithinAHeader) {
  const std::string file = two_hdus();
  fs::resize_file(file, 2 * 2880 + 1000);
  EXPECT_THAT([&] { FitsFile::open(file); },
              ThrowsMessage<Error>(file + ": is damaged: the 1000 bytes after HDU 1 are not an HDU"));
}

TEST_F(FitsTest, RefusesTheTruncatedObservation) {
  const std::string file = testing_support::real_file("images/gzdecals_example_incomplete.fits");
  if (file.empty()) GTEST_SKIP() << "no real observations";
  EXPECT_THAT(
      [&] { FitsFile::open(file); },
      ThrowsMessage<Error>(
          file + ": is truncated: the data of HDU 'PRIMARY' end at byte 2160192, but the file ends at byte 1389044"));
}

TEST_F(FitsTest, ReadsPartsOfImages) {
  std::vector<double> values;
  for (int i = 0; i < 3 * 40 * 50; ++i) values.push_back(i);
  for (const bool is_compressed : {false, true}) {
    const std::string file = path("parts.fits");
    FitsWriter writer(file);
    writer.empty_primary();
    if (is_compressed) writer.compress(8);
    writer.image("", {3, 40, 50}, values);
    writer.close();
    const FitsFile fits = FitsFile::open(file);
    const auto& hdu = fits.hdus().at(1);
    const auto part = fits.section(hdu, std::array<int64_t, 3>{1, 30, 47}, std::array<int64_t, 3>{2, 3, 2});
    EXPECT_THAT(part, ElementsAre(3547, 3548, 3597, 3598, 3647, 3648, 5547, 5548, 5597, 5598, 5647, 5648));
    EXPECT_EQ(fits.tile_height(hdu), is_compressed ? 8 : 1);
    EXPECT_THAT(fits.header(hdu), testing::HasSubstr("NAXIS3  =                    3"));
  }
}

TEST_F(FitsTest, RefusesRowsOfMoreElementsThanTheHeapHolds) {
  const std::string file = path("heap.fits");
  FitsWriter(file).empty_primary().table("", 1, {{"WAVE", "PD(3)", {}}});
  std::string text = read_text(file);
  text[2 * 2880] = 0x14;  // of the descriptor, the first byte of how many there are
  write_text(file, text);
  EXPECT_THAT([&] { (void)FitsFile::open(file).vectors("HDU 2", "WAVE"); },
              ThrowsMessage<Error>(testing::EndsWith("is damaged: row 1 has 335544320 elements in a heap of 0 bytes")));
}

/// TFORM and TDISP understate them: what is there counts.
TEST_F(FitsTest, ReadsTextsLongerThanTheHeaderSays) {
  const std::string file = path("texts.fits"), text(100, 't');
  FitsWriter(file).empty_primary().table(
      "TABLE", 2, {{"VARYING", "PA(3)", {}, {}, {text}}, {"SHOWN", "100A", {}, {}, {text, "b"}}});
  std::string bytes = read_text(file);
  const std::string declared = fmt::format("TFORM1  = '{:<8}'", "PA(100)");
  const size_t at = bytes.find(declared), blank = bytes.find("END     ", at);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, declared.size(), fmt::format("TFORM1  = '{:<8}'", "PA(3)"));
  bytes.replace(blank, 80, fmt::format("{:<80}", "TDISP2  = 'A3      '"));
  bytes.replace(blank + 80, 80, fmt::format("{:<80}", "END"));
  write_text(file, bytes);
  const FitsFile fits = FitsFile::open(file);
  EXPECT_THAT(fits.id_column("TABLE", "VARYING"), ElementsAre(text, ""));
  EXPECT_THAT(fits.id_column("TABLE", "SHOWN"), ElementsAre(text, "b"));
}

/// cfitsio says that a text is no number in a message which does not hold so long a text.
TEST_F(FitsTest, RefusesLongTextsForNumbers) {
  const std::string file = two_hdus(), whole = read_text(file), letters(60, 'x');
  for (const char* word : {"BITPIX", "NAXIS", "TFIELDS", "PCOUNT"}) {
    std::string text = whole;
    const size_t at = text.rfind(std::string(word) + std::string(8 - std::string(word).size(), ' ') + "=");
    text.replace(at + 10, letters.size(), letters);
    write_text(file, text);
    EXPECT_THAT([&] { FitsFile::open(file); }, ThrowsMessage<Error>(testing::HasSubstr(word + (" = " + letters))));
  }
  std::string first = whole;
  first.replace(first.find("BITPIX  =") + 10, letters.size(), "'" + letters.substr(2) + "'");
  write_text(file, first);
  EXPECT_THAT([&] { FitsFile::open(file); }, ThrowsMessage<Error>(testing::HasSubstr("HDU 1 has BITPIX = 'xxx")));
}

/// A tile of floats, which are lossless where they cannot be quantised, in an image of doubles: cfitsio would read them
/// from nowhere.
TEST_F(FitsTest, RefusesTilesOfOtherNumbersThanTheImage) {
  const std::string name = path("tiles.fits.fz");
  fs::remove(name);
  fitsfile* open = nullptr;
  int status = 0;
  long axes[] = {20, 2}, tile[] = {20, 1};
  std::vector<float> values(40, 1.5F);  // equal ones cannot be quantised
  fits_create_diskfile(&open, name.c_str(), &status);
  fits_set_compression_type(open, RICE_1, &status);
  fits_set_tile_dim(open, 2, tile, &status);
  fits_create_img(open, FLOAT_IMG, 2, axes, &status);
  fits_write_img(open, TFLOAT, 1, 40, values.data(), &status);
  fits_close_file(open, &status);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(FitsFile::open(name).image("HDU 2")[7], 1.5);
  std::string text = read_text(name);
  text.replace(text.find("ZBITPIX =") + 10, 20, fmt::format("{:>20}", -64));
  write_text(name, text);
  EXPECT_THAT([&] { FitsFile::open(name).image("HDU 2"); },
              ThrowsMessage<Error>(testing::HasSubstr("tile 1 of HDU 2 does not have its 20 pixels in ")));
}

/// cfitsio goes on with a table of so many columns as its stack says.
TEST_F(FitsTest, RefusesTablesWithoutACountOfRows) {
  const std::string file = two_hdus(), whole = read_text(file);
  for (const std::string word : {"NAXIS1", "NAXIS2"}) {
    const auto with = [&](const std::string& value) {
      std::string text = whole;
      text.replace(text.rfind(word + "  =") + 8, 72, fmt::format("{:<72}", value));
      write_text(file, text);
      return [&] { FitsFile::open(file); };
    };
    for (const char* value : {"\"       32", "-3", "1.5", "1234567890123456789"}) {
      EXPECT_THAT(with(fmt::format("= {:>20} / a count", value)),
                  ThrowsMessage<Error>(fmt::format("{}: is damaged: HDU 2 has {} = {}", file, word, value)));
    }
    EXPECT_THAT(with("= / a count"), ThrowsMessage<Error>(testing::HasSubstr(": is damaged: HDU 2 has " + word)));
    EXPECT_THAT(with("  32"), ThrowsMessage<Error>(testing::HasSubstr(": is damaged: HDU 2 has " + word)));
  }
  EXPECT_EQ(two_hdus(), file);
  EXPECT_EQ(FitsFile::open(file).hdus().size(), 2U);
}

/// Of a size below the file's own, cfitsio takes the file for one of 4 GiB and reserves it.
TEST_F(FitsTest, RefusesAGzipFileOfTooSmallASize) {
  const std::string file = path("few.fits.gz");
  fs::remove(file);
  fitsfile* open = nullptr;
  int status = 0;
  long extent = 6;
  fits_create_file(&open, file.c_str(), &status);
  fits_create_img(open, BYTE_IMG, 1, &extent, &status);
  fits_close_file(open, &status);
  ASSERT_EQ(status, 0);
  std::string text = read_text(file);
  ASSERT_TRUE(text.starts_with("\x1f\x8b"));
  EXPECT_EQ(FitsFile::open(file).image("PRIMARY").size(), 6U);
  text.replace(text.size() - 4, 4, 4, '\0');
  write_text(file, text);
  EXPECT_THAT([&] { FitsFile::open(file); }, ThrowsMessage<Error>(testing::StartsWith(file + ": is not a FITS file")));
}

/// cfitsio reserves as much as the file says.
TEST_F(FitsTest, RefusesAPackedFileOfAnImpossibleSize) {
  const std::string file = path("gzip.fits.gz");
  write_text(file, "\x1f\x8b\x08" + std::string(14, 'x') + "\xff\xff\xff\xff");
  EXPECT_THAT(
      [&] { FitsFile::open(file); },
      ThrowsMessage<Error>(file + ": is damaged: 21 bytes of gzip cannot hold the 4294967295 of which it tells"));
  const std::string zip = path("packed.fits.zip");
  write_text(zip, "PK\x03\x04" + std::string(18, 'x') + "\xff\xff\xff\xff");
  EXPECT_THAT([&] { FitsFile::open(zip); },
              ThrowsMessage<Error>(zip + ": is damaged: 26 bytes of zip cannot hold the 4294967295 of which it tells"));
}

}  // namespace
}  // namespace astroclip::io
