// Labels of well-known catalogues, from tables in their layouts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/error.h"
#include "config/toml.h"
#include "data/fields.h"
#include "data/galaxy_zoo.h"
#include "data/labels.h"
#include "data/provabgs.h"
#include "io/weights/safetensors.h"
#include "support/fits_files.h"
#include "support/real_data.h"
#include "support/scratch.h"

namespace astroclip::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;
using testing_support::FitsWriter;
using testing_support::scratch;

/// Objects with the ids 0, 1, …, all for training, at the given places or 10 arcsec apart.
class Places final : public Dataset {
 public:
  explicit Places(int64_t count) : count_(count) {}
  Places(std::vector<double> ra, std::vector<double> dec)
      : count_(std::ssize(ra)), ra_(std::move(ra)), dec_(std::move(dec)) {}
  std::vector<Field> fields() const override {
    return {{"object_id", DType::i64, {}, "", ""}, {"ra", DType::f64, {}, "", ""}, {"dec", DType::f64, {}, "", ""}};
  }
  int64_t size(Split split) const override { return split == Split::train ? count_ : 0; }
  void read(Split, std::span<const int64_t> rows, std::span<const std::string> names, HostBatch& out) const override {
    for (const std::string& name : names) {
      HostArray& array = out[name] = HostArray(name == "object_id" ? DType::i64 : DType::f64, {std::ssize(rows)});
      for (size_t i = 0; i < rows.size(); ++i) {
        const auto row = static_cast<size_t>(rows[i]);
        if (name == "object_id") array.values<int64_t>()[i] = rows[i];
        if (name == "ra")
          array.values<double>()[i] = ra_.empty() ? 150.0 + static_cast<double>(rows[i]) / 360.0 : ra_[row];
        if (name == "dec") array.values<double>()[i] = dec_.empty() ? 0.0 : dec_[row];
      }
    }
  }

 private:
  int64_t count_;
  std::vector<double> ra_, dec_;
};

std::shared_ptr<Dataset> joined_by(std::shared_ptr<Dataset> objects, const std::string& toml) {
  config::Problems problems;
  const config::Table table = config::parse_text("labels = [{ " + toml + " }]", "e.toml");
  const Selection selection = selection_schema().parse(table, {"dataset"}, {}, problems);
  problems.throw_if_any();
  return labelled(std::move(objects), selection);
}

std::vector<double> labels_in(const Dataset& dataset, const std::string& label) {
  return read_label(dataset, Split::train, rows_with(dataset, Split::train, {}), label);
}

TEST(ProvabgsPreset, GivesTheLabelsOfItsCode) {
  const std::string path = testing_support::real_file("stellar/provabgs_labels.safetensors");
  if (path.empty()) GTEST_SKIP() << "no PROVABGS files";
  const auto read = [&](const std::string& name) {
    return io::SafetensorsFile::open(path).read(name, DType::f64, Device::host()).to_doubles();
  };
  const auto theta = read("theta"), redshift = read("redshift"), mass = read("LOG_MSTAR"), age = read("TAGE_MW"),
             metallicity = read("Z_MW"), rate = read("AVG_SFR");
  const auto count = std::ssize(redshift);
  std::vector<double> with_fibre;  // a row of the catalogue has a factor of the fibre behind its parameters
  for (int64_t row = 0; row < count; ++row) {
    with_fibre.insert(with_fibre.end(), theta.begin() + 12 * row, theta.begin() + 12 * (row + 1));
    with_fibre.push_back(0.4);
  }
  std::vector<int64_t> ids;
  for (int64_t row = 0; row < count; ++row) ids.push_back(row);
  std::vector<double> masses = mass;
  masses[17] = -99.0;  // no fit
  const std::string file = scratch("provabgs.fits");
  const std::vector<double> magnitudes(static_cast<size_t>(count), 19.0);
  FitsWriter(file).empty_primary().table("PROVABGS", count,
                                         {{"TARGETID", "K", {}, ids},
                                          {"Z_HP", "D", redshift},
                                          {"MAG_G", "E", magnitudes},
                                          {"MAG_R", "E", magnitudes},
                                          {"MAG_Z", "E", magnitudes},
                                          {"PROVABGS_LOGMSTAR_BF", "D", masses},
                                          {"PROVABGS_THETA_BF", "13D", with_fibre}});
  const auto dataset = joined_by(std::make_shared<Places>(count), "file = '" + file + "', preset = 'provabgs'");
  const auto found = [&](const std::string& label) { return labels_in(*dataset, label); };
  const auto log_mass = found("log_mass"), found_age = found("age"), log_z = found("metallicity"),
             log_rate = found("log_sfr"), specific = found("log_ssfr"), published_z = found("published_metallicity"),
             published_specific = found("published_ssfr");
  for (size_t i = 0; i < mass.size(); ++i) {
    if (i == 17) {
      EXPECT_TRUE(std::isnan(log_mass[i]) && std::isnan(found_age[i]) && std::isnan(specific[i]));
      continue;
    }
    // The age of the universe is PROVABGS's to 1.2e-4 Gyr.
    EXPECT_EQ(log_mass[i], mass[i]);
    EXPECT_NEAR(found_age[i] / age[i], 1.0, 2e-4) << i;
    EXPECT_NEAR(std::pow(10.0, log_z[i]) / metallicity[i], 1.0, 2e-4) << i;
    EXPECT_NEAR(std::pow(10.0, log_rate[i]) / rate[i], 1.0, 2e-4) << i;
    EXPECT_NEAR(specific[i], std::log10(rate[i]) - mass[i], 1e-4) << i;
    EXPECT_NEAR(published_z[i], std::log(metallicity[i]), 2e-4) << i;
    EXPECT_NEAR(published_specific[i], std::log(rate[i]) - std::log(metallicity[i]), 2e-4) << i;
  }
  EXPECT_EQ(found("Z_HP"), redshift);
  EXPECT_EQ(found("PROVABGS_LOGMSTAR_BF")[17], -99.0);
  EXPECT_THAT(dataset->notes(), ElementsAre("12 labels by 'provabgs' of " + file +
                                            ": 200 of 200 objects matched by object_id = TARGETID"));
}

