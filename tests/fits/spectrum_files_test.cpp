#include "fits/spectrum_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "support/fits_files.h"
#include "support/real_data.h"
#include "support/scratch.h"

namespace astroclip::fits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::FitsWriter;
using testing_support::real_file;
using Column = FitsWriter::Column;
using Values = std::vector<double>;

/// A galaxy's spectrum: a continuum of 3 with a line at 7221.071 Å, errors of 0.5, on a logarithmic grid of its own.
class SpectrumFilesTest : public testing::Test {
 protected:
  SpectrumFilesTest() {
    for (double at = std::log10(3650.0); at < std::log10(9750.0); at += 1e-4) {
      loglam_.push_back(at);
      wave_.push_back(std::pow(10.0, at));
      flux_.push_back(3.0 + 20.0 * std::exp(-0.5 * std::pow((wave_.back() - line) / 4.0, 2.0)));
    }
    ivar_.assign(wave_.size(), 4.0);
    error_.assign(wave_.size(), 0.5);
    zeros_.assign(wave_.size(), 0.0);
    pixels_ = static_cast<long>(wave_.size());
  }

  std::string path(const std::string& name) const { return testing_support::scratch("spectra_" + name); }
  Values scaled(Values values, double factor) const {
    for (double& value : values) value *= factor;
    return values;
  }
  static Values joined(const std::vector<Values>& rows) {
    Values all;
    for (const Values& row : rows) all.insert(all.end(), row.begin(), row.end());
    return all;
  }
  /// A file of images FLUX, IVAR (or another uncertainty) and WAVE (or another axis).
  Observations images(const std::string& name, const Values& flux, const std::string& uncertainty, const Values& values,
                      const std::string& wave, const Values& waves, const auto& further) const {
    {
      FitsWriter writer(path(name));
      writer.empty_primary().image("FLUX", {1, pixels_}, flux, -64);
      further(writer, "FLUX");
      writer.image(uncertainty, {1, pixels_}, values, -64);
      further(writer, uncertainty);
      writer.image(wave, {pixels_}, waves, -64);
      further(writer, wave);
    }
    return read_observations(path(name));
  }

  /// The spectrum's continuum, line and inverse variance (that of a pixel of 0.8 Å).
  void expect_galaxy(const Observations& found, size_t count = 1) const {
    ASSERT_THAT(found.refused, testing::IsEmpty()) << found.refused[0].reason;
    ASSERT_EQ(found.spectra.size(), count);
    for (const ObservedSpectrum& one : found.spectra) expect_galaxy(one.spectrum);
  }
  void expect_galaxy(const GridSpectrum& spectrum) const {
    const size_t continuum = 3000, peak = 4526;
    EXPECT_NEAR(spectrum.flux[continuum], 3.0F, 1e-4F);
    // Means over pixels of the line, and its middle.
    double sum = 0.0, moment = 0.0;
    for (size_t i = peak - 40; i <= peak + 40; ++i) {
      sum += spectrum.flux[i] - 3.0F;
      moment += (spectrum.flux[i] - 3.0F) * data::wavelength_of(static_cast<int64_t>(i));
    }
    EXPECT_NEAR(moment / sum, line, 0.02);
    EXPECT_NEAR(sum * 0.8, 20.0 * 4.0 * std::sqrt(2.0 * std::numbers::pi), 0.1);
    const double width = data::wavelength_of(static_cast<int64_t>(continuum)) * 1e-4 * std::numbers::ln10;
    EXPECT_NEAR(spectrum.ivar[continuum], 4.0 * 0.8 / width, 1e-3);
  }

  static constexpr double line = 6564.61 * 1.1;
  Values loglam_, wave_, flux_, ivar_, error_, zeros_;
  long pixels_ = 0;
};

constexpr auto nothing = [](FitsWriter&, const std::string&) {};

