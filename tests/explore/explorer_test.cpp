#include "explore/explorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <set>

#include "base/error.h"
#include "data/fields.h"
#include "evaluate/object_files.h"
#include "explore/page.h"
#include "explored.h"
#include "io/hdf5/hdf5.h"
#include "io/output/output_file.h"
#include "io/table/table.h"
#include "report/runs.h"
#include "support/message_of.h"
#include "support/samp_hub.h"

namespace astroclip::explore {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

const Report silent = [](const std::string&, double) {};

/// Identifiers of the survey's galaxies in reverse order, and one that it does not have.
std::vector<int64_t> some_ids() {
  std::vector<int64_t> ids;
  for (const embed::Input& input : survey_inputs()) {
    std::vector<int64_t> rows(static_cast<size_t>(input.size()));
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
    const auto own = data::read_ids(*input.objects, input.split, rows);
    ids.insert(ids.begin(), own.rbegin(), own.rend());
  }
  ids.push_back(4711);
  return ids;
}

class Exploring : public testing::Test {
 protected:
  Exploring()
      : ids_(some_ids()),
        embeddings_(write_embeddings("explored.h5", ids_)),
        catalogue_(embeddings_, survey_inputs()),
        index_(embeddings_),
        explorer_(embeddings_, catalogue_, index_) {
    index_.build(Method::pca, silent);
  }

  serve::Response ask(const std::string& path, std::map<std::string, std::string> query = {}) {
    return explorer_.answer({"GET", path, std::move(query), ""});
  }
  json get(const std::string& path, std::map<std::string, std::string> query = {}) {
    return json::parse(ask("api/" + path, std::move(query)).body);
  }
  json post(const std::string& path, const json& body) {
    return json::parse(explorer_.answer({"POST", "api/" + path, {}, body.dump()}).body);
  }
  template <class T>
  std::vector<T> values(const std::string& path, std::map<std::string, std::string> query) {
    const std::string body = ask("api/" + path, std::move(query)).body;
    std::vector<T> all(body.size() / sizeof(T));
    std::memcpy(all.data(), body.data(), all.size() * sizeof(T));
    return all;
  }
  int64_t rows() const { return std::ssize(ids_); }