/// With the age of the universe that the numbers were made with.
TEST(Provabgs, LabelsAreThoseOfItsCode) {
  const std::string path = testing_support::real_file("stellar/provabgs_labels.safetensors");
  if (path.empty()) GTEST_SKIP() << "no PROVABGS files";
  const auto read = [&](const std::string& name) {
    return io::SafetensorsFile::open(path).read(name, DType::f64, Device::host()).to_doubles();
  };
  const auto theta = read("theta"), ages = read("age_gyr"), age = read("TAGE_MW"), metallicity = read("Z_MW"),
             rate = read("AVG_SFR"), redshift = read("redshift");
  ASSERT_EQ(ages.size(), 200U);
  for (size_t i = 0; i < ages.size(); ++i) {
    const std::span<const double, provabgs_parameters> row(theta.data() + 12 * i, provabgs_parameters);
    const HistoryLabels found = provabgs_labels(provabgs_history(row, ages[i]));
    EXPECT_NEAR(found.age / age[i], 1.0, 1e-7) << i;
    EXPECT_NEAR(found.metallicity / metallicity[i], 1.0, 1e-7) << i;
    EXPECT_NEAR(found.specific_rate * std::pow(10.0, row[0]) / rate[i], 1.0, 1e-7) << i;
    EXPECT_NEAR(provabgs_age_gyr(redshift[i]), ages[i], 1.3e-4) << i;
  }
}

/// A table of Galaxy Zoo DECaLS: every question with the same answers but for the first, whose rows are given.
std::string decals_table(const std::string& leave_out = "") {
  const std::string path = scratch("decals" + leave_out + ".csv");
  std::ofstream file(path);
  std::string header = "ra,dec", rows[3] = {"150.0,0.0001", "150.002777777778,0", "150.1,0"};
  for (const Question& question : galaxy_zoo_decals()) {
    const bool is_first = question.name == "smooth-or-featured";
    if (question.name != leave_out) {
      header += "," + total_votes(question);
      for (size_t row = 0; row < 3; ++row) rows[row] += row == 1 ? ",2" : is_first ? ",40" : ",3";
    }
    for (size_t a = 0; a < question.answers.size(); ++a) {
      header += "," + vote_share(question, a, "debiased");
      rows[0] += is_first ? (a == 1 ? ",0.7" : ",0.15") : a == 0 ? ",0" : ",0.5";
      rows[1] += ",0.5";
      rows[2] += ",0.5";
    }
  }
  file << header << "\n" << rows[0] << "\n" << rows[1] << "\n" << rows[2] << "\n";
  return path;
}