TEST_F(SpectrumFilesTest, ObeysUncertaintiesOfEachKind) {
  expect_galaxy(images("ivar.fits", flux_, "IVAR", ivar_, "WAVE", wave_, nothing));
  expect_galaxy(images("invvar.fits", flux_, "INVVAR", ivar_, "LAMBDA", wave_, nothing));
  expect_galaxy(images("error.fits", flux_, "ERROR", error_, "WAVELENGTH", wave_, nothing));
  expect_galaxy(images("variance.fits", flux_, "VARIANCE", Values(wave_.size(), 0.25), "WAVE", wave_, nothing));
  expect_galaxy(images("loglam.fits", flux_, "IVAR", ivar_, "LOGLAM", loglam_, nothing));
}

TEST_F(SpectrumFilesTest, ObeysUnits) {
  const auto unit = [](const std::string& of, const std::string& text) {
    return [=](FitsWriter& writer, const std::string& hdu) {
      if (hdu == of) writer.key("BUNIT", text);
    };
  };
  expect_galaxy(images("nm.fits", flux_, "IVAR", ivar_, "WAVE", scaled(wave_, 0.1), unit("WAVE", "nm")));
  expect_galaxy(images("um.fits", flux_, "IVAR", ivar_, "WAVE", scaled(wave_, 1e-4), unit("WAVE", "um")));
  expect_galaxy(images("m.fits", flux_, "IVAR", ivar_, "WAVE", scaled(wave_, 1e-10), unit("WAVE", "m")));
  expect_galaxy(images("log.fits", flux_, "IVAR", ivar_, "WAVE", loglam_, unit("WAVE", "log10(Angstrom)")));
  expect_galaxy(images("cgs.fits", scaled(flux_, 1e-17), "ERROR", scaled(error_, 1e-17), "WAVE", wave_,
                       unit("FLUX", "erg/(s cm2 Angstrom)")));
  expect_galaxy(images("cgs_ivar.fits", scaled(flux_, 1e-17), "IVAR", scaled(ivar_, 1e34), "WAVE", wave_,
                       unit("FLUX", "erg/s/cm^2/A")));
  // f_ν = f_λ λ² / c.
  Values janskys = flux_, errors = error_;
  for (size_t i = 0; i < wave_.size(); ++i) {
    const double microjansky = 1e-17 * wave_[i] * wave_[i] / 2.99792458e18 * 1e29;
    janskys[i] *= microjansky;
    errors[i] *= microjansky;
  }
  expect_galaxy(images("jansky.fits", janskys, "ERR", errors, "WAVE", wave_, unit("FLUX", "uJy")));
}

TEST_F(SpectrumFilesTest, SaysWhichUnitIsMissingOrNone) {
  const auto reason = [](const Observations& found) {
    return found.refused.size() == 1 && found.spectra.empty() ? found.refused[0].reason : "";
  };
  EXPECT_THAT(reason(images("r1.fits", scaled(flux_, 1e-17), "IVAR", ivar_, "WAVE", wave_, nothing)),
              HasSubstr("and no unit says of what (BUNIT, TUNIT)"));
  EXPECT_EQ(
      reason(images("r2.fits", flux_, "IVAR", ivar_, "WAVE", scaled(wave_, 0.1), nothing)),
      "its wavelengths run from 365 to 974.974 Å, the grid from 3600 to 9824 Å; no unit is given, so Å were assumed");
  const auto counts = [](FitsWriter& writer, const std::string& hdu) {
    if (hdu == "FLUX") writer.key("BUNIT", std::string("electron/Angstrom"));
  };
  EXPECT_THAT(reason(images("r3.fits", flux_, "IVAR", ivar_, "WAVE", wave_, counts)),
              HasSubstr("'electron/Angstrom' is no unit of flux density"));
  FitsWriter(path("cube.fits"))
      .empty_primary()
      .image("FLUX", {4, 2, 2}, Values(16, 1.0))
      .image("WAVE", {4}, {1, 2, 3, 4});
  EXPECT_EQ(reason(read_observations(path("cube.fits"))),
            "HDU 'FLUX': expected spectra of shape [rows, pixels], found a cube of [4, 2, 2]");
}