  std::vector<int64_t> ids_;
  Embeddings embeddings_;
  Catalogue catalogue_;
  ViewIndex index_;
  Explorer explorer_;
};

TEST_F(Exploring, TellsWhatThereIs) {
  explorer_.set_work("UMAP of image", 0.25);
  const json state = get("state");
  EXPECT_EQ(state["objects"], rows());
  EXPECT_EQ(state["with_data"], rows() - 1);
  EXPECT_EQ(state["model_hash"], "f00d");
  EXPECT_EQ(state["work"], "UMAP of image");
  ASSERT_EQ(state["maps"].size(), 2U);
  EXPECT_EQ(state["maps"][1]["id"], "spectrum/pca");
  EXPECT_EQ(state["maps"][1]["objects"], rows() - (rows() + 2) / 3);
  std::set<std::string> columns;
  for (const json& column : state["columns"]) columns.insert(column["name"].get<std::string>());
  EXPECT_TRUE(columns.contains("redshift"));
}

TEST_F(Exploring, UmapIsAddedAndKept) {
  index_.build(Method::umap, silent);
  ASSERT_EQ(get("state")["maps"].size(), 4U);
  const auto umap = index_.find("image/umap");
  ASSERT_TRUE(umap);
  EXPECT_GT(umap->quality.trustworthiness, 0.7);
}

TEST_F(Exploring, AnEndedUmapGoesOn) {
  struct Ended {};
  constexpr double graph_share = 0.41;  // told before the first epoch
  index_.build(Method::umap, silent);
  const Embeddings same(write_embeddings("ended.h5", ids_));
  const std::string unfinished = same.path() + ".view.unfinished";
  for (const double end : {0.5, 0.7}) {
    ViewIndex index(same);
    EXPECT_THROW(index.build(Method::umap,
                             [&](const std::string&, double share) {
                               if (share > end) throw Ended();
                             }),
                 Ended);
    EXPECT_TRUE(std::filesystem::exists(unfinished));
  }
  ViewIndex index(same);
  double least = 1.0;
  index.build(Method::umap, [&](const std::string& what, double share) {
    if (what == "UMAP of image" && share > graph_share) least = std::min(least, share);
  });
  EXPECT_GT(least, 0.65) << "it began with positions that were there";
  EXPECT_FALSE(std::filesystem::exists(unfinished));
  for (const auto& expected : index_.maps()) {
    if (expected->method != Method::umap) continue;
    const auto found = index.find(expected->id());
    ASSERT_TRUE(found);
    EXPECT_TRUE(std::memcmp(found->positions.data(), expected->positions.data(), expected->positions.size_bytes()) == 0)
        << expected->id();
  }
}

TEST_F(Exploring, TilesHoldPointsAndTheirValues) {
  const json map = get("map", {{"map", "image/pca"}});
  ASSERT_EQ(map["tiles"].size(), 1U);
  const std::string body = ask("api/tile", {{"map", "image/pca"}, {"tile", "0"}}).body;
  ASSERT_EQ(body.size(), static_cast<size_t>(8 * rows()));
  std::vector<uint32_t> points(static_cast<size_t>(rows()));
  std::memcpy(points.data(), body.data(), points.size() * 4);
  const auto redshifts = values<float>("values", {{"map", "image/pca"}, {"tile", "0"}, {"column", "redshift"}});
  for (size_t i = 0; i < points.size(); ++i) {
    const json object = get("object", {{"row", std::to_string(points[i])}});
    if (object["redshift"].is_null())
      EXPECT_TRUE(std::isnan(redshifts[i]));
    else
      EXPECT_EQ(object["redshift"].get<float>(), redshifts[i]);
  }
  uint32_t counted = 0;
  for (const uint32_t count :
       values<uint32_t>("density", {{"map", "image/pca"}, {"level", "0"}, {"x", "0"}, {"y", "0"}}))
    counted += count;
  EXPECT_EQ(counted, rows());
}

TEST_F(Exploring, AnObjectHasTheLabelsOfItsIdentifier) {
  const auto inputs = survey_inputs();
  const std::vector<int64_t> first = {0};
  const auto id = data::read_ids(*inputs[0].objects, inputs[0].split, first)[0];
  const auto redshift = data::read_label(*inputs[0].objects, inputs[0].split, first, "redshift")[0];
  const json row = get("find", {{"id", std::to_string(id)}})["row"], object = get("object", {{"row", row.dump()}});
  EXPECT_EQ(object["id"], std::to_string(id));
  EXPECT_FLOAT_EQ(object["redshift"].get<float>(), static_cast<float>(redshift));
  const auto image =
      data::as_floats(data::read_fields(*inputs[0].objects, inputs[0].split, first, {"image"}).at("image"), "image");
  const std::string body = ask("api/measurement", {{"row", row.dump()}, {"field", "image"}}).body;
  const size_t end = body.find('\n') + 1;
  EXPECT_EQ(end % 4, 0U);
  EXPECT_EQ(json::parse(body.substr(0, end))["shape"].size(), 3U);
  ASSERT_EQ(body.size() - end, image.bytes.size());
  EXPECT_EQ(std::memcmp(body.data() + end, image.bytes.data(), image.bytes.size()), 0);
  EXPECT_THAT(
      [&] {
        ask("api/measurement", {{"row", std::to_string(rows() - 1)}, {"field", "image"}});
      },
      testing::Throws<serve::NotFound>());
}

TEST_F(Exploring, ImagesAndSpectraAreFieldsOfTheirShapeWhateverTheirNames) {
  const auto kind = [](const char* field, const char* its) { return json({{"field", field}, {"kind", its}}); };
  EXPECT_EQ(get("object", {{"row", "4"}})["measured"], json({kind("image", "image"), kind("nir", "image"),
                                                             kind("spectrum", "spectrum"), kind("prism", "spectrum")}));
  const auto head_of = [&](const std::string& field) {
    const std::string body = ask("api/measurement", {{"row", "4"}, {"field", field}}).body;
    json head = json::parse(body.substr(0, body.find('\n')));
    head["values"] = (body.size() - body.find('\n') - 1) / sizeof(float);
    return head;
  };
  const json image = head_of("nir"), spectrum = head_of("prism");
  EXPECT_EQ(image["shape"], json({2, 20, 30}));
  EXPECT_EQ(image["bands"], json({"J", "H"}));
  EXPECT_EQ(image["channels"].size(), 3U);
  EXPECT_EQ(image["values"], 2 * 20 * 30);
  EXPECT_EQ(spectrum["first_wavelength"], 6000.0);
  EXPECT_EQ(spectrum["wavelength_step"], 50.0);
  EXPECT_EQ(spectrum["unit"], "Jy");
  EXPECT_EQ(spectrum["values"], prism_pixels);
  EXPECT_EQ(head_of("spectrum")["first_wavelength"], 3600.0);
  EXPECT_THAT([&] { head_of("nir_mask"); }, testing::Throws<serve::NotFound>());
  const auto begins_of = [&](const std::string& field) {
    return ask("api/thumbnails", {{"rows", "4"}, {"of", field}}).body.substr(0, 2);
  };
  EXPECT_EQ(begins_of("nir"), std::string({'i', 20}));
  EXPECT_EQ(begins_of("prism"), std::string({'s', prism_pixels}));
  EXPECT_EQ(begins_of("both"), begins_of("image")) << "no field of that name: the first image";
}

TEST_F(Exploring, FindsTheNearestOnTheSky) {
  const auto row_at = [&](double ra, double dec) {
    return get("find", {{"ra", std::to_string(ra)}, {"dec", std::to_string(dec)}});
  };
  const json found = row_at(9.0 * 11, 11 - 20 + 5.0 / 3600.0);
  EXPECT_EQ(found["row"], get("find", {{"id", std::to_string(ids_[static_cast<size_t>(found["row"])])}})["row"]);
  const std::vector<int64_t> rows = {found["row"]};
  EXPECT_EQ(catalogue_.read("dec", rows).numbers()[0], 11.0 - 20.0);
  EXPECT_NEAR(found["separation"].get<double>(), 5.0, 0.01);
  EXPECT_THAT([&] { row_at(9.0 * 11, 11 - 20 + 61.0 / 3600.0); },
              testing::ThrowsMessage<serve::NotFound>(HasSubstr("within a minute of arc")));
}

TEST_F(Exploring, SearchesByExamples) {
  const json found = post(
      "similar",
      {{"positive", {1, 4}}, {"negative", {2}}, {"query", "image"}, {"among", "spectrum"}, {"k", 5}})["neighbours"];
  std::vector<double> direction(vector_width);
  for (const auto& [row, weight] : {std::pair<int64_t, double>(1, 0.375), {4, 0.375}, {2, -0.15}}) {
    const auto own = vector_of(row, "image");
    double square = 0.0;
    for (const float value : own) square += double{value} * double{value};
    for (size_t i = 0; i < own.size(); ++i) direction[i] += weight * double{own[i]} / std::sqrt(square);
  }
  std::vector<std::pair<double, int64_t>> expected;
  for (int64_t row = 0; row < rows(); ++row) {
    if (row == 1 || row == 4 || row == 2) continue;
    const auto own = vector_of(row, "spectrum");
    double product = 0.0, squares[2] = {};
    for (size_t i = 0; i < own.size(); ++i) {
      product += direction[i] * double{own[i]};
      squares[0] += direction[i] * direction[i];
      squares[1] += double{own[i]} * double{own[i]};
    }
    const double cosine = product / std::sqrt(squares[0] * squares[1]);
    if (std::isfinite(cosine)) expected.push_back({-cosine, row});
  }
  std::ranges::sort(expected);
  ASSERT_EQ(found.size(), 5U);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(found[i]["row"], expected[i].second);
    EXPECT_NEAR(found[i]["cosine"].get<double>(), -expected[i].first, 1e-6);
  }
  EXPECT_THAT(
      [&] {
        post("similar", {{"negative", {1}}, {"query", "image"}, {"among", "image"}, {"k", 5}});
      },
      testing::ThrowsMessage<Error>("no positive example has an embedding of 'image'"));
  EXPECT_THAT(
      [&] {
        post("similar", {{"positive", {rows()}}, {"query", "image"}, {"among", "image"}, {"k", 5}});
      },
      testing::ThrowsMessage<Error>("an example is no row"));
  EXPECT_EQ(post("select", {{"rows", {0, 5, 39}}})["count"], 3);
  EXPECT_THAT(
      [&] {
        post("select", {{"rows", {0, 63}}});
      },
      testing::ThrowsMessage<Error>("'rows' must be whole numbers from 0 to 40"));
}

