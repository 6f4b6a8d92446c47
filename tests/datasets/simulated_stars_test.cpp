// Stars and their histories against numbers of PROVABGS, where its files are found beside the project.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "history.h"
#include "io/weights/safetensors.h"
#include "stars.h"
#include "support/real_data.h"

namespace astroclip::simulation {
namespace {

class Provabgs : public testing::Test {
 public:
  static std::vector<double> read(const std::string& file, const std::string& name) {
    const std::string path = testing_support::real_file("stellar/" + file + ".safetensors");
    const Tensor tensor = io::SafetensorsFile::open(path).read(name, DType::f64, Device::host());
    const auto* values = tensor.data_as<double>();
    return {values, values + tensor.numel()};
  }

 protected:
  void SetUp() override {
    if (testing_support::real_file("stellar/provabgs_labels.safetensors").empty()) GTEST_SKIP() << "no PROVABGS files";
    lookback_ = read("provabgs_labels", "basis.lookback_gyr");
    metallicities_ = read("provabgs_labels", "basis.metallicity");
  }

  /// Linear between the nodes of a basis, and beyond its ends.
  double basis(const std::vector<double>& of, size_t row, double t) const {
    const size_t count = lookback_.size();
    const auto above = std::clamp<size_t>(std::ranges::upper_bound(lookback_, t) - lookback_.begin(), 1, count - 1);
    const double* value = of.data() + row * count;
    const double place = (t - lookback_[above - 1]) / (lookback_[above] - lookback_[above - 1]);
    return value[above - 1] + place * (value[above] - value[above - 1]);
  }
  static data::BinnedHistory history(const double* shares, double gamma1, double gamma2, double age) {
    const double theta[] = {0.0, shares[0], shares[1], shares[2], shares[3], 0.0, 0.0, gamma1, gamma2};
    return data::provabgs_history(theta, age);
  }

  std::vector<double> lookback_, metallicities_;
};

/// Kriek & Conroy (2013) as PROVABGS has it: A(λ) over its τ, by the slope δ.
double kriek_conroy(double wavelength, double slope) {
  const double bump = 0.85 - 1.9 * slope, width = 350.0 * wavelength;
  const double shift = wavelength * wavelength - 2175.0 * 2175.0;
  // calzetti_curve is 1 at 5500 Å, where the published polynomial has nearly its R_V of 4.05.
  const double at_pivot = 2.659 * (-2.156 + 1.509 / 0.55 - 0.198 / (0.55 * 0.55) + 0.011 / (0.55 * 0.55 * 0.55)) + 4.05;
  return (calzetti_curve(wavelength) * at_pivot + bump * width * width / (shift * shift + width * width)) / 4.05 *
         std::pow(wavelength / 5500.0, slope);
}

TEST_F(Provabgs, SpectraSummedFromTheTableAreThoseOfItsEmulator) {
  const auto theta = read("provabgs_spectra", "theta"), redshifts = read("provabgs_spectra", "redshift");
  const auto expected = read("provabgs_spectra", "luminosity");
  const StarTable table(false);
  const auto wavelengths = table.wavelengths();
  for (size_t g = 0; g < redshifts.size(); ++g) {
    const double* row = theta.data() + 10 * g;
    const data::BinnedHistory bins = history(row + 1, row[5], row[6], data::provabgs_age_gyr(redshifts[g]));
    std::vector<double> young(wavelengths.size()), old(wavelengths.size());
    for (size_t k = 0; k < bins.mass.size(); ++k) {
      Population stars;
      const double low = bins.edges[k], high = bins.edges[k + 1];
      for (int part = 0; part < 20; ++part) {
        add_stars(low + (high - low) * (part + 0.5) / 20.0, std::pow(10.0, row[0]) * bins.mass[k] / 20.0, stars.masses);
      }
      const double log_metallicity = std::log10(bins.metallicity[k] / solar_metallicity);
      const auto light = table.light(std::span(&stars, 1), log_metallicity);
      // The edges of PROVABGS's birth clouds: 10 Myr.
      std::vector<double>& to = high < 0.0115 ? young : old;
      for (size_t i = 0; i < to.size(); ++i) to[i] += light[0][i];
    }
    double squares = 0.0, worst = 0.0;
    int64_t count = 0;
    for (size_t i = 0; i < wavelengths.size(); ++i) {
      const double wavelength = wavelengths[i];
      if (wavelength < 2800.0 || wavelength > 11000.0) continue;
      const double cloud = std::exp(-row[7] * 5500.0 / wavelength);
      const double dust = std::exp(-row[8] * kriek_conroy(wavelength, row[9]));
      const double error = dust * (cloud * young[i] + old[i]) / expected[g * wavelengths.size() + i] - 1.0;
      squares += error * error, worst = std::max(worst, std::abs(error)), ++count;
    }
    EXPECT_LT(std::sqrt(squares / static_cast<double>(count)), 0.01) << g;
    EXPECT_LT(worst, 0.03) << g;
  }
}

/// One of PROVABGS's networks of the share of a mass that survives: five hidden layers of 128, LeakyReLU (0.01) after
/// every layer, the last too.
class SurvivalNetwork {
 public:
  explicit SurvivalNetwork(const std::string& name) {
    const auto values = [&](const std::string& of) { return Provabgs::read("provabgs_labels", "msurv." + name + of); };
    shift_ = values(".input_shift"), scale_ = values(".input_scale"), output_ = values(".output");
    for (int layer = 0; layer < 6; ++layer) {
      weights_.push_back(values("." + std::to_string(layer) + ".weight"));
      biases_.push_back(values("." + std::to_string(layer) + ".bias"));
    }
  }
  double operator()(std::vector<double> x) const {
    for (size_t i = 0; i < x.size(); ++i) x[i] = (x[i] - shift_[i]) / scale_[i];
    for (size_t layer = 0; layer < weights_.size(); ++layer) {
      std::vector<double> next = biases_[layer];
      for (size_t o = 0; o < next.size(); ++o) {
        for (size_t i = 0; i < x.size(); ++i) next[o] += weights_[layer][o * x.size() + i] * x[i];
        if (next[o] < 0.0) next[o] *= 0.01;
      }
      x = std::move(next);
    }
    return x.front() * output_[1] + output_[0];
  }

