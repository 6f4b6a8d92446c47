#include "fits/spectral_axis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "fits/header_cards.h"

namespace astroclip::fits {
namespace {

using testing::ThrowsMessage;

TEST(VacuumWavelength, IsCiddors) {
  // pydl 1.0's airtovac, which goes by Ciddor 1996, too.
  EXPECT_NEAR(vacuum_wavelength(3600.0), 3601.0271340869317, 1e-6);
  EXPECT_NEAR(vacuum_wavelength(5006.843), 5008.239669615672, 1e-6);
  EXPECT_NEAR(vacuum_wavelength(6562.80), 6564.612973442088, 1e-6);
  EXPECT_NEAR(vacuum_wavelength(9000.0), 9002.470784992323, 1e-6);
}

TEST(IsInAir, GoesByTheHeadersWords) {
  const auto said = [](const std::string& key, const std::string& value) {
    return is_in_air(Header(cards_of({{key, value}})));
  };
  EXPECT_EQ(said("AIRORVAC", "air"), true);
  EXPECT_EQ(said("AIRORVAC", "vac"), false);
  EXPECT_EQ(said("VACUUM", "F"), true);
  EXPECT_EQ(said("VACUUM", "T"), false);
  EXPECT_EQ(said("CTYPE1", "AWAV-LOG"), true);
  EXPECT_EQ(said("CTYPE1", "WAVE"), false);
  EXPECT_EQ(said("CTYPE1", "LINEAR"), std::nullopt);
  EXPECT_THAT([&] { said("AIRORVAC", "water"); }, ThrowsMessage<Error>("AIRORVAC = 'WATER' is neither AIR nor VACUUM"));
}

std::vector<double> angstrom(const Keywords& keywords, int64_t pixels) {
  const auto axis = spectral_axis(Header(cards_of(keywords)), pixels);
  std::vector<double> result;
  for (const double value : axis ? axis->values : std::vector<double>())
    result.push_back(axis->unit.to_angstrom(value));
  return result;
}

TEST(SpectralAxis, IsLinearLogarithmicOrExponential) {
  EXPECT_THAT(angstrom({{"COEFF0", 3.5}, {"COEFF1", 1e-4}}, 2),
              testing::ElementsAre(testing::DoubleNear(std::pow(10.0, 3.5), 1e-9),
                                   testing::DoubleNear(std::pow(10.0, 3.5001), 1e-9)));
  EXPECT_THAT(angstrom({{"CTYPE1", "AWAV"}, {"CRVAL1", 500.0}, {"CD1_1", 0.1}, {"CRPIX1", 2.0}, {"CUNIT1", "nm"}}, 2),
              testing::ElementsAre(testing::DoubleNear(4999.0, 1e-9), testing::DoubleNear(5000.0, 1e-9)));
  EXPECT_THAT(angstrom({{"CTYPE1", "LINEAR"}, {"CRVAL1", 3.6}, {"CDELT1", 1e-4}, {"DC-FLAG", 1.0}}, 1),
              testing::ElementsAre(testing::DoubleNear(std::pow(10.0, 3.6), 1e-9)));
  EXPECT_THAT(angstrom({{"CTYPE1", "Wavelength"}, {"CUNIT1", "Angstroms"}, {"CRVAL1", 3.6}, {"CDELT1", 1e-4}}, 1),
              testing::ElementsAre(testing::DoubleNear(3.6, 1e-9)));
  // Greisen et al. 2006, equation 5: λ = λr exp(w / λr).
  EXPECT_THAT(angstrom({{"CTYPE1", "WAVE-LOG"}, {"CRVAL1", 4000.0}, {"CDELT1", 2.0}, {"CRPIX1", 1.0}}, 2),
              testing::ElementsAre(4000.0, testing::DoubleNear(4000.0 * std::exp(2.0 / 4000.0), 1e-9)));
  EXPECT_TRUE(angstrom({{"CTYPE1", "RA---TAN"}, {"CRVAL1", 150.0}, {"CDELT1", 1e-4}}, 2).empty());
  EXPECT_TRUE(angstrom({{"CRVAL1", 150.0}}, 2).empty());
  EXPECT_THAT(
      [] {
        angstrom({{"CTYPE1", "FREQ"}, {"CRVAL1", 1e14}, {"CDELT1", 1e10}}, 2);
      },
      ThrowsMessage<Error>("CTYPE1 = 'FREQ': wavelengths are read"));
}

}  // namespace
}  // namespace astroclip::fits