TEST_F(Exploring, UmapTellsOfOutliersAndDuplicates) {
  index_.build(Method::umap, silent);
  const json column = get("column", {{"name", "image_outlier"}});
  EXPECT_EQ(column["count"], rows());
  const json nearest =
      get("neighbours", {{"row", "5"}, {"query", "image"}, {"among", "image"}, {"k", "14"}})["neighbours"]["image"];
  double sum = 0.0;
  for (const json& one : nearest) sum += std::sqrt(2.0 - 2.0 * one["cosine"].get<double>()) / 14.0;
  const json labels = get("object", {{"row", "5"}})["labels"];
  int known = 0;
  for (const json& label : labels) {
    const double expected = label["name"] == "image_outlier" ? sum : nearest[0]["cosine"].get<double>();
    if (label["name"] != "image_outlier" && label["name"] != "image_nearest") continue;
    EXPECT_NEAR(label["value"].get<double>(), expected, 1e-5);
    ++known;
  }
  EXPECT_EQ(known, 2);
  int64_t near = 0;
  const auto cosines = index_.scores()[1].values;
  EXPECT_EQ(index_.scores()[1].name, "image_nearest");
  for (const float cosine : cosines) near += double{cosine} > 0.8;
  EXPECT_EQ(post("select", {{"where", "image_nearest > 0.8"}})["count"], near);
}

TEST_F(Exploring, OutliersAndDuplicatesAreOfAllObjectsWhateverTheirNumber) {
  const Embeddings same(write_embeddings("sampled.h5", ids_));
  struct Ended {};
  {
    ViewIndex index(same, {.most_compared = 20});
    EXPECT_THROW(index.build_scores([](const std::string& what, double share) {
      if (what == "outliers and near-duplicates of spectrum" && share > 0.0) throw Ended();
    }),
                 Ended);
    EXPECT_EQ(index.scores().size(), 2U) << "those of images are there";
  }
  {
    ViewIndex index(same, {.most_compared = 20});
    index.build_scores([](const std::string& what, double) { EXPECT_THAT(what, Not(HasSubstr("image"))) << "kept"; });
    EXPECT_FALSE(std::filesystem::exists(same.path() + ".view.unfinished"));
  }
  ViewIndex index(same, {.most_compared = 20});
  ASSERT_EQ(index.scores().size(), 4U) << "read from the file";
  for (const Score& one : index.scores()) {
    const bool of_spectra = one.name.starts_with("spectrum");
    EXPECT_EQ(std::ranges::count_if(one.values, [](float value) { return std::isfinite(value); }),
              of_spectra ? rows() - (rows() + 2) / 3 : rows())
        << one.name;
    if (one.name.ends_with("outlier")) {
      EXPECT_THAT(one.meaning, HasSubstr("among 20 at random"));
    }
  }
}

TEST_F(Exploring, TheSkyIsAMapOfPositions) {
  std::vector<double> ra(static_cast<size_t>(rows()), std::nan("")), dec = ra;
  ra[0] = 180.0;
  dec[0] = 0.0;
  ra[1] = 0.0;
  dec[1] = 90.0;
  ra[2] = 90.0;
  dec[2] = 0.0;
  ra[3] = 10.0;
  dec[3] = 91.0;  // nowhere
  index_.add_sky(ra, dec, silent);
  const json map = get("map", {{"map", "sky"}});
  EXPECT_EQ(map["method"], "sky");
  EXPECT_EQ(map["objects"], 3);
  EXPECT_TRUE(map["trustworthiness"].is_null());
  const auto position = [&](int row) { return get("object", {{"row", std::to_string(row)}})["positions"]["sky"]; };
  EXPECT_NEAR(position(0)[0].get<double>(), 0.0, 1e-6);
  EXPECT_NEAR(position(1)[1].get<double>(), std::sqrt(2.0), 1e-6);
  EXPECT_NEAR(position(2)[0].get<double>(), std::sqrt(2.0), 1e-6) << "right ascension falls to the right";
  EXPECT_TRUE(position(3).is_null());
  EXPECT_EQ(post("select", {{"map", "sky"}, {"polygon", {{-1, -1}, {1, -1}, {1, 1}, {-1, 1}}}})["count"], 1);
}

TEST_F(Exploring, NeighboursAreThoseOfGreatestCosine) {
  for (const std::string query : {"image", "spectrum"}) {
    for (const std::string among : {"image", "spectrum"}) {
      const int64_t row = 4;
      std::vector<std::pair<double, int64_t>> expected;
      for (int64_t other = 0; other < rows(); ++other) {
        const auto a = vector_of(row, query), b = vector_of(other, among);
        double product = 0.0, norms[2] = {};
        for (size_t i = 0; i < a.size(); ++i) {
          product += double{a[i]} * double{b[i]};
          norms[0] += double{a[i]} * double{a[i]};
          norms[1] += double{b[i]} * double{b[i]};
        }
        const double cosine = product / std::sqrt(norms[0] * norms[1]);
        if (other != row && std::isfinite(cosine)) expected.push_back({-cosine, other});
      }
      std::ranges::sort(expected);
      const json found = get("neighbours", {{"row", "4"}, {"among", among}, {"k", "5"}})["neighbours"][query];
      ASSERT_EQ(found.size(), 5U);
      for (size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(found[i]["row"], expected[i].second) << query << " among " << among;
        EXPECT_NEAR(found[i]["cosine"].get<double>(), -expected[i].first, 1e-12);
      }
    }
  }
  EXPECT_EQ(get("neighbours", {{"row", "3"}, {"among", "image"}, {"k", "5"}})["neighbours"]["spectrum"].size(), 0U)
      << "it has no spectrum";
}