TEST_F(SpectrumFilesTest, ObeysAirMasksAndDirection) {
  // The dispersion formula of Morton 1991, by which SDSS describes its wavelengths.
  Values air;
  for (const double at : wave_)
    air.push_back(at / (1.0 + 2.735182e-4 + 131.4182 / (at * at) + 2.76249e8 / std::pow(at, 4)));
  const auto says = [](FitsWriter& writer, const std::string& hdu) {
    if (hdu == "WAVE") writer.key("AIRORVAC", std::string("air"));
  };
  const Observations in_air = images("air.fits", flux_, "IVAR", ivar_, "WAVE", air, says);
  expect_galaxy(in_air);
  EXPECT_THAT(in_air.notes, ElementsAre("wavelengths in air were turned into vacuum ones (Ciddor 1996)"));

  const Values falling(wave_.rbegin(), wave_.rend()), reversed(flux_.rbegin(), flux_.rend());
  expect_galaxy(images("falling.fits", reversed, "IVAR", ivar_, "WAVE", falling, nothing));

  Values bad = flux_, mask = zeros_;
  std::fill_n(bad.begin() + 1000, 200, 999.0);
  std::fill_n(mask.begin() + 1000, 200, 1.0);
  const auto masked = [&](FitsWriter& writer, const std::string& hdu) {
    if (hdu == "WAVE") writer.image("MASK", {1, pixels_}, mask, 32);
  };
  const Observations found = images("mask.fits", bad, "IVAR", ivar_, "WAVE", wave_, masked);
  expect_galaxy(found);
  EXPECT_LT(*std::ranges::max_element(found.spectra[0].spectrum.flux), 24.0F);
  const auto pixel = static_cast<size_t>((wave_[1100] - 3600.0) / 0.8);
  EXPECT_EQ(found.spectra[0].spectrum.ivar[pixel], 0.0F);
}

TEST_F(SpectrumFilesTest, OfAndMasksTheBitsOfPixelsCount) {
  Values bad = flux_, mask = zeros_;
  std::fill_n(mask.begin() + 1000, 2000, 16.0);                    // MANYBADCOLUMNS, bit 4, of a whole fibre
  std::fill_n(mask.begin() + 1000, 10, 16.0 + std::pow(2.0, 23));  // BRIGHTSKY
  std::fill_n(bad.begin() + 1000, 10, 999.0);
  FitsWriter(path("and_mask.fits"))
      .empty_primary()
      .key("VACUUM", std::string("T"))
      .table("COADD", pixels_,
             {Column{"flux", "D", bad}, Column{"loglam", "D", loglam_}, Column{"ivar", "D", ivar_},
              Column{"and_mask", "J", mask}});
  const Observations found = read_observations(path("and_mask.fits"));
  ASSERT_EQ(found.spectra.size(), 1U);
  const auto pixel = [&](size_t i) { return static_cast<size_t>(std::lround((wave_[i] - 3600.0) / 0.8)); };
  EXPECT_EQ(found.spectra[0].spectrum.ivar[pixel(1005)], 0.0F);
  EXPECT_NEAR(found.spectra[0].spectrum.flux[pixel(1005)], 3.0F, 1e-4F);
  EXPECT_GT(found.spectra[0].spectrum.ivar[pixel(2000)], 0.0F);
}

TEST_F(SpectrumFilesTest, ReadsFilesOfTwoDegreeField) {
  // Logarithms in an image without a unit, as LOGSCALE in the primary header says; variances.
  FitsWriter(path("aat.fits"))
      .image("", {pixels_}, flux_, -64)
      .key("CTYPE1", std::string("Wavelength"))
      .key("CUNIT1", std::string("Angstroms"))
      .key("VACUUM", std::string("T"))
      .key("LOGSCALE", std::string("T"))
      .image("VARIANCE", {pixels_}, Values(wave_.size(), 0.25), -64)
      .image("WAVELENGTH", {pixels_}, loglam_, -64);
  const Observations found = read_observations(path("aat.fits"));
  expect_galaxy(found);
  EXPECT_TRUE(found.notes.empty());
}

