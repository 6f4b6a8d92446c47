#include "fits/flux_units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "base/error.h"
#include "fits/header_cards.h"

namespace astroclip::fits {
namespace {

using testing::ThrowsMessage;

ImageUnit unit_of(const Keywords& header) { return image_unit(Header(cards_of(header))); }

TEST(Header, ReadsItsValues) {
  const auto card = [](const std::string& text) { return fmt::format("{:<80}", text); };
  const Header header(card("BUNIT   = 'it''s / so '   / the unit") + card("MAGZERO = -2.25D1 / [mag]") +
                      card("COMMENT = 'no keyword of ours'") + card("HIERARCH FPA.ZP = 25.0") + card("FLAG    = T") +
                      card("MAGZERO = 1"));
  EXPECT_EQ(header.text("BUNIT"), "it's / so");
  EXPECT_EQ(header.number("MAGZERO"), -22.5);
  EXPECT_EQ(header.number("FPA.ZP"), 25.0);
  EXPECT_EQ(header.number("FLAG"), std::nullopt);
  EXPECT_EQ(header.text("MAG"), std::nullopt);
  EXPECT_EQ(header.comment("BUNIT"), "the unit");
  EXPECT_EQ(header.comment("MAGZERO"), "[mag]");
  EXPECT_EQ(header.comment("FLAG"), "");
}

TEST(WavelengthUnit, IsTurnedIntoAngstrom) {
  for (const char* text : {"", "Angstrom", "ANGSTROMS", "Ang", "A", "AA", "\xC3\x85"}) {
    EXPECT_DOUBLE_EQ(wavelength_unit(text).to_angstrom(5000.0), 5000.0) << text;
  }
  for (const char* text : {"nm", "nanometers"}) EXPECT_NEAR(wavelength_unit(text).to_angstrom(500.0), 5000.0, 1e-9);
  for (const char* text : {"um", "micron", "microns", "MICRON", "\xC2\xB5m"}) {
    EXPECT_NEAR(wavelength_unit(text).to_angstrom(0.5), 5000.0, 1e-9) << text;
  }
  EXPECT_NEAR(wavelength_unit("m").to_angstrom(5e-7), 5000.0, 1e-9);
  for (const char* text : {"log(Angstrom)", "log10(Angstrom)", "LOG10(ANGSTROM)"}) {
    EXPECT_NEAR(wavelength_unit(text).to_angstrom(std::log10(5000.0)), 5000.0, 1e-9) << text;
  }
  EXPECT_NEAR(wavelength_unit("log(nm)").to_angstrom(std::log10(500.0)), 5000.0, 1e-9);
  EXPECT_NEAR(wavelength_unit("ln(Angstrom)").to_angstrom(std::log(5000.0)), 5000.0, 1e-9);
  EXPECT_THAT(
      [] { wavelength_unit("Hz"); },
      ThrowsMessage<Error>("'Hz' is no unit of wavelength: \xC3\x85, nm, \xC2\xB5m, m and logarithms of them are "
                           "read"));
  EXPECT_THROW(wavelength_unit("furlong"), Error);
}

TEST(SpectralFluxUnit, IsTurnedIntoTheSurveysUnit) {
  for (const char* text : {"", "10**-17 erg/(s cm2 Angstrom)", "1e-17 erg/(s cm2 Angstrom)", "1E-17 erg/cm^2/s/Ang",
                           "10^-17 erg/s/cm^2/A", "10-17 erg s-1 cm-2 Angstrom-1", "1E-17 erg s^-1 cm^-2 AA^-1",
                           "1E-17 erg/s/cm^2/Ang/spaxel", "1e-17 ergs/sec/cm2/ANGSTROM", "10**-20 W m-2 Angstrom-1"}) {
    EXPECT_NEAR(spectral_flux_unit(text).at(4321.0), 1.0, 1e-12) << text;
  }
  EXPECT_NEAR(spectral_flux_unit("erg/s/cm2/Angstrom").at(5000.0), 1e17, 1e5);
  EXPECT_NEAR(spectral_flux_unit("erg/s/cm2/nm").at(5000.0), 1e16, 1e4);
  EXPECT_NEAR(spectral_flux_unit("W/m2/um").at(5000.0), 1e16, 1e4);
  // f_λ = f_ν c / λ², with 1 Jy = 1e-23 erg/s/cm²/Hz.
  const double microjansky = 1e-29 * 2.99792458e18 / (5000.0 * 5000.0) / 1e-17;
  for (const char* text : {"uJy", "UJY", "microjansky", "10**-6 Jy", "1e-29 erg/s/cm2/Hz"}) {
    EXPECT_NEAR(spectral_flux_unit(text).at(5000.0), microjansky, 1e-9) << text;
  }
  EXPECT_NEAR(spectral_flux_unit("nanomaggy").at(5000.0), 3.631 * microjansky, 1e-9);
  // Of inverse variances.
  EXPECT_NEAR(spectral_flux_unit("10**+34 (s2 cm4 Angstrom2) / erg2", -2).at(5000.0), 1.0, 1e-12);
  EXPECT_NEAR(spectral_flux_unit("1/uJy2", -2).at(5000.0), 1.0 / (microjansky * microjansky), 1e-9);
  EXPECT_NEAR(spectral_flux_unit("1/nanomaggy^2", -2).at(5000.0), std::pow(3.631 * microjansky, -2.0), 1e-9);
  EXPECT_THAT(
      [] { spectral_flux_unit("counts"); },
      ThrowsMessage<Error>("'counts' is no unit of flux density: erg/s/cm2/Angstrom, W/m2/um, Jy and their like "
                           "are read"));
  for (const char* text : {"erg/s/cm2", "Jy/beam", "mag", "mJy/sr", "log(Jy)", "parrots"}) {
    EXPECT_THROW(spectral_flux_unit(text), Error) << text;
  }
}

/// Of an image whose one is `nanomaggies`.
TEST(ImageUnit, IsTurnedIntoNanomaggies) {
  struct Case {
    Keywords header;
    double nanomaggies;
  };
  const double steradians = std::pow(std::numbers::pi / 180.0 / 3600.0, 2.0);
  const Case cases[] = {
      {{{"BUNIT", "nanomaggy"}}, 1.0},
      {{{"BUNIT", "nanomaggies"}, {"MAGZERO", 22.5}}, 1.0},
      {{{"BUNIT", "nMgy"}}, 1.0},
      {{{"BUNIT", "maggy/pixel"}}, 1e9},
      {{{"BUNIT", "nJy"}}, 1e-3 / 3.631},
      {{{"BUNIT", "uJy"}, {"MAGZERO", 23.9}}, 1.0 / 3.631},  // 23.9 is short for 23.8997
      {{{"BUNIT", "mJy"}}, 1e3 / 3.631},
      {{{"BUNIT", "JY"}}, 1e6 / 3.631},
      {{{"BUNIT", "1e-29 erg/s/cm2/Hz"}}, 1.0 / 3.631},
      {{{"BUNIT", "count"}, {"FLUXMAG0", 63095734448.019424}}, std::pow(10.0, 0.4 * (22.5 - 27.0))},
      {{{"MAGZERO", 30.0}}, 1e-3},
      {{{"BUNIT", "ADU"}, {"MAGZPT", 25.0}}, 0.1},
      {{{"BUNIT", "DN"}, {"PHOTZP", 27.5}}, 0.01},
      {{{"BUNIT", "electron/s"}, {"ZPAB", 22.5}}, 1.0},
      // By the zero point as ACS's handbook gives it, section 5.1: ABMAG_ZPT.
      {{{"BUNIT", "ELECTRONS/S"}, {"PHOTFLAM", 7.0723600e-20}, {"PHOTPLAM", 8045.53}},
       std::pow(10.0, 0.4 * (22.5 + 2.5 * std::log10(7.07236e-20) + 5.0 * std::log10(8045.53) + 2.408))},
      {{{"BUNIT", "erg/s/cm2/Angstrom"}, {"PHOTPLAM", 5000.0}}, 5000.0 * 5000.0 / 2.99792458e18 * 1e23 / 3.631e-6},
  };
  for (const Case& row : cases) {
    const ImageUnit unit = unit_of(row.header);
    EXPECT_NEAR(unit.nanomaggies / row.nanomaggies, 1.0, 1e-3) << unit.words;
    EXPECT_EQ(unit.of, ImageUnit::Of::pixel) << unit.words;
    EXPECT_NE(unit.words, "");
  }
  for (const Case& row :
       {Case{{{"BUNIT", "MJy/sr"}}, 1e12 * steradians / 3.631}, Case{{{"BUNIT", "nanomaggy/arcsec2"}}, 1.0},
        Case{{{"BUNIT", "uJy/arcsec^2"}}, 1.0 / 3.631}}) {
    const ImageUnit unit = unit_of(row.header);
    EXPECT_NEAR(unit.nanomaggies / row.nanomaggies, 1.0, 1e-12) << unit.words;
    EXPECT_EQ(unit.of, ImageUnit::Of::square_arcsec) << unit.words;
  }
  EXPECT_EQ(unit_of({{"BUNIT", "count"}, {"MAGZERO", 30.0}}).words, "BUNIT = 'count', MAGZERO = 30");
  EXPECT_EQ(unit_of({{"BAND", "g"}}).of, ImageUnit::Of::unstated);
}

TEST(ImageUnit, NamesTheWordThatIsNotUnderstood) {
  const auto refusal = [](const Keywords& header, const std::string& message) {
    EXPECT_THAT([&] { unit_of(header); }, ThrowsMessage<Error>(testing::HasSubstr(message)));
  };
  refusal({{"BUNIT", "furlong"}}, "BUNIT = 'furlong' is no unit of flux that is known");
  refusal({{"BUNIT", "Jy/beam"}}, "BUNIT = 'Jy/beam' is no unit of flux that is known");
  refusal({{"BUNIT", "mag"}}, "BUNIT = 'mag' is no unit of flux that is known");
  refusal({{"BUNIT", "count/cm2"}, {"MAGZERO", 30.0}}, "BUNIT = 'count/cm2' is no unit");
  refusal({{"BUNIT", "counts"}}, "BUNIT = 'counts' needs a zero point (MAGZERO");
  refusal({{"BUNIT", "ELECTRONS"}, {"PHOTFLAM", 7e-20}, {"PHOTPLAM", 8000.0}},
          "BUNIT = 'ELECTRONS' are counts, PHOTFLAM is of counts a second");
  refusal({{"BUNIT", "erg/s/cm2/Angstrom"}}, "is per wavelength, and PHOTPLAM, the wavelength of the band, is missing");
  refusal({{"BUNIT", "nJy"}, {"MAGZERO", 27.0}}, "BUNIT = 'nJy' and MAGZERO = 27 contradict each other");
  refusal({{"MAGZERO", 30.0}, {"FLUXMAG0", 63095734448.0}}, "MAGZERO = 30 and FLUXMAG0 = 63095734448 contradict");
  refusal({{"MAGZP", 22.5}, {"MAGSYS", "Vega"}}, "MAGSYS = 'Vega': zero points in AB magnitudes are read");
  EXPECT_THAT(
      [] { image_unit(Header(fmt::format("{:<80}", "MAGZP   = 22.5 / Magnitude zeropoint (in Vega mag)"))); },
      ThrowsMessage<Error>("MAGZP is 'Magnitude zeropoint (in Vega mag)': zero points in AB magnitudes are read"));
  refusal({{"BSOFTEN", 100.0}}, "its values are on an asinh scale (BSOFTEN)");
}

}  // namespace
}  // namespace astroclip::fits