TEST_F(Exploring, NeighboursAreTheSameByCodesAndInParts) {
  const Embeddings same(write_embeddings("parts.h5", ids_));
  const std::vector<std::span<const float>> queries = {same.vector("image", 4), same.vector("spectrum", 4)};
  EXPECT_EQ(index_.parts("image"), 1);
  const auto expected = index_.most_similar(queries, "image", 0, 8, 4);
  int made = 0;
  const Report count = [&](const std::string&, double share) { made += share == 1.0 ? 1 : 0; };
  for (const int times_built : {0, 1, 2}) {
    ViewIndex index(same,
                    {.part_bytes = int64_t{2} * 16 * vector_width});  // codes of two rows in a block, of 32 in a part
    if (times_built > 0) index.build_codes(count);
    EXPECT_EQ(made, times_built > 0 ? 2 : 0) << "made once, of image and spectrum";
    ASSERT_EQ(index.parts("image"), 2);
    const auto first = index.most_similar(queries, "image", 0, 8, 4),
               second = index.most_similar(queries, "image", 1, 8, 4);
    for (size_t i = 0; i < queries.size(); ++i) {
      auto all = first[i];
      all.insert(all.end(), second[i].begin(), second[i].end());
      std::ranges::sort(all, std::greater(), &map::Similar::cosine);
      ASSERT_GE(all.size(), expected[i].size());
      for (size_t n = 0; n < expected[i].size(); ++n) {
        EXPECT_EQ(all[n].row, expected[i][n].row);
        EXPECT_EQ(all[n].cosine, expected[i][n].cosine);
      }
    }
  }
}