TEST_F(SpectrumFilesTest, ReadsTablesOfOneSpectrumAndOfMany) {
  FitsWriter(path("x1d.fits"))
      .empty_primary()
      .key("TARG_RA", 150.5)
      .key("TARG_DEC", 2.5)
      .table("EXTRACT1D", pixels_,
             {Column{"WAVELENGTH", "D", scaled(wave_, 1e-4), {}, {}, {}, "um"}, Column{"FLUX", "D", flux_},
              Column{"FLUX_ERROR", "D", error_}, Column{"DQ", "J", zeros_}});
  const Observations x1d = read_observations(path("x1d.fits"));
  expect_galaxy(x1d);
  EXPECT_EQ(x1d.spectra[0].position->ra, 150.5);

  const std::string form = std::to_string(pixels_) + "D";
  FitsWriter(path("lamost.fits"))
      .empty_primary()
      .key("TELESCOP", std::string("LAMOST"))
      .key("OBSID", 101005.0)
      .key("RA", 332.2)
      .key("DEC", -2.05)
      .key("Z", 0.1)
      .table("COADD", 1,
             {Column{"FLUX", form, flux_}, Column{"IVAR", form, ivar_}, Column{"WAVELENGTH", form, wave_},
              Column{"ANDMASK", form, zeros_}});
  const Observations lamost = read_observations(path("lamost.fits"));
  expect_galaxy(lamost);
  EXPECT_EQ(lamost.spectra[0].redshift, 0.1);
  EXPECT_EQ(lamost.spectra[0].position->dec, -2.05);

  FitsWriter(path("rows.fits"))
      .empty_primary()
      .table("SPECTRA", 2,
             {Column{"TARGETID", "K", {}, {39633300968442591, 7}}, Column{"REDSHIFT", "D", {0.1, 0.2}},
              Column{"RA", "D", {1, 2}}, Column{"DEC", "D", {3, 4}}, Column{"FLUX", form, joined({flux_, flux_})},
              Column{"IVAR", form, joined({ivar_, ivar_})}, Column{"WAVELENGTH", form, joined({wave_, wave_})}});
  const Observations rows = read_observations(path("rows.fits"));
  expect_galaxy(rows, 2);
  EXPECT_EQ(rows.spectra[0].id->str(), "TARGETID 39633300968442591");
  EXPECT_EQ(rows.spectra[1].redshift, 0.2);
  EXPECT_EQ(rows.spectra[1].position->dec, 4.0);
  // The same rows with one image of wavelengths for all.
  FitsWriter(path("rows_image.fits"))
      .empty_primary()
      .table("SPECTRA", 2, {Column{"FLUX", form, joined({flux_, flux_})}, Column{"IVAR", form, joined({ivar_, ivar_})}})
      .image("WAVELENGTH", {pixels_}, wave_, -64);
  expect_galaxy(read_observations(path("rows_image.fits")), 2);
}

/// As the slits of a multi-object spectrograph are written: one table for each, all of one name.
TEST_F(SpectrumFilesTest, SeveralTablesOfSpectraAreNotTakenForOne) {
  const auto write = [&](const std::string& second) {
    FitsWriter writer(path("slits.fits"));
    writer.empty_primary();
    for (const std::string& name : {std::string("EXTRACT1D"), second}) {
      writer.table(name, pixels_,
                   {Column{"WAVELENGTH", "D", wave_, {}, {}, {}, "Angstrom"}, Column{"FLUX", "D", flux_},
                    Column{"FLUX_ERROR", "D", error_}});
    }
    writer.close();
    return read_observations(path("slits.fits"));
  };
  const Observations same = write("EXTRACT1D");
  EXPECT_TRUE(same.spectra.empty());
  EXPECT_EQ(same.refused.at(0).reason,
            "has 2 HDUs named 'EXTRACT1D', and which is meant cannot be told: keep one, or name them apart (EXTNAME)");
  const Observations named = write("SLIT2");
  EXPECT_EQ(named.spectra.size(), 1U);
  EXPECT_THAT(named.notes,
              testing::Contains("of 2 tables of spectra the first, 'EXTRACT1D', was taken; left out: SLIT2"));
}

