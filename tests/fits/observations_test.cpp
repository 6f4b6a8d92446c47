#include "fits/observations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "io/output/durable_file.h"
#include "support/fits_files.h"
#include "support/real_data.h"
#include "support/scratch.h"

namespace astroclip::fits {
namespace {

using testing_support::FitsWriter;
using testing_support::real_file;
using Column = FitsWriter::Column;

std::string observed_path(const std::string& name) { return testing_support::scratch("observed_" + name); }

/// Wavelengths of grid pixels [first, first + count).
std::vector<double> grid(int64_t first, int64_t count) {
  std::vector<double> wavelength;
  for (int64_t i = first; i < first + count; ++i) wavelength.push_back(3600.0 + 0.8 * static_cast<double>(i));
  return wavelength;
}

/// Two fibres with the value `flux` in the first and 0 inverse variance in the second.
void write_arm(FitsWriter& file, const std::string& arm, int64_t first, int64_t count, double flux, double ivar) {
  std::vector<double> fluxes(static_cast<size_t>(2 * count), flux), ivars(static_cast<size_t>(2 * count), 0.0);
  std::fill_n(ivars.begin(), count, ivar);
  file.image(arm + "_WAVELENGTH", {count}, grid(first, count), -64)
      .image(arm + "_FLUX", {2, count}, fluxes)
      .image(arm + "_IVAR", {2, count}, ivars);
}

/// Arms over pixels 0–2750, 2700–5025, 4900–7780, as DESI's are.
std::string coadd(const std::string& name) {
  const std::string file = observed_path(name);
  FitsWriter writer(file);
  writer.empty_primary();
  write_arm(writer, "B", 0, 2751, 1.0, 2.0);
  write_arm(writer, "R", 2700, 2326, 4.0, 4.0);
  write_arm(writer, "Z", 4900, 2881, 7.0, 1.0);
  return file;
}

TEST(DesiCoadd, PutsItsArmsTogetherAndRefusesTheEmptyFibre) {
  const Observations found = read_observations(coadd("coadd.fits"));
  EXPECT_EQ(found.kind, "DESI coadd");
  ASSERT_EQ(found.spectra.size(), 1U);
  const GridSpectrum& spectrum = found.spectra[0].spectrum;
  EXPECT_EQ(spectrum.measured, 7781);
  EXPECT_FLOAT_EQ(spectrum.flux[2699], 1.0F);
  EXPECT_FLOAT_EQ(spectrum.flux[2700], 3.0F);  // (2·1 + 4·4) / 6
  EXPECT_FLOAT_EQ(spectrum.ivar[2700], 6.0F);
  EXPECT_FLOAT_EQ(spectrum.flux[2751], 4.0F);
  EXPECT_FLOAT_EQ(spectrum.flux[5000], 4.6F);  // (4·4 + 1·7) / 5
  EXPECT_FLOAT_EQ(spectrum.flux[7780], 7.0F);
  EXPECT_FALSE(found.spectra[0].id || found.spectra[0].position);
  EXPECT_TRUE(std::isnan(found.spectra[0].redshift));
  ASSERT_EQ(found.refused.size(), 1U);
  EXPECT_EQ(found.refused[0].row, 1);
  EXPECT_EQ(found.refused[0].reason, "no pixel was measured (inverse variance above 0)");
}

TEST(DesiCoadd, MaskedPixelsCountAsNotMeasured) {
  const std::string file = observed_path("masked.fits");
  {
    FitsWriter writer(file);
    writer.empty_primary();
    write_arm(writer, "R", 0, 4000, 2.0, 1.0);
    std::vector<double> mask(8000, 0.0);
    mask[10] = 4.0;
    writer.image("R_MASK", {2, 4000}, mask, 32);
  }
  const Observations found = read_observations(file);
  ASSERT_EQ(found.spectra.size(), 1U);
  EXPECT_EQ(found.spectra[0].spectrum.measured, 3999);
  EXPECT_FLOAT_EQ(found.spectra[0].spectrum.ivar[10], 0.0F);
  EXPECT_FLOAT_EQ(found.spectra[0].spectrum.flux[10], 2.0F);
  EXPECT_FLOAT_EQ(found.spectra[0].spectrum.flux[7780], 2.0F);  // filled
}

TEST(DesiCoadd, ReadsTheFiberMapAndLeavesSkyOut) {
  const std::string file = observed_path("fibermap.fits");
  {
    FitsWriter writer(file);
    writer.empty_primary();
    write_arm(writer, "B", 0, 5000, 1.0, 2.0);
    writer.table("FIBERMAP", 2,
                 {Column{"TARGETID", "K", {}, {39633123456789012, -5}}, Column{"TARGET_RA", "D", {150.0, 151.0}},
                  Column{"TARGET_DEC", "D", {2.0, 3.0}}, Column{"OBJTYPE", "3A", {}, {}, {"TGT", "SKY"}}});
  }
  const Observations found = read_observations(file);
  ASSERT_EQ(found.spectra.size(), 1U);
  EXPECT_EQ(found.spectra[0].id->str(), "TARGETID 39633123456789012");
  EXPECT_EQ(found.spectra[0].position->ra, 150.0);
  EXPECT_EQ(found.spectra[0].position->dec, 2.0);
  ASSERT_EQ(found.refused.size(), 1U);
  EXPECT_EQ(found.refused[0].reason, "the fibre has no target (OBJTYPE SKY)");
}

TEST(DesiCoadd, SaysWhatIsWrong) {
  const auto reason = [](const std::string& name, const auto& write) {
    const std::string file = observed_path(name);
    {
      FitsWriter writer(file);
      writer.empty_primary();
      write(writer);
    }
    const Observations found = read_observations(file);
    EXPECT_TRUE(found.spectra.empty());
    return found.refused.size() == 1 && !found.refused[0].row ? found.refused[0].reason : "";
  };
  EXPECT_EQ(reason("noivar.fits",
                   [](FitsWriter& file) {
                     file.image("B_WAVELENGTH", {2}, grid(0, 2), -64).image("B_FLUX", {1, 2}, {1, 2});
                   }),
            "has no HDU 'B_IVAR'; it has PRIMARY, B_WAVELENGTH, B_FLUX");
  EXPECT_EQ(reason("offgrid.fits",
                   [](FitsWriter& file) {
                     file.image("B_WAVELENGTH", {2}, {3600.0, 3601.0}, -64)
                         .image("B_FLUX", {1, 2}, {1, 2})
                         .image("B_IVAR", {1, 2}, {1, 2});
                   }),
            "3601.00 Å is no pixel of the grid from 3600 to 9824 Å in steps of 0.8 Å");
  EXPECT_EQ(reason("shape.fits",
                   [](FitsWriter& file) {
                     file.image("B_WAVELENGTH", {3}, grid(0, 3), -64).image("B_FLUX", {1, 2}, {1, 2});
                   }),
            "HDU 'B_FLUX': expected an image of shape [1, 3], found [1, 2]");
  EXPECT_EQ(reason("nothing.fits",
                   [](FitsWriter& file) {
                     file.image("FLUX", {2}, {1, 2});
                   }),
            "holds neither spectra, redshifts nor images that are known; its HDUs are PRIMARY, FLUX");
}

/// A coadd of all arms with the rows of a FIBERMAP, and fluxes 1, 2, … in its rows.
Observations with_fibers(const std::string& name, std::vector<Column> columns, const std::vector<double>& ivars,
                         const std::vector<std::pair<std::string, int64_t>>& arms = {{"BRZ", 0}}) {
  const auto rows = static_cast<int64_t>(ivars.size());
  {
    FitsWriter writer(observed_path(name));
    writer.empty_primary().table("FIBERMAP", rows, std::move(columns));
    for (const auto& [arm, first] : arms) {
      const int64_t pixels = arms.size() == 1 ? 7781 : 4000;
      std::vector<double> flux, ivar;
      for (int64_t row = 0; row < rows; ++row) {
        flux.insert(flux.end(), static_cast<size_t>(pixels), static_cast<double>(row + 1));
        ivar.insert(ivar.end(), static_cast<size_t>(pixels), ivars[static_cast<size_t>(row)]);
      }
      writer.image(arm + "_WAVELENGTH", {pixels}, grid(first, pixels), -64)
          .image(arm + "_FLUX", {rows, pixels}, flux)
          .image(arm + "_IVAR", {rows, pixels}, ivar);
    }
  }
  return read_observations(observed_path(name));
}

TEST(DesiCoadd, RefusesFibresThatAreNotToBeUsed) {
  const Observations found = with_fibers(
      "status.fits", {Column{"TARGETID", "K", {}, {1, 2, 3, -4}}, Column{"COADD_FIBERSTATUS", "J", {0, 512, 8, 0}}},
      {1, 1, 1, 1});
  ASSERT_EQ(found.spectra.size(), 2U);
  EXPECT_EQ(found.spectra[1].id->value, "3");
  EXPECT_EQ(found.spectra[1].spectrum.flux[7780], 3.0F);
  ASSERT_EQ(found.refused.size(), 2U);
  EXPECT_EQ(found.refused[0].reason, "the fibre is not to be used: its COADD_FIBERSTATUS is 512, and neither 0 nor 8");
  EXPECT_EQ(found.refused[1].reason, "the fibre has no target (TARGETID -4)");
}

TEST(DesiCoadd, MakesTargetIdsOfTheirParts) {
  const Observations found = with_fibers(
      "parts.fits", {Column{"RELEASE", "I", {9010}}, Column{"BRICKID", "J", {330368}}, Column{"BRICK_OBJID", "J", {7}}},
      {1});
  ASSERT_EQ(found.spectra.size(), 1U);
  EXPECT_EQ(found.spectra[0].id->str(), "TARGETID 39627784728870919");
}

TEST(DesiExposures, AreCoaddedByInverseVariance) {
  // Of the first target three exposures, of which the last has a broken fibre (bit 2); the fourth row has no good
  // amplifier of camera B (bit 22).
  const Observations found =
      with_fibers("exposures.fits",
                  {Column{"TARGETID", "K", {}, {5, 5, 6, 6, 5}}, Column{"FIBERSTATUS", "J", {0, 2, 8, 1 << 22, 4}}},
                  {1, 3, 1, 1, 100}, {{"B", 0}, {"Z", 3781}});
  EXPECT_EQ(found.kind, "DESI exposures");
  ASSERT_EQ(found.spectra.size(), 2U);
  EXPECT_EQ(found.spectra[0].id->value, "5");
  EXPECT_FLOAT_EQ(found.spectra[0].spectrum.flux[100], 1.75F);  // (1·1 + 3·2) / 4
  EXPECT_FLOAT_EQ(found.spectra[0].spectrum.ivar[100], 4.0F);
  EXPECT_FLOAT_EQ(found.spectra[1].spectrum.flux[100], 3.0F);
  EXPECT_FLOAT_EQ(found.spectra[1].spectrum.ivar[100], 1.0F);
  EXPECT_FLOAT_EQ(found.spectra[1].spectrum.flux[7000], 3.5F);
  ASSERT_EQ(found.refused.size(), 1U);
  EXPECT_EQ(found.refused[0].row, 4);
  EXPECT_EQ(found.refused[0].reason, "the fibre is not to be used: its FIBERSTATUS is 4");
  EXPECT_THAT(found.notes, testing::ElementsAre("exposures coadded by inverse variance: 4, spectra made of them: 2"));
}

TEST(SdssSpectrum, IsResampledAndBringsItsRedshift) {
  const std::string file = observed_path("sdss.fits");
  std::vector<double> loglam, flux, ivar;
  for (int i = 0; i < 3900; ++i) {
    loglam.push_back(3.58 + 1e-4 * i);  // 3802 Å to 9331 Å
    flux.push_back(2.0 + 1e-3 * std::pow(10.0, loglam.back()));
    ivar.push_back(9.0);
  }
  FitsWriter(file)
      .empty_primary()
      .table("COADD", 3900, {Column{"flux", "E", flux}, Column{"loglam", "D", loglam}, Column{"ivar", "E", ivar}})
      .table("SPECOBJ", 1,
             {Column{"PLATE", "J", {266}}, Column{"MJD", "J", {51602}}, Column{"FIBERID", "J", {1}},
              Column{"PLUG_RA", "D", {146.7}}, Column{"PLUG_DEC", "D", {-1.04}}, Column{"Z", "E", {0.25}},
              Column{"ZWARNING", "J", {4}}});
  const Observations found = read_observations(file);
  EXPECT_EQ(found.kind, "SDSS spectrum");
  ASSERT_EQ(found.spectra.size(), 1U);
  const ObservedSpectrum& one = found.spectra[0];
  EXPECT_EQ(one.id->str(), "PLATE-MJD-FIBERID 0266-51602-0001");
  EXPECT_EQ(one.redshift, 0.25);
  EXPECT_EQ(one.redshift_warning, 4.0);
  EXPECT_EQ(one.position->dec, -1.04);
  for (const size_t pixel : {300U, 4000U, 7000U}) {
    const double wavelength = 3600.0 + 0.8 * static_cast<double>(pixel);
    EXPECT_NEAR(one.spectrum.flux[pixel], 2.0 + 1e-3 * wavelength, 1e-4);
    // The survey's pixels are 1e-4·ln(10)·λ wide.
    EXPECT_NEAR(one.spectrum.ivar[pixel], 9.0 * 0.8 / (1e-4 * std::log(10.0) * wavelength), 1e-2);
  }
  EXPECT_EQ(one.spectrum.ivar[0], 0.0F);
  EXPECT_EQ(one.spectrum.ivar[7780], 0.0F);
  EXPECT_NEAR(one.spectrum.flux[0], 2.0 + 1e-3 * (3802.0 + 40.0), 2e-3);  // the mean of the first 80 Å
}

TEST(StackedSpectra, TakesRowsThatCoverHalfOfTheGrid) {
  const std::string file = observed_path("stack.fits");
  std::vector<double> wavelength, flux, ivar;
  for (double at = 3500.0; at < 7000.0; at += 0.4) wavelength.push_back(at);
  const auto pixels = static_cast<long>(wavelength.size());
  flux.assign(static_cast<size_t>(2 * pixels), 1.5);
  ivar.assign(static_cast<size_t>(2 * pixels), 3.0);
  std::fill_n(ivar.begin() + pixels, 2000, 0.0);
  FitsWriter(file)
      .empty_primary()
      .image("FLUX", {2, pixels}, flux)
      .image("IVAR", {2, pixels}, ivar)
      .image("WAVE", {pixels}, wavelength, -64)
      .table("STACKINFO", 2, {Column{"Z", "D", {0.0, 0.1}}});
  const Observations found = read_observations(file);
  ASSERT_EQ(found.spectra.size(), 1U);
  EXPECT_EQ(found.spectra[0].redshift, 0.0);
  EXPECT_FLOAT_EQ(found.spectra[0].spectrum.flux[1000], 1.5F);
  EXPECT_NEAR(found.spectra[0].spectrum.ivar[1000], 6.0, 1e-4);  // two pixels' worth
  ASSERT_EQ(found.refused.size(), 1U);
  EXPECT_THAT(found.refused[0].reason, testing::EndsWith(" of 7781 pixels were measured, 3890 are needed"));
}

TEST(Redshifts, AreRead) {
  const std::string file = observed_path("redrock.fits");
  FitsWriter(file).empty_primary().table("REDSHIFTS", 2,
                                         {Column{"TARGETID", "K", {}, {39633123456789012, 7}},
                                          Column{"Z", "D", {0.3, 1.25}}, Column{"ZWARN", "K", {0, 4}}});
  const Observations found = read_observations(file);
  EXPECT_EQ(found.kind, "redshifts");
  ASSERT_EQ(found.redshifts.size(), 2U);
  EXPECT_EQ(found.redshifts[0].id.str(), "TARGETID 39633123456789012");
  EXPECT_EQ(found.redshifts[1].redshift, 1.25);
  EXPECT_EQ(found.redshifts[1].warning, 4.0);
}

TEST(Redshifts, OfTablesWrittenOtherwiseAreRead) {
  const std::string file = observed_path("zcatalog.fits");
  FitsWriter(file).empty_primary().table(
      "ZCATALOG", 5,
      {Column{"TARGETID", "W", {}, {}, {}, {14127161586843054080U, 7, 8, 9, 10}},
       Column{"Z", "E", {1.5, 0.25, 0.5, -1.0, 0.75}}, Column{"ZWARN", "L", {1, 0, 0, 0, 0}},
       Column{"DELTACHI2", "D", {3, 90, 5, 6, 7}}, Column{"ZCAT_PRIMARY", "L", {0, 1, 1, 1, 1}},
       Column{"COADD_FIBERSTATUS", "J", {0, 8, 512, 0, 0}}});
  const Observations found = read_observations(file);
  ASSERT_EQ(found.redshifts.size(), 3U);
  EXPECT_EQ(found.redshifts[0].id.value, "14127161586843054080");
  EXPECT_EQ(found.redshifts[0].warning, 1.0);
  EXPECT_FALSE(found.redshifts[0].is_primary);
  EXPECT_EQ(found.redshifts[1].delta_chi2, 90.0);
  EXPECT_TRUE(found.redshifts[1].is_primary);
  EXPECT_EQ(found.redshifts[2].row, 4);
  ASSERT_EQ(found.refused.size(), 2U);
  EXPECT_EQ(found.refused[0].reason, "the fibre is not to be used (COADD_FIBERSTATUS)");
  EXPECT_EQ(found.refused[1].reason, "there is no redshift above -1");

  const std::string ascii = observed_path("ascii.fits");
  FitsWriter(ascii).empty_primary().table(
      "ZBEST", 2,
      {Column{"TARGETID", "I20", {}, {}, {"39633300968442591", "39633300968442592"}},
       Column{"Z", "D25.17", {0.1, 0.2}}},
      ASCII_TBL);
  const Observations exact = read_observations(ascii);
  ASSERT_EQ(exact.redshifts.size(), 2U);
  EXPECT_EQ(exact.redshifts[0].id.value, "39633300968442591");
  EXPECT_EQ(exact.redshifts[0].redshift, 0.1);
}

TEST(Refused, WhatIsNoFitsFile) {
  const std::string file = observed_path("text.fits");
  io::write_text(file, "not FITS");
  const Observations found = read_observations(file);
  EXPECT_EQ(found.kind, "");
  ASSERT_EQ(found.refused.size(), 1U);
  EXPECT_EQ(found.refused[0].reason, "is not a FITS file");
}

TEST(RealObservations, OneDesiGalaxy) {
  const std::string file = real_file("spectra/desi_coadd-4-80613-thru20210324.fits");
  if (file.empty()) GTEST_SKIP() << "no real observations";
  const Observations found = read_observations(file);
  ASSERT_EQ(found.spectra.size(), 1U);
  EXPECT_GT(found.spectra[0].spectrum.measured, 7700);
  const Observations redrock = read_observations(real_file("spectra/desi_redrock-4-80613-thru20210324.fits"));
  ASSERT_EQ(redrock.redshifts.size(), 1U);
  EXPECT_EQ(redrock.redshifts[0].id, found.spectra[0].id);
  EXPECT_NEAR(redrock.redshifts[0].redshift, 0.36874, 1e-5);
}

TEST(RealObservations, TwentyFiveFibres) {
  const std::string file = real_file("spectra/desi_everest_coadd-0-80605_25fibers.fits");
  if (file.empty()) GTEST_SKIP() << "no real observations";
  const Observations found = read_observations(file);
  EXPECT_EQ(found.spectra.size(), 24U);
  ASSERT_EQ(found.refused.size(), 1U);
  EXPECT_EQ(found.refused[0].row, 11);
}

}  // namespace
}  // namespace astroclip::fits