TEST_F(Exploring, SelectionsAreExactAndCombine) {
  const auto map = index_.find("image/pca");
  const float middle = map->extent.left + 0.5F * map->extent.side;
  std::set<int64_t> left;
  for (int64_t row = 0; row < rows(); ++row) {
    if (map->positions[static_cast<size_t>(2 * row)] < middle) left.insert(row);
  }
  const double x0 = double{map->extent.left}, x1 = double{middle}, y0 = double{map->extent.bottom},
               y1 = y0 + double{map->extent.side};
  const json lasso =
      post("select", {{"map", "image/pca"}, {"polygon", {{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}}, {"name", "left"}});
  EXPECT_EQ(lasso["count"], left.size());
  EXPECT_EQ(lasso["name"], "left");
  const auto redshifts = catalogue_.values("redshift");
  int64_t low = 0, both = 0, either = 0;
  for (int64_t row = 0; row < rows(); ++row) {
    const bool is_low = redshifts[static_cast<size_t>(row)] <= 0.2F, is_left = left.contains(row);
    low += is_low;
    both += is_low && is_left;
    either += is_low || is_left;
  }
  const json values = {{"column", "redshift"}, {"low", -1}, {"high", 0.2F}};
  const auto with = [&](const char* how) {
    json body = values;
    body["earlier"] = lasso["id"];
    body["how"] = how;
    return post("select", body)["count"].get<int64_t>();
  };
  EXPECT_EQ(post("select", values)["count"], low);
  EXPECT_EQ(with("intersection"), both);
  EXPECT_EQ(with("union"), either);
  EXPECT_EQ(with("difference"), std::ssize(left) - both);
  EXPECT_EQ(post("select", {{"selection", lasso["id"]}, {"inverse", true}})["count"], rows() - std::ssize(left));

  const std::string id = lasso["id"].dump();
  const json table = get("table", {{"selection", id}, {"first", "1"}, {"most", "500"}});
  EXPECT_EQ(table["total"], left.size());
  EXPECT_EQ(table["rows"].size(), left.size() - 1);
  EXPECT_EQ(table["rows"][0]["row"], *std::next(left.begin()));
  const auto flags = this->values<uint8_t>("selected", {{"map", "image/pca"}, {"tile", "0"}, {"selection", id}});
  EXPECT_EQ(std::ranges::count(flags, 1), std::ssize(left));
  const serve::Response file = ask("api/export.csv", {{"selection", id}});
  EXPECT_EQ(std::ranges::count(file.body, '\n'), std::ssize(left) + 1);
  EXPECT_THAT(file.body, testing::StartsWith("object_id,"));
  EXPECT_THAT(file.body, HasSubstr("\r\n" + std::to_string(ids_[static_cast<size_t>(*left.begin())]) + ","));
  post("forget", {{"selection", lasso["id"]}});
  EXPECT_THAT(
      [&] {
        get("table", {{"selection", id}, {"first", "0"}, {"most", "5"}});
      },
      testing::Throws<serve::NotFound>());
}

TEST_F(Exploring, SelectsByConditions) {
  const auto count = [&](const std::string& condition) {
    return post("select", {{"where", condition}})["count"].get<int64_t>();
  };
  int64_t between = 0, among = 0;
  for (const embed::Input& input : survey_inputs()) {
    std::vector<int64_t> all(static_cast<size_t>(input.size()));
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
    for (const double z : data::read_label(*input.objects, input.split, all, "redshift")) {
      between += z > 0.1 && z < 0.2 ? 1 : 0;
      among += std::isfinite(z) ? 1 : 0;
    }
  }
  ASSERT_GT(between, 0);
  ASSERT_LT(between, among);
  EXPECT_EQ(count("redshift > 0.1 && redshift < 0.2"), between);
  EXPECT_EQ(count("isfinite(redshift)"), among);
  EXPECT_EQ(count("!(redshift > 0.1 && redshift < 0.2)"), among - between) << "an object without data is in neither";
  EXPECT_EQ(count("object_id == '4711'"), 1);
  EXPECT_EQ(count("kind == 'even'"), survey_galaxies / 2);
  EXPECT_EQ(count("!(kind == 'even')"), 0) << "others have no kind";
  EXPECT_EQ(count("ra == 9 * (dec + 20)"), survey_galaxies * 3 / 4);
  const auto refusing = [&](const std::string& condition) {
    return [this, condition] { post("select", {{"where", condition}}); };
  };
  EXPECT_THAT(refusing("redshfit > 1"),
              testing::ThrowsMessage<Error>("there is no column 'redshfit'; did you mean 'redshift'?"));
  EXPECT_THAT(refusing("redshift >"), testing::ThrowsMessage<Error>(HasSubstr("at character 11: expected")));
  EXPECT_THAT(refusing("redshift == 'a'"), testing::ThrowsMessage<Error>(HasSubstr("compares")));
  EXPECT_THAT(refusing("redshift > 0" + std::string(10000, ' ')),
              testing::ThrowsMessage<Error>("a condition has at most 10000 letters"));
}

TEST_F(Exploring, SelectionsAreNamedAndCountedInBins) {
  const json made = post("select", {{"where", "redshift > 0.1"}, {"name", "far"}});
  EXPECT_EQ(post("rename", {{"selection", made["id"]}, {"name", "distant"}})["name"], "distant");
  EXPECT_EQ(get("state")["selections"][0]["name"], "distant");
  const json column = get("column", {{"name", "redshift"}, {"selection", made["id"].dump()}});
  const double low = column["low"], high = column["high"], middle = 0.1;
  for (size_t bin = 0; bin < column["selected"].size(); ++bin) {
    const double right =
        low + (high - low) * static_cast<double>(bin + 1) / static_cast<double>(column["selected"].size());
    if (right < middle) {
      EXPECT_EQ(column["selected"][bin], 0) << bin;
    } else if (right > middle + (high - low) / 32) {
      EXPECT_EQ(column["selected"][bin], column["histogram"][bin]) << bin;
    }
  }
  EXPECT_THAT(
      [&] {
        post("rename", {{"selection", made["id"]}, {"name", ""}});
      },
      testing::ThrowsMessage<Error>("a selection needs a name"));
  EXPECT_THAT([&] { post("rename", {{"selection", 99}, {"name", "x"}}); }, testing::Throws<serve::NotFound>());
}

TEST_F(Exploring, ExportsIdentifiersAndLabelsExactly) {
  const json made = post("select", {{"where", "isfinite(redshift) || object_id == '4711'"}});
  const auto exported = [&](const std::string& format) {
    const serve::Response file = ask("api/export." + format, {{"selection", made["id"].dump()}});
    EXPECT_EQ(file.file_name, "selection." + format);
    const std::string path = testing_support::scratch("exported." + format);
    std::ofstream(path, std::ios::binary) << file.body;
    return io::Table::open(path);
  };
  for (const char* format : {"csv", "fits", "vot"}) {
    const io::Table table = exported(format);
    ASSERT_EQ(table.rows(), made["count"]) << format;
    const io::Column ids = table.read("object_id");
    const std::vector<double> redshifts = table.read("redshift").numbers(), x = table.read("image_pca_x").numbers();
    const auto positions = index_.find("image/pca")->positions;
    for (int64_t i = 0; i < table.rows(); ++i) {
      const auto row = static_cast<size_t>(
          std::ranges::find(ids_, std::get<std::vector<int64_t>>(ids.values)[static_cast<size_t>(i)]) - ids_.begin());
      const std::vector<int64_t> wanted = {static_cast<int64_t>(row)};
      const double expected = catalogue_.read("redshift", wanted).numbers()[0],
                   found = redshifts[static_cast<size_t>(i)];
      EXPECT_TRUE(found == expected || (std::isnan(found) && std::isnan(expected))) << format << " " << row;
      EXPECT_EQ(static_cast<float>(x[static_cast<size_t>(i)]), positions[2 * row]);
    }
    EXPECT_TRUE(std::isnan(redshifts.back())) << "4711 has no data";
  }
}

TEST_F(Exploring, ColoursByTheDensityOfAMap) {
  const auto map = index_.find("image/pca");
  const json column = get("column", {{"name", "image_pca_density"}});
  EXPECT_EQ(column["count"], rows());
  // Counted anew, in 8 × 8 squares.
  const auto square_of = [&](int64_t row) {
    const auto at = static_cast<size_t>(2 * row);
    const auto along = [&](float position, float begin) {
      return std::min(7, static_cast<int>(8.0F * (position - begin) / map->extent.side));
    };
    return std::pair(along(map->positions[at], map->extent.left), along(map->positions[at + 1], map->extent.bottom));
  };
  for (const int64_t row : {0, 11, 30}) {
    int64_t count = 0;
    for (int64_t other = 0; other < rows(); ++other) count += square_of(other) == square_of(row) ? 1 : 0;
    const json object = get("object", {{"row", std::to_string(row)}});
    for (const json& label : object["labels"]) {
      if (label["name"] == "image_pca_density") {
        EXPECT_EQ(label["value"], count) << row;
      }
    }
  }
}

TEST_F(Exploring, GivesThumbnailsOfImagesAndSpectra) {
  const std::string images = ask("api/thumbnails", {{"rows", "3,4"}, {"of", "image"}}).body;
  constexpr size_t side = 76;  // 152 pixels, two by two
  ASSERT_EQ(images.size(), 2 * (2 + 3 * side * side));
  EXPECT_EQ(images[0], 'i');
  EXPECT_EQ(static_cast<size_t>(images[1]), side);
  // The centre of a galaxy is brighter than the corner of its image.
  const auto brightness = [&](size_t row, size_t column) {
    return static_cast<unsigned char>(images[2 + 3 * (row * side + column) + 1]);
  };
  EXPECT_GT(brightness(side / 2, side / 2), brightness(2, 2));
  EXPECT_EQ(ask("api/thumbnails", {{"rows", "4"}, {"of", "image"}}).body, images.substr(images.size() / 2)) << "kept";
  const std::string spectrum = ask("api/thumbnails", {{"rows", "3"}, {"of", "spectrum"}}).body;
  ASSERT_EQ(spectrum.size(), 2U + static_cast<unsigned char>(spectrum[1]));
  EXPECT_EQ(spectrum[0], 's');
  EXPECT_EQ(static_cast<unsigned char>(*std::max_element(
                spectrum.begin() + 2, spectrum.end(),
                [](char a, char b) { return static_cast<unsigned char>(a) < static_cast<unsigned char>(b); })),
            255);
  EXPECT_EQ(ask("api/thumbnails", {{"rows", std::to_string(rows() - 1)}, {"of", "image"}}).body, "-") << "no data";
  std::string many = "1";
  for (int i = 0; i < 64; ++i) many += ",1";
  for (const std::string& wrong : {std::string("1,,2"), std::string("1,999"), std::string(), many})
    EXPECT_THROW(ask("api/thumbnails", {{"rows", wrong}, {"of", "image"}}), Error) << wrong;
}

TEST_F(Exploring, ExchangesRowsAndPositionsWithOtherPrograms) {
  using testing_support::SampHub;
  EXPECT_FALSE(get("samp", {{"after", "0"}})["connected"].get<bool>());
  EXPECT_THAT(testing_support::message_of([&] { post("samp", {{"do", "table"}}); }), HasSubstr("not connected"));
  SampHub hub;
  post("samp", {{"do", "connect"}});
  EXPECT_EQ(get("samp", {{"after", "0"}})["programs"], json({"Hub", "TOPCAT"}));
  // A selection as a table: what is fetched holds its rows.
  const json chosen = post("select", {{"rows", {3, 7, 9}}, {"name", "mine"}});
  EXPECT_EQ(post("samp", {{"do", "table"}, {"selection", chosen["id"]}})["programs"], json({"TOPCAT"}));
  ASSERT_EQ(hub.told().size(), 1U);
  EXPECT_EQ(hub.told()[0].type, "table.load.votable");
  const json table = hub.told()[0].parameters;
  EXPECT_EQ(table["name"], "mine");
  EXPECT_EQ(table["table-id"], table["url"]);  // which no other explorer of the same embeddings has
  pugi::xml_document document;
  const std::string text = serve::post(table["url"], "", "", 10, 1 << 24);
  ASSERT_TRUE(document.load_string(text.c_str()));
  const auto lines = document.select_nodes("//*[local-name()='TR']");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines.begin()[1].node().first_child().child_value(), embeddings_.id(7));
  // The shown galaxy is the second row of that table, and lies somewhere.
  post("samp", {{"do", "show"}, {"row", 7}});
  ASSERT_GE(hub.told().size(), 2U);
  EXPECT_EQ(hub.told()[1].type, "table.highlight.row");
  EXPECT_EQ(hub.told()[1].parameters["row"], "1");
  EXPECT_EQ(hub.told()[1].parameters["table-id"], table["table-id"]);
  const auto columns = catalogue_.position_columns();
  const std::vector<int64_t> seven = {7};
  const double ra = catalogue_.read(columns->first, seven).numbers()[0];
  const size_t before = hub.told().size();
  if (std::isfinite(ra)) {
    EXPECT_EQ(hub.told()[2].type, "coord.pointAt.sky");
    EXPECT_EQ(std::stod(hub.told()[2].parameters["ra"].get<std::string>()), ra);
  }
  const json others = post("select", {{"rows", {1, 3, 9}}});
  post("samp", {{"do", "select"}, {"selection", others["id"]}});
  ASSERT_EQ(hub.told().size(), before + 1);
  EXPECT_EQ(hub.told()[before].parameters["row-list"], json({"0", "2"}));
  // What TOPCAT sends becomes news of the page.
  const auto about = [&](json more) {
    more["table-id"] = table["table-id"];
    return more;
  };
  EXPECT_EQ(hub.send("table.highlight.row", about({{"row", "+2"}}))["samp.status"], "samp.ok");
  EXPECT_EQ(hub.send("table.select.rowList", about({{"row-list", {"0", "1"}}}))["samp.status"], "samp.ok");
  const json state = get("samp", {{"after", "0"}});
  ASSERT_EQ(state["news"].size(), 2U);
  EXPECT_EQ(state["news"][0]["row"], 9);
  const json made = get("table", {{"selection", state["news"][1]["selection"].dump()}, {"first", "0"}, {"most", "9"}});
  ASSERT_EQ(made["rows"].size(), 2U);
  EXPECT_EQ(made["rows"][1]["row"], 7);
  // Row 5 lies where this points (explored.h), if it has a position.
  int64_t placed = 0;
  while (!std::isfinite(catalogue_.read(columns->first, std::vector{placed}).numbers()[0])) ++placed;
  const std::vector<int64_t> at = {placed};
  hub.send("coord.pointAt.sky", {{"ra", std::to_string(catalogue_.read(columns->first, at).numbers()[0])},
                                 {"dec", std::to_string(catalogue_.read(columns->second, at).numbers()[0])}});
  EXPECT_EQ(get("samp", {{"after", state["last"].dump()}})["news"][0]["row"], placed);
  // What makes no sense is refused, to the sender.
  for (const auto& [type, parameters] :
       std::vector<std::pair<std::string, json>>{{"table.highlight.row", {{"table-id", "another"}, {"row", "1"}}},
                                                 {"table.highlight.row", about({{"row", "3"}})},
                                                 {"table.highlight.row", about({{"row", "-1"}})},
                                                 {"table.highlight.row", about({{"row", "x"}})},
                                                 {"table.select.rowList", about({{"row-list", {"7"}}})},
                                                 {"table.select.rowList", about(json::object())},
                                                 {"coord.pointAt.sky", {{"ra", "north"}, {"dec", "1"}}},
                                                 {"image.load.fits", {{"url", "file:///etc/passwd"}}}})
    EXPECT_EQ(hub.send(type, parameters)["samp.status"], "samp.error") << type << parameters;
  post("samp", {{"do", "disconnect"}});
  EXPECT_FALSE(hub.has_client());
}