TEST_F(SpectrumFilesTest, ReadsPrimaryImages) {
  FitsWriter(path("lamost_dr5.fits")).image("", {5, pixels_}, joined({flux_, ivar_, wave_, zeros_, zeros_}), -64);
  expect_galaxy(read_observations(path("lamost_dr5.fits")));
  // As the first release has it: no row of wavelengths, but the flux over the continuum in its place.
  FitsWriter(path("lamost_dr1.fits"))
      .image("", {5, pixels_}, joined({flux_, ivar_, scaled(flux_, 0.5), zeros_, zeros_}), -64)
      .key("EXTEN0", std::string("Flux Inverse Subcontinuum Andmask Ormask"))
      .key("COEFF0", loglam_[0])
      .key("COEFF1", 1e-4);
  expect_galaxy(read_observations(path("lamost_dr1.fits")));

  FitsWriter(path("spspec.fit"))
      .image("", {5, pixels_}, joined({flux_, flux_, error_, zeros_, flux_}), -64)
      .key("COEFF0", loglam_[0])
      .key("COEFF1", 1e-4)
      .key("BUNIT", std::string("1.0E-17 erg/cm/s/Ang"))
      .key("PLATEID", 266.0)
      .key("MJD", 51602.0)
      .key("FIBERID", 1.0)
      .key("RAOBJ", 150.1)
      .key("DECOBJ", 2.2)
      .key("Z", 0.1);
  const Observations spspec = read_observations(path("spspec.fit"));
  expect_galaxy(spspec);
  EXPECT_EQ(spspec.spectra[0].id->str(), "PLATE-MJD-FIBERID 0266-51602-0001");
  EXPECT_EQ(spspec.spectra[0].redshift, 0.1);
  EXPECT_EQ(spspec.spectra[0].position->ra, 150.1);

  FitsWriter(path("spplate.fits"))
      .image("", {2, pixels_}, joined({flux_, flux_}), -64)
      .key("COEFF0", loglam_[0])
      .key("COEFF1", 1e-4)
      .key("PLATEID", 9567.0)
      .key("MJD", 57814.0)
      .key("RUN2D", std::string("v5_13_2"))
      .image("IVAR", {2, pixels_}, joined({ivar_, ivar_}), -64)
      .image("ANDMASK", {2, pixels_}, joined({zeros_, zeros_}), 32)
      .table("PLUGMAP", 2,
             {Column{"FIBERID", "J", {1, 321}}, Column{"RA", "D", {1, 2}}, Column{"DEC", "D", {3, 4}},
              Column{"OBJTYPE", "16A", {}, {}, {"SKY", "GALAXY"}}});
  const Observations plate = read_observations(path("spplate.fits"));
  ASSERT_EQ(plate.spectra.size(), 1U);
  expect_galaxy(plate.spectra[0].spectrum);
  // pydl 1.0: sdss_specobjid(9567, 321, 57814, 'v5_13_2').
  EXPECT_EQ(plate.spectra[0].id->str(), "SPECOBJID 10771572775670011904");
  EXPECT_EQ(plate.refused.at(0).reason, "the fibre has no target (OBJTYPE SKY)");

  FitsWriter(path("iraf.fits"))
      .image("", {pixels_}, flux_, -64)
      .key("CTYPE1", std::string("LINEAR"))
      .key("CRVAL1", loglam_[0])
      .key("CDELT1", 1e-4)
      .key("CRPIX1", 1.0)
      .key("DC-FLAG", 1.0);
  const Observations iraf = read_observations(path("iraf.fits"));
  ASSERT_EQ(iraf.spectra.size(), 1U);
  EXPECT_NEAR(iraf.spectra[0].spectrum.flux[3000], 3.0F, 1e-4F);
  EXPECT_THAT(iraf.notes,
              ElementsAre("no word says whether wavelengths are in air (AIRORVAC, VACUUM, CTYPE1): taken as "
                          "in vacuum",
                          "neither inverse variances nor errors: every finite flux counts, with an inverse "
                          "variance of 1"));
}

