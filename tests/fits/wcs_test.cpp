#include "fits/wcs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "fits/header_cards.h"
#include "support/fits_files.h"

namespace astroclip::fits {
namespace {

using testing::ThrowsMessage;

using testing_support::arcsec;
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

Keywords operator+(Keywords some, const Keywords& more) {
  for (const auto& [key, value] : more) some[key] = value;
  return some;
}

Keywords projected(const std::string& code) { return {{"CTYPE1", "RA---" + code}, {"CTYPE2", "DEC--" + code}}; }

const Keywords off_axis = {{"CRPIX1", -20000.0}, {"CRPIX2", 8000.0}};
const Keywords without_cd = {{"CD1_1", NAN}, {"CD2_2", NAN}};
const Keywords cdelt = {{"CDELT1", -0.262 * arcsec}, {"CDELT2", 0.262 * arcsec}};
const Keywords pv = {{"PV1_0", 0.0}, {"PV1_1", 1.01}, {"PV1_7", 0.02},
                     {"PV2_0", 0.0}, {"PV2_1", 1.01}, {"PV2_7", 0.02}};
const Keywords sip = {{"A_ORDER", 2.0},  {"B_ORDER", 2.0}, {"A_2_0", 3e-05}, {"A_0_2", -2e-05},  {"A_1_1", 1e-05},
                      {"B_2_0", -1e-05}, {"B_1_1", 2e-05}, {"B_0_2", 1e-05}, {"CRPIX1", -400.0}, {"CRPIX2", 800.0}};

Wcs wcs_of(const Keywords& changes) { return Wcs::from_header(cards_of(survey_header(changes))); }

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

/// Projections, frames, rotations and distortions, by astropy 8.0.2, to 1e-7 degrees.
TEST(Wcs, PutsPixelsWhereAstropyDoes) {
  struct Case {
    const char* name;
    Keywords changes;  // NaN: without it
    SkyPosition centre, far;
  };
  const Case cases[] = {
      {"TAN", {}, {180.000000000, 5.000000000}, {180.000000000, 5.720462025}},
      {"FK5 of J2000",
       {{"RADESYS", "FK5"}, {"EQUINOX", 2000.0}},
       {179.999994123, 5.000002528},
       {179.999994193, 5.720464553}},
      {"EQUINOX alone", {{"EQUINOX", 2000.0}}, {179.999994123, 5.000002528}, {179.999994193, 5.720464553}},
      {"FK5 of 1975",
       {{"RADESYS", "FK5"}, {"EQUINOX", 1975.0}},
       {180.320225319, 4.860815777},
       {180.320220434, 5.581277802}},
      {"FK5 of 2050",
       {{"RADESYS", "FK5"}, {"EQUINOX", 2050.0}, {"CRVAL2", -70.0}},
       {179.363509074, -69.721672977},
       {179.363352433, -69.001210953}},
      {"FK4", {{"RADESYS", "FK4"}, {"EQUINOX", 1950.0}}, {180.640512316, 4.721616978}, {180.640492636, 5.442080159}},
      {"FK4 without EQUINOX", {{"RADESYS", "FK4"}}, {180.640512316, 4.721616978}, {180.640492636, 5.442080159}},
      {"FK4 by its EQUINOX",
       {{"EQUINOX", 1950.0}, {"CRVAL1", 20.0}, {"CRVAL2", 80.0}},
       {21.203601999, 80.260513215},
       {21.249433477, 80.980936283}},
      {"FK4 of 1975",
       {{"RADESYS", "FK4"}, {"EQUINOX", 1975.0}, {"CRVAL1", 300.0}, {"CRVAL2", -40.0}},
       {300.421452148, -39.929936796},
       {300.418903922, -39.209477674}},
      {"FK4-NO-E",
       {{"RADESYS", "FK4-NO-E"}, {"EQUINOX", 1950.0}},
       {180.640530667, 4.721600959},
       {180.640511007, 5.442062984}},
      {"RADECSYS",
       {{"RADECSYS", "FK5"}, {"EQUINOX", 1975.0}},
       {180.320225319, 4.860815777},
       {180.320220434, 5.581277802}},
      {"EPOCH", {{"EPOCH", 1950.0}}, {180.640512316, 4.721616978}, {180.640492636, 5.442080159}},
      {"galactic",
       {{"CTYPE1", "GLON-TAN"}, {"CTYPE2", "GLAT-TAN"}},
       {91.407522876, 31.448740456},
       {92.149736575, 31.794609134}},
      {"galactic CAR",
       {{"CTYPE1", "GLON-CAR"}, {"CTYPE2", "GLAT-CAR"}, {"CRVAL2", 0.0}, {"CRPIX2", -60000.0}},
       {90.767065520, 31.144758254},
       {91.504542203, 31.494341333}},
      {"TPV",
       projected("TPV") + pv + Keywords{{"CRPIX1", -2000.0}, {"CRPIX2", 4000.0}},
       {179.845008405, 4.712893179},
       {179.844835563, 5.442707105}},
      {"TAN with PV",
       pv + Keywords{{"CRPIX1", -2000.0}, {"CRPIX2", 4000.0}},
       {179.845008405, 4.712893179},
       {179.844835563, 5.442707105}},
      {"SIP", projected("TAN-SIP") + sip, {179.963860094, 4.948755182}, {180.083298496, 5.737671272}},
      {"SIP without its name", sip, {179.963860094, 4.948755182}, {180.083298496, 5.737671272}},
      {"SIP and PV", projected("TAN-SIP") + sip + pv, {179.963860094, 4.948755182}, {180.083298496, 5.737671272}},
      {"CAR",
       projected("CAR") + Keywords{{"CRVAL2", 0.0}, {"CRPIX2", -600000.0}},
       {180.000000000, 43.673980833},
       {180.000000000, 44.394480833}},
      {"ZEA", projected("ZEA") + off_axis, {178.532737321, 4.423503852}, {178.531174873, 5.143945907}},
      {"SIN", projected("SIN") + off_axis, {178.532599354, 4.423449458}, {178.531053933, 5.143957619}},
      {"SIN slant",
       projected("SIN") + off_axis + Keywords{{"PV2_1", 0.1}, {"PV2_2", -0.2}},
       {178.530426109, 4.427759903},
       {178.529144806, 5.147737611}},
      {"ARC", projected("ARC") + off_axis, {178.532783294, 4.423521977}, {178.531215175, 5.143942004}},
      {"STG", projected("STG") + off_axis, {178.532875223, 4.423558220}, {178.531295764, 5.143934199}},
      {"AIT",
       projected("AIT") + off_axis + Keywords{{"CRVAL2", 0.0}},
       {178.537065110, -0.574898755},
       {178.537116802, 0.145589018}},
      {"MOL",
       projected("MOL") + off_axis + Keywords{{"CRVAL2", 0.0}},
       {178.375119368, -0.517601800},
       {178.375157645, 0.131078847}},
      {"CEA",
       projected("CEA") + off_axis + Keywords{{"CRVAL2", 0.0}, {"PV2_1", 0.8}},
       {178.537130278, -0.459931384},
       {178.537130278, 0.116473636}},
      {"SFL",
       projected("SFL") + off_axis + Keywords{{"CRVAL2", 0.0}},
       {178.537056632, -0.574908056},
       {178.537125555, 0.145591944}},
      {"ZPN",
       projected("ZPN") + off_axis + Keywords{{"PV2_1", 1.0}, {"PV2_3", 42.0}},
       {178.575213664, 4.440248682},
       {178.568797586, 5.140301218}},
      {"NCP",
       projected("NCP") + off_axis + Keywords{{"CRVAL2", 60.0}},
       {177.126650943, 59.380783594},
       {177.063899521, 60.102249246}},
      {"HPX",
       projected("HPX") + off_axis + Keywords{{"CRVAL2", 0.0}},
       {178.537130278, -0.488003014},
       {178.537130278, 0.123582377}},
      {"COE",
       projected("COE") + off_axis + Keywords{{"PV2_1", 45.0}, {"PV2_2", 25.0}},
       {178.391014501, 4.479470352},
       {178.387726289, 5.136260338}},
      {"AZP",
       projected("AZP") + off_axis + Keywords{{"PV2_1", 2.0}, {"PV2_2", 30.0}},
       {178.530166883, 4.499697289},
       {178.531881590, 5.124386576}},
      {"SZP",
       projected("SZP") + off_axis + Keywords{{"PV2_1", 2.0}, {"PV2_2", 180.0}, {"PV2_3", 60.0}},
       {178.532817753, 4.415609164},
       {178.531246728, 5.137044074}},
      {"AIR",
       projected("AIR") + off_axis + Keywords{{"PV2_1", 45.0}},
       {178.474038546, 4.400358660},
       {178.472341446, 5.149640871}},
      {"CYP",
       projected("CYP") + off_axis + Keywords{{"CRVAL2", 0.0}, {"PV2_1", 1.0}, {"PV2_2", 0.7}},
       {177.910186111, -0.676354564},
       {177.910186111, 0.171284513}},
      {"MER",
       projected("MER") + off_axis + Keywords{{"CRVAL2", 0.0}},
       {178.537130278, -0.574898409},
       {178.537130278, 0.145591788}},
      {"PAR",
       projected("PAR") + off_axis + Keywords{{"CRVAL2", 0.0}},
       {178.537070583, -0.548997687},
       {178.537126450, 0.139030081}},
      {"COP",
       projected("COP") + off_axis + Keywords{{"PV2_1", 45.0}, {"PV2_2", 25.0}},
       {178.381309609, 4.363699366},
       {178.379341479, 5.158651701}},
      {"COD",
       projected("COD") + off_axis + Keywords{{"PV2_1", 45.0}, {"PV2_2", 25.0}},
       {178.382309849, 4.425837918},
       {178.379140610, 5.146388622}},
      {"COO",
       projected("COO") + off_axis + Keywords{{"PV2_1", 45.0}, {"PV2_2", 25.0}},
       {178.378707094, 4.361703761},
       {178.375913119, 5.158141153}},
      {"BON",
       projected("BON") + off_axis + Keywords{{"CRVAL2", 0.0}, {"PV2_1", 45.0}},
       {178.537004642, -0.585308879},
       {178.537076214, 0.135117768}},
      {"PCO",
       projected("PCO") + off_axis + Keywords{{"CRVAL2", 0.0}},
       {178.537056664, -0.574720725},
       {178.537125557, 0.145544506}},
      {"TSC",
       projected("TSC") + off_axis + Keywords{{"CRVAL2", 0.0}},
       {178.138072121, -0.731569438},
       {178.138072121, 0.185274903}},
      {"QSC",
       projected("QSC") + off_axis + Keywords{{"CRVAL2", 0.0}},
       {178.608956551, -0.496690206},
       {178.576636131, 0.126740672}},
      {"XPH",
       projected("XPH") + off_axis + Keywords{{"CRVAL2", 0.0}},
       {178.646627518, -0.642288599},
       {178.829518770, 0.167540555}},
      {"LONPOLE", off_axis + Keywords{{"LONPOLE", 150.0}}, {179.018768447, 3.770317372}, {178.656692423, 4.393470949}},
      {"LONPOLE by PV",
       off_axis + Keywords{{"PV1_3", 150.0}},
       {179.018768447, 3.770317372},
       {178.656692423, 4.393470949}},
      {"CUNIT",
       off_axis + Keywords{{"CUNIT1", "arcsec"},
                           {"CUNIT2", "arcsec"},
                           {"CRVAL1", 648000.0},
                           {"CRVAL2", 18000.0},
                           {"CD1_1", -0.262},
                           {"CD2_2", 0.262}},
       {178.533150885, 4.423666901},
       {178.531537437, 5.143910794}},
      {"PC",
       off_axis + without_cd + cdelt + Keywords{{"PC1_1", 0.8}, {"PC1_2", -0.6}, {"PC2_1", 0.6}, {"PC2_2", 0.8}},
       {178.478358286, 5.415888850},
       {178.911400937, 5.993021640}},
      {"CROTA2",
       off_axis + without_cd + cdelt + Keywords{{"CROTA2", 30.0}},
       {179.018768447, 3.770317372},
       {178.656692423, 4.393470949}},
      {"CD off its diagonal",
       off_axis + without_cd + Keywords{{"CD1_2", 0.262 * arcsec}, {"CD2_1", 0.262 * arcsec}},
       {179.421623542, 6.462225496},
       {180.146474952, 6.462531036}},
      {"declination first",
       off_axis + Keywords{{"CTYPE1", "DEC--TAN"},
                           {"CTYPE2", "RA---TAN"},
                           {"CRVAL1", 5.0},
                           {"CRVAL2", 180.0},
                           {"CD1_1", 0.262 * arcsec},
                           {"CD2_2", -0.262 * arcsec}},
       {180.578376458, 6.462225496},
       {179.853525048, 6.462531036}},
  };
  for (const Case& row : cases) {
    Keywords header = survey_header(row.changes);
    std::erase_if(header, [](const auto& one) {
      const auto* number = std::get_if<double>(&one.second);
      return number != nullptr && std::isnan(*number);
    });
    const Wcs wcs = Wcs::from_header(cards_of(header));
    for (const auto& [pixel, expected] : {std::pair(middle, row.centre), {Pixel{middle.x, 1e4 + 0.5}, row.far}}) {
      const SkyPosition found = wcs.position_of(pixel);
      EXPECT_LT(separation(found, expected), 1e-7) << row.name << ": " << found.ra << ", " << found.dec;
      const Pixel back = wcs.pixel_of(found);
      EXPECT_NEAR(back.x, pixel.x, 1e-4) << row.name;
      EXPECT_NEAR(back.y, pixel.y, 1e-4) << row.name;
    }
  }
}

/// As the convention of TPV has it: terms that are not given are 0, but for the linear ones, which are 1.
TEST(Wcs, TakesTpvWithoutTermsForTan) {
  const Wcs tan = wcs_of({}), tpv = wcs_of({{"CTYPE1", "RA---TPV"}, {"CTYPE2", "DEC--TPV"}, {"PV1_0", 0.0}});
  const Pixel corner{1.0, 1.0};
  EXPECT_LT(separation(tpv.position_of(corner), tan.position_of(corner)) / arcsec, 1e-6);
  EXPECT_NEAR(tpv.pixel_of(tpv.position_of(corner)).x, 1.0, 1e-6);
}

TEST(Wcs, ReadsTheAxesAskedFor) {
  Keywords header = {{"NAXIS", 3.0},         {"NAXIS1", 3.0},        {"NAXIS2", 200.0}, {"NAXIS3", 200.0},
                     {"CTYPE2", "RA---TAN"}, {"CTYPE3", "DEC--TAN"}, {"CRVAL2", 180.0}, {"CRVAL3", 5.0},
                     {"CRPIX2", 1.0},        {"CRPIX3", 1.0},        {"CDELT2", -1.0},  {"CDELT3", 1.0}};
  EXPECT_NEAR(Wcs::from_header(cards_of(header), 2).position_of({1.0, 1.0}).dec, 5.0, 1e-9);
  EXPECT_THROW(Wcs::from_header(cards_of(header)), Error);
}

TEST(Wcs, SaysWhatIsNotRead) {
  const auto refusal = [](const Keywords& changes, const std::string& message) {
    EXPECT_THAT([&] { wcs_of(changes); }, ThrowsMessage<Error>(message));
  };
  refusal({{"CTYPE1", "LINEAR"}, {"CTYPE2", "LINEAR"}},
          "its axes are no positions on the sky (CTYPE1 = 'LINEAR', CTYPE2 = 'LINEAR')");
  refusal({{"CD1_1", 0.0}}, "its world coordinates cannot be used: Linear transformation matrix is singular");
  refusal({{"RADESYS", "GAPPT"}}, "its coordinates are GAPPT (RADESYS); ICRS, FK5, FK4 and galactic ones are read");
  refusal({{"CTYPE1", "ELON-TAN"}, {"CTYPE2", "ELAT-TAN"}},
          "its coordinates are ELON and ELAT; equatorial and galactic ones are read");
  refusal({{"CPDIS1", "Lookup"}}, "its positions are distorted by a table (CPDIS1 = 'Lookup'), which is not read");
  refusal({{"D2IMDIS2", "LOOKUP"}}, "its positions are distorted by a table (D2IMDIS2 = 'LOOKUP'), which is not read");
  EXPECT_THAT(
      [] {
        Wcs::from_header(cards_of({{"NAXIS", 2.0}, {"NAXIS1", 5.0}, {"NAXIS2", 5.0}}));
      },
      ThrowsMessage<Error>("its axes are no positions on the sky (CTYPE1 = '', CTYPE2 = '')"));
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