/// A finished run that predicts the redshifts of these objects from images.
std::string predicting_run(const std::vector<int64_t>& ids, const std::vector<double>& truth,
                           const std::vector<double>& predicted) {
  const std::string folder = testing_support::finished_run("predicting", testing_support::reports_of());
  Prediction knn{.representation = "aligned",
                 .modality = "image",
                 .method = "knn",
                 .label = "redshift",
                 .ids = ids,
                 .truth = truth,
                 .predicted = std::vector<double>(truth.size(), 9.0)};
  Prediction ridge = knn, floor = knn, posterior = knn;
  ridge.method = "ridge";
  ridge.predicted = predicted;
  floor.method = "mlp";
  floor.representation = "pca-8";
  posterior.method = "flow";
  posterior.outputs = {"redshift 16 %", "redshift 50 %", "redshift 84 %"};
  posterior.truth.clear();
  posterior.predicted.clear();
  for (size_t i = 0; i < ids.size(); ++i) {
    for (const double distance : {-0.25, 0.0, 0.5}) {
      posterior.truth.push_back(truth[i]);
      posterior.predicted.push_back(predicted[i] + distance);
    }
  }
  evaluate::write_predictions(folder + "/predictions.h5", {{"redshift", {knn, ridge, floor, posterior}}}, IdNames());
  return folder;
}