TEST_F(SpectrumFilesTest, ReadsWhatEachReductionOfSdssSaysOfTheObject) {
  const auto write = [&](const std::string& name, const std::string& table, const std::vector<Column>& columns) {
    FitsWriter(path(name))
        .empty_primary()
        .table("COADD", pixels_,
               {Column{"FLUX", "D", flux_}, Column{"LOGLAM", "D", loglam_}, Column{"IVAR", "D", ivar_},
                Column{"AND_MASK", "J", zeros_}})
        .table(table, 1, columns);
    return read_observations(path(name));
  };
  const Column z{"Z", "D", {0.1}}, warning{"ZWARNING", "J", {4}};
  const Observations eboss = write("eboss.fits", "SPALL",
                                   {Column{"PLATE", "J", {9567}}, Column{"MJD", "J", {57814}},
                                    Column{"FIBERID", "J", {321}}, Column{"RUN2D", "7A", {}, {}, {"v5_13_2"}},
                                    Column{"PLUG_RA", "D", {150.1}}, Column{"PLUG_DEC", "D", {2.2}}, z, warning});
  EXPECT_EQ(eboss.kind, "SDSS spectrum");
  expect_galaxy(eboss);
  EXPECT_EQ(eboss.spectra[0].id->str(), "SPECOBJID 10771572775670011904");
  EXPECT_EQ(eboss.spectra[0].redshift, 0.1);
  EXPECT_EQ(eboss.spectra[0].redshift_warning, 4.0);
  EXPECT_EQ(eboss.spectra[0].position->ra, 150.1);
  const Observations fifth = write(
      "sdss5.fits", "SPALL",
      {Column{"FIELD", "J", {101126}}, Column{"MJD", "J", {60477}}, Column{"CATALOGID", "K", {}, {27021603187129892}},
       Column{"RACAT", "D", {150.1}}, Column{"DECCAT", "D", {2.2}}, z, warning});
  expect_galaxy(fifth);
  EXPECT_EQ(fifth.spectra[0].id->str(), "CATALOGID 27021603187129892");
  EXPECT_EQ(fifth.spectra[0].position->dec, 2.2);
  EXPECT_EQ(fifth.spectra[0].redshift, 0.1);
  const Observations archive =
      write("archive.fits", "SPECOBJ",
            {Column{"SPECOBJID", "22A", {}, {}, {"  10771572775670011904"}}, Column{"PLATE", "J", {9567}},
             Column{"MJD", "J", {57814}}, Column{"FIBERID", "J", {321}}, z});
  EXPECT_EQ(archive.spectra[0].id->str(), "SPECOBJID 10771572775670011904");
}

TEST_F(SpectrumFilesTest, TakesTheGridsPixelsAsTheyAre) {
  Values flux, ivar(7781, 2.0), wave;
  for (int i = 0; i < 7781; ++i) {
    wave.push_back(3600.0 + 0.8 * i);
    flux.push_back(i % 2);
  }
  FitsWriter(path("grid.fits"))
      .empty_primary()
      .image("FLUX", {1, 7781}, flux)
      .image("IVAR", {1, 7781}, ivar)
      .image("WAVE", {7781}, wave, -64);
  const Observations found = read_observations(path("grid.fits"));
  ASSERT_EQ(found.spectra.size(), 1U);
  for (size_t i = 0; i < 7781; ++i) ASSERT_EQ(found.spectra[0].spectrum.flux[i], static_cast<float>(i % 2));
}

}  // namespace
}  // namespace astroclip::fits
