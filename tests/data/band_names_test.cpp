#include "data/band_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace astroclip::data {
namespace {

using testing::ElementsAre;

TEST(BandNames, AreOneLetterWhereTheTextSaysSo) {
  for (const char* g : {"g", " G ", "DES-G", "BASS-G", "decam-g", "g-band", "gband", "HSC-G", "SDSS_g", "90prime g",
                        "g DECam SDSS c0001 4720.0 1520.0"}) {
    EXPECT_EQ(band_of(g), "g") << g;
  }
  for (const char* r : {"HSC-R2", "bokr", "r'"}) EXPECT_EQ(band_of(r), "r") << r;
  for (const char* z : {"MzLS-z", "zd", "mosaic-zd", "Z"}) EXPECT_EQ(band_of(z), "z") << z;
  for (const char* other : {"F814W", "Bessell R", "VIS", "g+r", "bandgap", "zoom"}) EXPECT_EQ(band_of(other), other);
  EXPECT_EQ(band_of("  "), "");
}

TEST(BandNames, AreListedInLettersOrWords) {
  EXPECT_THAT(bands_of("griz"), ElementsAre("g", "r", "i", "z"));
  EXPECT_THAT(bands_of("BASS-g, bokr; MzLS-z"), ElementsAre("g", "r", "z"));
  EXPECT_THAT(bands_of("VIS,Y,J,H"), ElementsAre("VIS", "y", "J", "H"));
}

}  // namespace
}  // namespace astroclip::data