 private:
  std::vector<double> shift_, scale_, output_;
  std::vector<std::vector<double>> weights_, biases_;
};

TEST_F(Provabgs, StellarMassIsThatOfItsNetworks) {
  const auto theta = read("provabgs_labels", "theta"), ages = read("provabgs_labels", "age_gyr");
  const auto expected = read("provabgs_labels", "LOG_MSTAR");
  const SurvivalNetwork smooth("nmf"), burst("burst");
  for (size_t i = 0; i < ages.size(); ++i) {
    const double* row = theta.data() + 12 * i;
    const double log_gamma1 = std::log10(row[7]), log_gamma2 = std::log10(row[8]), share = row[5], lookback = row[6];
    const double u1 = std::max(1.0 - row[1], 1e-8), u2 = 1.0 - row[2] / u1, u3 = 1.0 - row[3] / (u1 * u2);
    const double bursts = lookback < ages[i] ? share : 0.0;
    const double of_networks = (1.0 - share) * smooth({u1, u2, u3, log_gamma1, log_gamma2, ages[i]}) +
                               bursts * burst({std::log10(lookback), log_gamma1, log_gamma2, ages[i]});
    EXPECT_NEAR(row[0] + std::log10(of_networks), expected[i], 1e-7) << i;
    // The shares of the table are those of the network for single populations; their sum over a history is what the
    // other network was trained on, and within its error of it.
    const data::BinnedHistory bins = history(row + 1, row[7], row[8], ages[i]);
    double of_table = 0.0;
    const auto add = [&](double age, double mass, double metallicity) {
      AgeMasses masses{};
      add_stars(age, 1.0, masses);
      of_table += mass * surviving_share(masses, std::log10(metallicity / solar_metallicity));
    };
    for (size_t k = 0; k < bins.mass.size(); ++k) {
      add(0.5 * (bins.edges[k] + bins.edges[k + 1]), (1.0 - share) * bins.mass[k], bins.metallicity[k]);
    }
    const double z = row[7] * basis(metallicities_, 0, lookback) + row[8] * basis(metallicities_, 1, lookback);
    add(lookback, bursts, std::clamp(z, 4.49043431e-5, 4.49043431e-2));
    EXPECT_NEAR(row[0] + std::log10(of_table), expected[i], 2e-3) << i;
  }
}

TEST(Stars, SurviveAsOldOnesDo) {
  AgeMasses masses{};
  add_stars(10.0, 1.0, masses);
  // A Chabrier population of 10 Gyr keeps 0.5 to 0.6 of its mass in stars and remnants (Bruzual & Charlot 2003).
  EXPECT_NEAR(surviving_share(masses, 0.0), 0.55, 0.05);
}

TEST(Stars, CalzettisCurveIsOneAtItsPivotAndMeetsItself) {
  EXPECT_DOUBLE_EQ(calzetti_curve(5500.0), 1.0);
  // The two pieces of Calzetti et al. (2000), eq. 4, meet at 6300 Å within 1 %.
  EXPECT_NEAR(calzetti_curve(6299.9) / calzetti_curve(6300.1), 1.0, 0.01);
  // k(4400 Å) − k(5500 Å) is 1 by definition of R_V = 4.05 (E(B−V) = 1).
  EXPECT_NEAR(4.05 * (calzetti_curve(4400.0) - 1.0), 1.0, 0.05);
}

TEST(History, ADelayedRateHasItsShareInEachTime) {
  History history;
  history.start_gyr = 10.0, history.decay = 0.5;
  EXPECT_NEAR(history.smooth_share(0.0, 10.0), 1.0, 1e-12);
  // ∫ s e^{−s/2} ds to s = 5 over that to 10: (1 − 3.5 e^{−2.5}) / (1 − 6 e^{−5}).
  EXPECT_NEAR(history.smooth_share(5.0, 10.0), (1.0 - 3.5 * std::exp(-2.5)) / (1.0 - 6.0 * std::exp(-5.0)), 1e-12);
  history.recent_share = 0.2, history.burst_share = 0.1;
  EXPECT_NEAR(history.smooth_share(0.0, 12.0), 0.9, 1e-12);
  const AgeMasses masses = history.masses(0.0, 10.0);
  double sum = 0.0;
  for (const double mass : masses) sum += mass;
  EXPECT_NEAR(sum / history.formed, 1.0, 1e-9);
}

TEST(History, TheDecayGivesTheRate) {
  for (const double rate : {0.001, 0.05, 0.2, 0.35}) {
    History history;
    history.start_gyr = 9.0, history.decay = decay_for_rate(rate, 9.0);
    EXPECT_NEAR(history.smooth_share(0.0, 1e-4) / 1e-4 / rate, 1.0, 1e-3) << rate;
  }
}

}  // namespace
}  // namespace astroclip::simulation