TEST_F(Exploring, ColoursByPredictionsAndResiduals) {
  const std::vector<int64_t> ids = {ids_[9], ids_[2], ids_[5], -17};
  const std::string run = predicting_run(ids, {0.5, 0.25, NAN, 1.0}, {1.0, 0.5, 2.0, 1.0});
  Explorer explorer(embeddings_, catalogue_, index_, nullptr, predictions_of_run(run, embeddings_));
  const auto ask_json = [&](const std::string& path, std::map<std::string, std::string> query) {
    return json::parse(explorer.answer({"GET", "api/" + path, std::move(query), ""}).body);
  };
  std::set<std::string> columns;
  const json state = ask_json("state", {});
  for (const json& column : state["columns"]) columns.insert(column["name"].get<std::string>());
  for (const char* name :
       {"redshift_predicted_image", "redshift_residual_image", "redshift_median_image", "redshift_median_error_image"})
    EXPECT_TRUE(columns.contains(name)) << name;
  const json residuals = ask_json("column", {{"name", "redshift_residual_image"}});
  EXPECT_EQ(residuals["count"], 2);
  EXPECT_EQ(residuals["least"], 0.25);
  EXPECT_EQ(residuals["greatest"], 0.5);
  const json found = json::parse(
      explorer.answer({"POST", "api/select", {}, json({{"where", "redshift_residual_image > 0.3"}}).dump()}).body);
  EXPECT_EQ(found["count"], 1);
  const json object = ask_json("object", {{"row", "9"}});
  ASSERT_EQ(object["predictions"].size(), 2U);
  EXPECT_EQ(object["predictions"][0]["method"], "ridge") << "the most able, not a floor's";
  EXPECT_EQ(object["predictions"][0]["value"], 1.0);
  EXPECT_EQ(object["predictions"][0]["residual"], 0.5);
  EXPECT_NEAR(object["predictions"][0]["error"].get<double>(), 1.4826 * 0.375, 1e-6);
  EXPECT_EQ(object["predictions"][1]["error"], 0.375) << "half the interval of the posterior";
  EXPECT_EQ(ask_json("object", {{"row", "5"}})["predictions"][0]["residual"], nullptr);
  EXPECT_EQ(ask_json("object", {{"row", "1"}})["predictions"], json::array());
}

TEST_F(Exploring, RefusesWhatMakesNoSense) {
  const auto asking = [&](const std::string& path, const std::map<std::string, std::string>& query) {
    return [this, path, query] { get(path, query); };
  };
  EXPECT_THAT(asking("map", {{"map", "none"}}), testing::ThrowsMessage<serve::NotFound>("there is no map 'none'"));
  EXPECT_THAT(asking("tile", {{"map", "image/pca"}, {"tile", "1"}}),
              testing::ThrowsMessage<Error>(HasSubstr("from 0 to 0")));
  EXPECT_THAT(asking("object", {{"row", std::to_string(rows())}}), testing::Throws<Error>());
  EXPECT_THAT(asking("column", {{"name", "x"}}), testing::ThrowsMessage<Error>("there is no column 'x'"));
  EXPECT_THAT(asking("measurement", {{"row", "0"}, {"field", "object_id"}}), testing::Throws<serve::NotFound>());
  EXPECT_THAT(asking("neighbours", {{"row", "0"}, {"query", "x"}, {"among", "image"}, {"k", "1"}}),
              testing::Throws<Error>());
  EXPECT_THAT(asking("nothing", {}), testing::Throws<serve::NotFound>());
  const auto posting = [&](const json& body) { return [this, body] { post("select", body); }; };
  EXPECT_THAT(posting({{"map", "image/pca"}, {"polygon", {{1, 2}, {3, 4}}}}),
              testing::ThrowsMessage<Error>(HasSubstr("3 to")));
  EXPECT_THAT(posting({{"map", "image/pca"}, {"polygon", {1, 2, 3}}}), testing::Throws<Error>());
  EXPECT_THAT(posting({{"map", "image/pca"}, {"polygon", {{0, 0}, {1, 0}, {0, 1e39}}}}),
              testing::ThrowsMessage<Error>("a corner of 'polygon' must lie within 3.4e+38 of zero, found 1e+39"));
  EXPECT_THAT(posting({{"column", "redshift"}, {"low", "a"}, {"high", 1}}), testing::Throws<Error>());
  EXPECT_THAT(posting({{"selection", 99}}), testing::Throws<serve::NotFound>());
  EXPECT_THAT(posting(json::array()), testing::ThrowsMessage<Error>("the body must be a JSON object"));
  EXPECT_THAT(
      [&] {
        explorer_.answer({"POST", "api/select", {}, std::string(100000, '[')});
      },
      testing::Throws<Error>());
  EXPECT_THAT([&] { explorer_.answer({"GET", "api/select", {}, "{}"}); }, testing::Throws<Error>());
}