TEST(GalaxyZooPreset, GivesSharesAndMajorities) {
  const std::string file = decals_table();
  const auto dataset = joined_by(std::make_shared<Places>(3), "file = '" + file + "', preset = 'galaxy_zoo_decals'");
  const auto of = [&](const std::string& label) { return labels_in(*dataset, label); };
  EXPECT_EQ(of("smooth-or-featured_total-votes")[0], 40);
  EXPECT_EQ(of("smooth-or-featured_total-votes")[1], 2);
  EXPECT_EQ(of("smooth-or-featured_featured-or-disk_debiased")[0], 0.7);
  EXPECT_EQ(of("smooth-or-featured_majority")[0], 1);
  EXPECT_EQ(of("bar_majority")[0], 1) << "of two answers with equal shares the first";
  EXPECT_TRUE(std::isnan(of("bar_majority")[1])) << "two votes are too few";
  EXPECT_TRUE(std::isnan(of("bar_strong_debiased")[1]));
  EXPECT_TRUE(std::isnan(of("bar_majority")[2])) << "no row";
  EXPECT_EQ(field_of(*dataset, "bar_majority").meaning,
            "answer with the largest share: its place, from 0, in strong, weak, no of " + file);
  ASSERT_EQ(dataset->notes().size(), 2U);
  EXPECT_THAT(dataset->notes()[0], "54 labels by 'galaxy_zoo_decals' of " + file +
                                       ": 2 of 3 objects matched within 1 arcsec of ra, dec; 1 has no row");
  EXPECT_THAT(dataset->notes()[1],
              "votes of " + file +
                  ": of 2 objects fewer than 3 votes have 1 on smooth-or-featured, 1 on disk-edge-on, 1 on "
                  "has-spiral-arms, 1 on bar, 1 on bulge-size, 1 on how-rounded, 1 on edge-on-bulge, 1 on "
                  "spiral-winding, 1 on spiral-arm-count, 1 on merging");
  const auto strict =
      joined_by(std::make_shared<Places>(3), "file = '" + file + "', preset = 'galaxy_zoo_decals', min_votes = 4");
  EXPECT_TRUE(std::isnan(labels_in(*strict, "bar_majority")[0]));
  EXPECT_EQ(labels_in(*strict, "smooth-or-featured_majority")[0], 1);
}

TEST(GalaxyZooPreset, NamesTheColumnsThatAreMissing) {
  const std::string file = decals_table("bar");
  EXPECT_THAT(
      [&] { joined_by(std::make_shared<Places>(3), "file = '" + file + "', preset = 'galaxy_zoo_decals'"); },
      ThrowsMessage<Error>("[dataset.labels] " + file +
                           ": the preset 'galaxy_zoo_decals' reads columns that are not there: bar_total-votes"));
  EXPECT_THAT(
      [&] {
        joined_by(std::make_shared<Places>(3), "file = '" + file + "', preset = 'provabgs', ra = 'ra', dec = 'dec'");
      },
      ThrowsMessage<Error>(HasSubstr("reads columns that are not there: Z_HP, PROVABGS_LOGMSTAR_BF, MAG_G, MAG_R, "
                                     "MAG_Z, PROVABGS_THETA_BF[0], PROVABGS_THETA_BF[1]")));
  EXPECT_THAT([&] { joined_by(std::make_shared<Places>(3), "file = '" + file + "', preset = 'galaxy_zoo'"); },
              ThrowsMessage<Error>(HasSubstr("'preset' = \"galaxy_zoo\" is not one of")));
}

/// 551 of the 10,000 galaxies of kcorrect's table lie within 3 arcsec of one of Galaxy Zoo 2's Stripe 82.
TEST(GalaxyZooPreset, JoinsRealVotesToRealGalaxies) {
  const std::string zoo = testing_support::real_file("tables/gz2_table5.fits.gz"),
                    galaxies = testing_support::real_file("tables/kcorrect_gst_tests_small.fits");
  if (zoo.empty() || galaxies.empty()) GTEST_SKIP() << "no real tables";
  const auto table = io::Table::open(galaxies);
  const auto objects = std::make_shared<Places>(table.read("RA").numbers(), table.read("DEC").numbers());
  const auto dataset = joined_by(objects, "file = '" + zoo + "', preset = 'galaxy_zoo_2', radius = 3.0, min_votes = 5");
  const auto votes = labels_in(*dataset, "t01_smooth_or_features_total-votes"),
             majority = labels_in(*dataset, "t01_smooth_or_features_majority"),
             smooth = labels_in(*dataset, "t01_smooth_or_features_a01_smooth_debiased");
  int64_t joined = 0;
  for (size_t i = 0; i < votes.size(); ++i) {
    if (!std::isfinite(votes[i])) continue;
    ++joined;
    EXPECT_TRUE(votes[i] >= 5.0 || std::isnan(majority[i]));
    EXPECT_TRUE(majority[i] != 0.0 || smooth[i] > 1.0 / 3.0 - 1e-6);
  }
  EXPECT_EQ(joined, 551);
  EXPECT_THAT(dataset->notes()[0], HasSubstr("551 of 10000 objects matched within 3 arcsec of ra, dec"));
}

}  // namespace
}  // namespace astroclip::data
