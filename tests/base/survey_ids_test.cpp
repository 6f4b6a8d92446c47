#include "base/survey_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace astroclip {
namespace {

using testing::ThrowsMessage;

TEST(DesiTargetId, IsThatOfDesitarget) {
  // A target of DR9: desitarget's decode_targetid(39627784728870919) is OBJID 7, BRICKID 330368, RELEASE 9010.
  EXPECT_EQ(desi_target_id(9010, 330368, 7), 39627784728870919);
  EXPECT_EQ(desi_target_id(9010, 1, 65536) - desi_target_id(9010, 1, 0), 65536);
  EXPECT_EQ(desi_target_id(0, 0, (1 << 22) - 1), (1 << 22) - 1);
  EXPECT_THAT([] { desi_target_id(9010, 1, 1 << 22); },
              ThrowsMessage<Error>("OBJID must be 0 to 4194303, found 4194304"));
  EXPECT_THAT([] { desi_target_id(9010, -1, 1); }, ThrowsMessage<Error>("BRICKID must be 0 to 1048575, found -1"));
}

TEST(SdssSpectrumId, IsThatOfTheArchive) {
  // SPECOBJID of spec-0266-51602-0001 in the Science Archive Server; the example of pydl's sdss_specobjid.
  EXPECT_EQ(sdss_spectrum_id(266, 51602, 1, 26), 299489676975171584U);
  EXPECT_EQ(sdss_spectrum_id(4055, 55359, 408, *sdss_run2d("v5_7_0")), 4565636362342690816U);
  // Plates from 8192 on need the 64th bit.
  EXPECT_EQ(sdss_spectrum_id(9567, 57814, 321, 0) >> 50U, 9567U);
  EXPECT_THAT([] { sdss_spectrum_id(266, 49999, 1, 26); },
              ThrowsMessage<Error>("MJD - 50000 must be 0 to 16383, found -1"));
  EXPECT_EQ(sdss_run2d("103"), 103);
  EXPECT_EQ(sdss_run2d("v5_13_2"), 1302);
  EXPECT_FALSE(sdss_run2d("v5_7"));
  EXPECT_FALSE(sdss_run2d("v5_7_0b"));
  EXPECT_FALSE(sdss_run2d(""));
}

}  // namespace
}  // namespace astroclip