TEST_F(Exploring, ThePageIsSmallAndAsksForNothingElsewhere) {
  size_t bytes = 0;
  for (const PageFile& file : page_files()) {
    bytes += file.text.size();
    std::string text(file.text);  // the name of SVG's namespace is no address
    const std::string space = "http://www.w3.org/2000/svg";
    for (size_t at; (at = text.find(space)) != std::string::npos;) text.erase(at, space.size());
    EXPECT_THAT(text, Not(HasSubstr("://"))) << file.name;
    EXPECT_EQ(ask(std::string(file.name)).body, file.text);
  }
  EXPECT_GT(page_files().size(), 5U);
  EXPECT_LE(bytes, 150000U);
  const serve::Response index = ask("");
  EXPECT_EQ(index.type, "text/html; charset=utf-8");
  // The Content-Security-Policy forbids what stands in the page itself.
  EXPECT_THAT(index.body, Not(testing::ContainsRegex("<style|style=|onclick|<script>")));
}

TEST(ViewIndexTest, IsReadAgainAndBelongsToItsEmbeddings) {
  const std::vector<int64_t> ids = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
  const std::string path = write_embeddings("indexed.h5", ids);
  {
    const Embeddings embeddings(path);
    ViewIndex index(embeddings);
    index.build(Method::pca, silent);
    index.build(Method::umap, silent);
  }
  {
    const Embeddings embeddings(path);
    ViewIndex index(embeddings);
    EXPECT_EQ(index.maps().size(), 4U);
    index.build(Method::umap, [](const std::string& what, double) { FAIL() << what << " is there already"; });
  }
  const std::string kept = testing_support::scratch("kept.h5.view");
  std::filesystem::rename(path + ".view", kept);
  write_embeddings("indexed.h5", ids, "beef");  // of another model
  std::filesystem::rename(kept, path + ".view");
  const Embeddings other(path);
  EXPECT_THAT([&] { ViewIndex index(other); },
              testing::ThrowsMessage<Error>(path + ".view: belongs to other embeddings; delete it to make it anew"));
}

TEST(EmbeddingsTest, ReadsTheGroupsOfARun) {
  const std::string path = testing_support::scratch("run.h5");
  std::filesystem::remove(path);
  const std::vector<float> train = {1, 2, 3, 4, 5, 6}, test = {7, 8};
  const std::vector<int64_t> train_ids = {30, 10, 20}, test_ids = {40};
  const auto write = [&](bool whole) {
    io::OutputFile output(path, io::OutputFile::Mode::create);
    auto file = io::Hdf5File::create(output);
    file.make_dataset("train/image_embeddings", DType::f32, {3, 2});
    file.write_rows("train/image_embeddings", 0, 3, DType::f32, train.data());
    file.write_ids("train/object_id", {IdKind::int64, train_ids});
    if (whole) {
      file.make_dataset("test/image_embeddings", DType::f32, {1, 2});
      file.write_rows("test/image_embeddings", 0, 1, DType::f32, test.data());
    }
    file.write_ids("test/object_id", {IdKind::int64, test_ids});
    file.close();
  };
  write(true);
  const Embeddings embeddings(path);
  EXPECT_THAT(embeddings.ids().keys, testing::ElementsAre(30, 10, 20, 40));
  EXPECT_THAT(embeddings.vectors("image"), testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_EQ(embeddings.row_of("40"), 3);
  EXPECT_EQ(embeddings.row_of("4x"), std::nullopt);
  std::filesystem::remove(path);
  write(false);
  EXPECT_THAT([&] { Embeddings other(path); },
              testing::ThrowsMessage<Error>(path + ": has embeddings of 'image' for some of its groups only"));
}

TEST(EmbeddingsTest, NamesWhatIsMissing) {
  const std::string path = survey_file();
  EXPECT_THAT([&] { Embeddings embeddings(path); }, testing::Throws<Error>());
  EXPECT_THAT([] { Embeddings embeddings("/nowhere.h5"); }, testing::Throws<Error>());
}

TEST(CatalogueTest, RefusesDataOfOtherObjects) {
  const Embeddings embeddings(write_embeddings("strangers.h5", {1000001, 1000002}));
  EXPECT_THAT([&] { Catalogue catalogue(embeddings, survey_inputs()); },
              testing::ThrowsMessage<Error>(HasSubstr("none of its objects is in ")));
}

TEST(ColumnSummaryTest, CountsWhatIsBetweenThePercentiles) {
  std::vector<float> values;
  for (int i = 0; i <= 1000; ++i) values.push_back(static_cast<float>(i));
  values.push_back(std::numeric_limits<float>::quiet_NaN());
  const ColumnSummary summary = summary_of(values, 10);
  EXPECT_EQ(summary.count, 1001);
  EXPECT_EQ(summary.low, 10.0);
  EXPECT_EQ(summary.high, 990.0);
  EXPECT_EQ(summary.greatest, 1000.0);
  EXPECT_EQ(summary.histogram, (std::vector<int64_t>{98, 98, 98, 98, 98, 98, 98, 98, 98, 99}));
  EXPECT_EQ(summary_of({}, 4).count, 0);
}

}  // namespace
}  // namespace astroclip::explore
