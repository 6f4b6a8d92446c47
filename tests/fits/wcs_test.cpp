#include "fits/wcs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "fits/header_cards.h"

namespace astroclip::fits {
namespace {

using testing::ThrowsMessage;

constexpr double arcsec = 1.0 / 3600.0;
constexpr Pixel middle{100.5, 100.5};

/// The header of an image of 200 by 200 pixels of 0.262", north up and east left, but for what `changes` say.
Keywords survey_header(const Keywords& changes) {
  Keywords header = {
      {"NAXIS", 3.0},         {"NAXIS1", 200.0},      {"NAXIS2", 200.0},          {"NAXIS3", 3.0},
      {"CTYPE1", "RA---TAN"}, {"CTYPE2", "DEC--TAN"}, {"CRVAL1", 180.0},          {"CRVAL2", 5.0},
      {"CRPIX1", 100.5},      {"CRPIX2", 100.5},      {"CD1_1", -0.262 * arcsec}, {"CD2_2", 0.262 * arcsec}};
  for (const auto& [key, value] : changes) header[key] = value;
  return header;
}

Wcs wcs_of(const Keywords& changes) { return Wcs::from_header(cards_of(survey_header(changes))); }

/// Degrees from north through east of the direction that is up in the image.
double angle_of_up(const Wcs& wcs) {
  const SkyPosition from = wcs.position_of(middle), to = wcs.position_of({middle.x, middle.y + 1.0});
  return std::atan2((to.ra - from.ra) * std::cos(from.dec * M_PI / 180.0), to.dec - from.dec) * 180.0 / M_PI;
}

TEST(Sky, SeparatesPositions) {
  EXPECT_NEAR(separation({10.0, 60.0}, {10.0 + 2.0 * arcsec, 60.0}) / arcsec, 1.0, 1e-6);
  EXPECT_NEAR(separation({359.9999, 0.0}, {0.0001, 0.0}), 0.0002, 1e-9);
  EXPECT_NEAR(separation({0.0, 90.0}, {123.0, 89.0}), 1.0, 1e-9);
}

TEST(Wcs, FindsPositionsInATangentPlane) {
  const Wcs wcs = Wcs::tangent({150.0, 60.0}, {10.0, 20.0}, 0.1);
  EXPECT_NEAR(wcs.position_of({10.0, 20.0}).ra, 150.0, 1e-12);
  // North of the reference the angle's tangent is the distance in the plane.
  EXPECT_NEAR(wcs.position_of({10.0, 30.0}).dec, 60.0 + std::atan(M_PI / 180.0) * 180.0 / M_PI, 1e-9);
  const SkyPosition west = wcs.position_of({20.0, 20.0});
  EXPECT_LT(west.ra, 150.0);
  EXPECT_NEAR(separation(west, {150.0, 60.0}), std::atan(M_PI / 180.0) * 180.0 / M_PI, 1e-9);
  EXPECT_NEAR(Wcs::tangent({0.01, 0.0}, {0.0, 0.0}, 0.1).position_of({1.0, 0.0}).ra, 359.91, 1e-6);
  const Pixel back = wcs.pixel_of(west);
  EXPECT_NEAR(back.x, 20.0, 1e-9);
  EXPECT_NEAR(back.y, 20.0, 1e-9);
}

/// Of headers with other projections, frames and rotations; places by astropy 6.
TEST(Wcs, PutsPixelsWhereAstropyDoes) {
  struct Case {
    const char* name;
    Keywords changes;
    SkyPosition centre;
    double up;  // degrees; NaN: not compared
  };
  const Case cases[] = {
      {"TAN", {}, {180.0, 5.0}, 0.0},
      {"TPV",
       {{"CTYPE1", "RA---TPV"},
        {"CTYPE2", "DEC--TPV"},
        {"CRPIX1", -2000.0},
        {"CRPIX2", 4000.0},
        {"PV1_0", 0.0},
        {"PV1_1", 1.01},
        {"PV1_7", 0.02},
        {"PV2_0", 0.0},
        {"PV2_1", 1.01},
        {"PV2_7", 0.02}},
       {179.84501, 4.71289},
       NAN},
      {"galactic", {{"CTYPE1", "GLON-TAN"}, {"CTYPE2", "GLAT-TAN"}}, {91.40752, 31.44874}, 61.0},
      {"CAR",
       {{"CTYPE1", "RA---CAR"}, {"CTYPE2", "DEC--CAR"}, {"CRVAL2", 0.0}, {"CRPIX2", -600000.0}},
       {180.0, 43.673981},
       0.0},
  };
  for (const Case& row : cases) {
    const Wcs wcs = wcs_of(row.changes);
    const SkyPosition centre = wcs.position_of(middle);
    EXPECT_LT(separation(centre, row.centre) / arcsec, 0.05) << row.name << ": " << centre.ra << ", " << centre.dec;
    if (std::isfinite(row.up)) {
      EXPECT_NEAR(std::abs(angle_of_up(wcs)), row.up, 0.5) << row.name;
    }
    const Pixel back = wcs.pixel_of(centre);
    EXPECT_NEAR(back.x, middle.x, 1e-6) << row.name;
    EXPECT_NEAR(back.y, middle.y, 1e-6) << row.name;
  }
}

/// With CDELT and an angle, or with a matrix that has nothing on its diagonal, up is east.
TEST(Wcs, ObeysRotations) {
  const double scale = 0.262 * arcsec;
  Keywords angle = survey_header({{"CDELT1", -scale}, {"CDELT2", scale}, {"CROTA2", 90.0}});
  Keywords matrix = survey_header({{"CD1_2", scale}, {"CD2_1", scale}});
  for (Keywords* header : {&angle, &matrix}) {
    header->erase("CD1_1");
    header->erase("CD2_2");
    EXPECT_NEAR(std::abs(angle_of_up(Wcs::from_header(cards_of(*header)))), 90.0, 1e-4);
  }
}

TEST(Wcs, SaysWhatIsNotRead) {
  const auto refusal = [](const Keywords& changes, const std::string& message) {
    EXPECT_THAT([&] { wcs_of(changes); }, ThrowsMessage<Error>(message));
  };
  refusal({{"CTYPE1", "LINEAR"}, {"CTYPE2", "LINEAR"}},
          "its first two axes are no positions on the sky (CTYPE1 = 'LINEAR', CTYPE2 = 'LINEAR')");
  refusal({{"CD1_1", 0.0}}, "its world coordinates cannot be used: Linear transformation matrix is singular");
  refusal({{"RADESYS", "FK4"}, {"EQUINOX", 1950.0}},
          "its coordinates are FK4 of equinox 1950; ICRS, FK5 of equinox 2000 and galactic ones are read");
  refusal({{"EQUINOX", 1975.0}},
          "its coordinates are FK4 of equinox 1975; ICRS, FK5 of equinox 2000 and galactic ones are read");
  refusal({{"CTYPE1", "ELON-TAN"}, {"CTYPE2", "ELAT-TAN"}},
          "its coordinates are ELON and ELAT; equatorial and galactic ones are read");
  EXPECT_THAT(
      [] {
        Wcs::from_header(cards_of({{"NAXIS", 2.0}, {"NAXIS1", 5.0}, {"NAXIS2", 5.0}}));
      },
      ThrowsMessage<Error>("its first two axes are no positions on the sky (CTYPE1 = '', CTYPE2 = '')"));
}

TEST(Wcs, SaysWhereAProjectionDoesNotReach) {
  EXPECT_THAT(
      [] {
        Wcs::tangent({180.0, 5.0}, {1.0, 1.0}, 0.1).pixel_of({0.0, -5.0});
      },
      ThrowsMessage<Error>("its projection does not reach RA 0.0000, Dec -5.0000"));
}

}  // namespace
}  // namespace astroclip::fits
