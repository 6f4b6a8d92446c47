// Galaxies that are uploaded: embedded as the verb embeds them, and refused where they are damaged.
#include "explore/own_galaxies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "browser.h"
#include "data/fields.h"
#include "data/survey.h"
#include "explore/explore.h"
#include "explore/explorer.h"
#include "explored.h"
#include "serve/http_server.h"
#include "support/fits_files.h"
#include "support/message_of.h"
#include "support/raw_client.h"
#include "support/two_towers.h"

namespace astroclip::explore {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing_support::FitsWriter;
using testing_support::message_of;
using testing_support::RawClient;
using testing_support::resident_bytes;
using testing_support::run_program;
using testing_support::scratch;
using testing_support::two_towers;

/// The survey's objects as that model embeds them.
const std::string& own_embeddings() {
  static const std::string path = [] {
    const std::string to = scratch("own_embeddings.h5");
    const auto outcome = run_program("embed --model '" + two_towers() + "' --input '" + survey_file() + "' --output '" +
                                     to + "' --precision f32");
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return to;
  }();
  return path;
}

std::string bytes_of_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class OwnGalaxy : public testing::Test {
 protected:
  OwnGalaxy()
      : embeddings_(own_embeddings()),
        catalogue_(embeddings_, survey_inputs()),
        index_(embeddings_),
        own_(embeddings_, catalogue_, two_towers(), computing_),
        explorer_(embeddings_, catalogue_, index_, &own_) {
    index_.build(Method::pca, [](const std::string&, double) {});
  }

  std::vector<double> values(int64_t row, const std::string& field) const {
    const auto found = catalogue_.find(row);
    const auto measured = catalogue_.measurement(found->input, found->input_row, field);
    EXPECT_TRUE(measured);
    return {measured->values.begin(), measured->values.end()};
  }
  /// A FITS file with the image of an object, on the pixels of the survey.
  std::string image_of(int64_t row) const {
    const std::string path = scratch("own_image.fits");
    FitsWriter(path)
        .image("", {3, data::image_side, data::image_side}, values(row, "image"))
        .key("CTYPE1", "RA---TAN")
        .key("CTYPE2", "DEC--TAN")
        .key("CRVAL1", 150.0)
        .key("CRVAL2", 2.0)
        .key("CRPIX1", 76.5)
        .key("CRPIX2", 76.5)
        .key("CD1_1", -data::pixel_scale / 3600)
        .key("CD2_2", data::pixel_scale / 3600);
    return bytes_of_file(path);
  }
  std::string spectrum_of(int64_t row) const {
    const std::string path = scratch("own_spectrum.fits");
    std::vector<double> wavelength;
    for (int64_t i = 0; i < data::spectrum_pixels; ++i) wavelength.push_back(data::wavelength_of(i));
    const auto pixels = static_cast<long>(data::spectrum_pixels);
    FitsWriter(path)
        .empty_primary()
        .image("B_WAVELENGTH", {pixels}, wavelength, -64)
        .image("B_FLUX", {1, pixels}, values(row, "spectrum"))
        .image("B_IVAR", {1, pixels}, std::vector<double>(static_cast<size_t>(pixels), 4.0))
        .table("FIBERMAP", 1, {{"TARGETID", "K", {}, {99}}, {"TARGET_RA", "D", {150.0}}, {"TARGET_DEC", "D", {2.0}}});
    return bytes_of_file(path);
  }
  json upload(const std::string& image, const std::string& spectrum) {
    return json::parse(
        explorer_
            .answer({"POST",
                     upload_path,
                     {{"image", std::to_string(image.size())}, {"spectrum", std::to_string(spectrum.size())}},
                     image + spectrum})
            .body);
  }
  json get(const std::string& path, std::map<std::string, std::string> query) {
    return json::parse(explorer_.answer({"GET", "api/" + path, std::move(query), ""}).body);
  }

  Embeddings embeddings_;
  Catalogue catalogue_;
  ViewIndex index_;
  Turns computing_;
  OwnGalaxies own_;
  Explorer explorer_;
};

TEST_F(OwnGalaxy, LandsWhereItsTwinIs) {
  const int64_t row = 7;
  const json added = upload(image_of(row), spectrum_of(row))["own"];
  ASSERT_EQ(added.size(), 1U);
  const std::string id = added[0]["id"].dump();
  const json object = get("object", {{"own", id}});
  EXPECT_EQ(object["id"], added[0]["name"]);
  EXPECT_EQ(object["encoders"], json({"image", "spectrum"}));
  for (const std::string query : {"image", "spectrum"}) {
    for (const std::string among : {"image", "spectrum"}) {
      const std::map<std::string, std::string> wanted = {{"query", query}, {"among", among}, {"k", "3"}};
      auto of_own = wanted, of_twin = wanted;
      of_own["own"] = id;
      of_twin["row"] = std::to_string(row);
      const json found = get("neighbours", of_own)["neighbours"][query],
                 twin = get("neighbours", of_twin)["neighbours"][query];
      ASSERT_EQ(found.size(), 3U);
      if (query == among) {
        EXPECT_EQ(found[0]["row"], row);
        EXPECT_NEAR(found[0]["cosine"].get<double>(), 1.0, 1e-5);
        EXPECT_NEAR(found[1]["cosine"].get<double>(), twin[0]["cosine"].get<double>(), 1e-3);
      }
    }
    const auto map = index_.find(query + "/pca");
    const auto at = static_cast<size_t>(2 * row);
    const json place = object["positions"][map->id()];
    EXPECT_NEAR(place[0].get<double>(), double{map->positions[at]}, 0.1 * double{map->extent.side});
    EXPECT_NEAR(place[1].get<double>(), double{map->positions[at + 1]}, 0.1 * double{map->extent.side});
  }
  const std::string body = explorer_.answer({"GET", "api/measurement", {{"own", id}, {"field", "spectrum"}}, ""}).body;
  EXPECT_GT(body.size(), static_cast<size_t>(4 * data::spectrum_pixels));
  EXPECT_EQ(get("state", {})["own"].size(), 1U);
}

TEST_F(OwnGalaxy, MayHaveAnImageOrASpectrumAlone) {
  EXPECT_EQ(get("object", {{"own", upload(image_of(3), "")["own"][0]["id"].dump()}})["encoders"], json({"image"}));
  const json spectrum = get("object", {{"own", upload("", spectrum_of(3))["own"][0]["id"].dump()}});
  EXPECT_EQ(spectrum["encoders"], json({"spectrum"}));
  EXPECT_FALSE(spectrum["positions"].contains("image/pca"));
}

TEST_F(OwnGalaxy, SaysWhatIsWrongWithAFile) {
  const std::string image = image_of(1), spectrum = spectrum_of(1);
  const auto private_folders = [] {
    std::set<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(fs::temp_directory_path())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("astroclip-own-")) names.insert(name);
    }
    return names;
  };
  const auto before = private_folders();
  const auto refused = [&](const std::string& first, const std::string& second) {
    const std::string message = message_of([&] { upload(first, second); });
    EXPECT_THAT(message, Not(HasSubstr("/"))) << "no path is told";
    return message;
  };
  EXPECT_EQ(refused("no FITS", ""), "the image is not a FITS file");
  EXPECT_EQ(refused("", std::string("\x1F\x8B\x08\x00\x00", 5)), "the spectrum is damaged: it is no whole gzip file");
  std::string bomb("\x1F\x8B\x08\0\0\0\0\0\0\x03 and more", 19);
  EXPECT_EQ(refused(bomb + "\xFF\xFF\xFF\x7F", ""), "the image unpacks to more than 256 MB");
  EXPECT_EQ(refused(bomb + "\xFF\xFF\xFF\x0F", ""), "the image is damaged: it is no whole gzip file");
  EXPECT_THAT(refused(image.substr(0, image.size() / 2), ""), HasSubstr("image.fits: is truncated"));
  EXPECT_THAT(refused("", ""), HasSubstr("expected a FITS file"));
  std::string huge = image;  // a header that promises more than it has
  const size_t axis = huge.find("NAXIS1");
  huge.replace(axis, 30, "NAXIS1  =           1000000000");
  EXPECT_THAT(refused(huge, ""), HasSubstr("image.fits"));
  // Bytes that were changed anywhere give a sentence, or a galaxy.
  for (size_t at = 5; at < spectrum.size(); at += spectrum.size() / 60 + 7) {
    std::string damaged = spectrum;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    EXPECT_NO_FATAL_FAILURE(message_of([&] { upload("", damaged); }));
  }
  EXPECT_THAT(message_of([&] {
                explorer_.answer({"POST", upload_path, {{"image", "5"}, {"spectrum", "0"}}, "four"});
              }),
              HasSubstr("from 0 to 4"));
  EXPECT_THAT([&] { get("object", {{"own", "99"}}); }, testing::Throws<serve::NotFound>());
  EXPECT_EQ(private_folders(), before) << "no folder is left";
}

/// What `gzip` makes of a header of FITS cards and so many zeros.
std::string gzipped_zeros(const std::vector<std::string>& cards, int64_t zeros) {
  const std::string head = scratch("bomb_head"), file = scratch("bomb.gz");
  std::ofstream out(head, std::ios::binary);
  for (std::string card : cards) {
    card.resize(80, ' ');
    out << card;
  }
  if (!cards.empty()) out << std::string(2880 - 80 * cards.size(), ' ');
  out.close();
  const std::string command =
      "(cat '" + head + "'; head -c " + std::to_string(zeros) + " /dev/zero) | gzip > '" + file + "'";
  EXPECT_EQ(std::system(command.c_str()), 0);
  return bytes_of_file(file);
}

std::vector<std::string> cards_of_image(int64_t side) {
  const std::string length = std::to_string(side);
  return {"SIMPLE  =                    T",
          "BITPIX  =                  -32",
          "NAXIS   =                    3",
          "NAXIS1  = " + std::string(20 - length.size(), ' ') + length,
          "NAXIS2  = " + std::string(20 - length.size(), ' ') + length,
          "NAXIS3  =                    3",
          "END"};
}

TEST_F(OwnGalaxy, TheRouteOutlivesAttacks) {
  give_back_large_blocks();
  constexpr int64_t most = 20 << 20;
  serve::ServerOptions serving;
  serving.upload_path = upload_path;
  serving.most_upload_bytes = most;
  serving.seconds_for_upload = 2;
  serve::HttpServer server(serving, [&](const serve::Request& request) { return explorer_.answer(request); });
  std::atomic<bool> stop = false;
  std::thread thread([&] { server.run([&] { return stop.load(); }); });
  const std::string url = server.url(), port = std::to_string(server.port());
  const auto head = [&](const std::string& method, const std::string& address, const std::string& length) {
    return method + " " + url.substr(url.find(port) + port.size()) + address + " HTTP/1.1\r\nHost: 127.0.0.1:" + port +
           "\r\nConnection: close\r\n" + length + "\r\n";
  };
  const auto length = [](int64_t bytes) { return "Content-Length: " + std::to_string(bytes) + "\r\n"; };
  const auto ask = [&](const std::string& request) {
    RawClient client(server.port());
    client.send(request);
    return client.receive(60);
  };
  const auto sent = [&](const std::string& bytes) {
    return ask(head("POST", std::string(upload_path) + "?spectrum=0&image=" + std::to_string(bytes.size()),
                    length(std::ssize(bytes))) +
               bytes);
  };
  const auto is_alive = [&] { return ask(head("GET", "api/state", "")).starts_with("HTTP/1.1 200"); };
  const std::string image = image_of(4);
  EXPECT_THAT(sent(image), StartsWith("HTTP/1.1 200"));
  const int64_t before = resident_bytes();
  // Bodies that are too long, by what they say and without saying it.
  EXPECT_THAT(ask(head("POST", upload_path, length(most + 1))), StartsWith("HTTP/1.1 413"));
  {
    RawClient chunks(server.port());
    const std::string megabyte(1 << 20, 'a');
    bool is_open = chunks.send(head("POST", upload_path, "Transfer-Encoding: chunked\r\n"));
    for (int i = 0; i < 200 && is_open; ++i) is_open = chunks.send("100000\r\n" + megabyte + "\r\n");
    EXPECT_FALSE(is_open);
  }
  // One that comes slowly is ended in the time of an upload; others are answered meanwhile.
  {
    RawClient slow(server.port());
    slow.send(head("POST", upload_path, length(1000)));
    EXPECT_TRUE(is_alive());
    int bytes = 0;
    for (; bytes < 1000 && slow.send("a"); ++bytes) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_LT(bytes, 1000);
  }
  // Files that unpack to much, and what is no image.
  EXPECT_THAT(sent(gzipped_zeros({}, 200 << 20)), HasSubstr("the image is not a FITS file"));
  EXPECT_THAT(sent(gzipped_zeros({}, 300 << 20)), HasSubstr("the image unpacks to more than 256 MB"));
  EXPECT_THAT(sent(gzipped_zeros(cards_of_image(100000), 100 << 20)), HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(sent(gzipped_zeros(cards_of_image(1500), 27000000)), testing::ContainsRegex("HTTP/1.1 (200|400)"));
  EXPECT_THAT(sent(image.substr(0, image.size() / 3)), HasSubstr("image.fits: is truncated"));
  for (size_t at = 0; at < 2880; at += 281) {
    std::string damaged = image;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    EXPECT_THAT(sent(damaged), testing::ContainsRegex("HTTP/1.1 (200|400)")) << at;
  }
  EXPECT_LT(resident_bytes() - before, 16 << 20);
  EXPECT_THAT(sent(image), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(is_alive());
  stop = true;
  thread.join();
}

TEST_F(OwnGalaxy, ReconstructsSpectra) {
  EXPECT_EQ(get("state", {})["reconstructs"], json({"spectrum"}));
  const auto values_of = [&](std::map<std::string, std::string> which) {
    which["field"] = "spectrum";
    const std::string body = explorer_.answer({"GET", "api/reconstruction", which, ""}).body;
    std::vector<float> values((body.size() - body.find('\n') - 1) / 4);
    std::memcpy(values.data(), body.data() + body.find('\n') + 1, 4 * values.size());
    return values;
  };
  const std::vector<float> rebuilt = values_of({{"row", "7"}});
  ASSERT_EQ(std::ssize(rebuilt), data::spectrum_pixels);
  // As a pass over the same tokens gives it: with random weights, so only what each hidden part is made of is compared.
  EXPECT_GT(std::ranges::count_if(rebuilt, [](float value) { return std::isfinite(value); }),
            data::spectrum_pixels - 30);
  const std::string own = upload("", spectrum_of(7))["own"][0]["id"].dump();
  const std::vector<float> of_own = values_of({{"own", own}});
  for (size_t pixel = 100; pixel < rebuilt.size(); pixel += 97)
    EXPECT_NEAR(of_own[pixel], rebuilt[pixel], 1e-3F) << pixel;
  Explorer without(embeddings_, catalogue_, index_);
  EXPECT_THROW(without.answer({"GET", "api/reconstruction", {{"row", "7"}, {"field", "spectrum"}}, ""}),
               serve::NotFound);
}

TEST_F(OwnGalaxy, WaitsForItsTurn) {
  // A maker of maps passes its turn on between two steps, and goes on afterwards.
  std::atomic<bool> is_done = false;
  computing_.lock();
  std::thread other([&] {
    own_.add(image_of(2), "");
    is_done = true;
  });
  int64_t turns = 0;
  for (; !is_done; ++turns) {
    computing_.unlock();
    computing_.lock();
  }
  computing_.unlock();
  other.join();
  EXPECT_GT(turns, 0);
  EXPECT_EQ(own_.all().size(), 1U);
}

TEST_F(OwnGalaxy, NeedsTheModelOfTheEmbeddings) {
  const Embeddings others(write_embeddings("others.h5", {1, 2, 3}));
  const Catalogue nothing(others, {});
  Turns turns;
  EXPECT_THAT(message_of([&] { OwnGalaxies own(others, nothing, two_towers(), turns); }),
              HasSubstr(others.path() + " was made by f00d"));
  Explorer without(embeddings_, catalogue_, index_);
  EXPECT_THAT(message_of([&] { without.answer({"POST", upload_path, {}, ""}); }), HasSubstr("--model"));
}

TEST_F(OwnGalaxy, IsUploadedByThePage) {
  if (testing_support::chromium_path().empty()) GTEST_SKIP() << "Chromium is not installed (apt-get install chromium)";
  const std::string image = scratch("page_image.fits"), damaged = scratch("page_damaged.fits");
  const std::string bytes = image_of(5);
  std::ofstream(image, std::ios::binary) << bytes;
  std::ofstream(damaged, std::ios::binary) << bytes.substr(0, 5000);
  serve::ServerOptions serving;
  serving.upload_path = upload_path;
  serving.most_upload_bytes = 1 << 24;
  serve::HttpServer server(serving, [&](const serve::Request& request) { return explorer_.answer(request); });
  std::atomic<bool> stop = false;
  std::thread thread([&] { server.run([&] { return stop.load(); }); });
  {
    testing_support::Browser browser;
    browser.go(server.url());
    EXPECT_TRUE(browser.becomes("document.getElementById('own-section')?.hidden === false"));
    const auto embed = [&](const std::string& file) {
      const auto document = browser.call("DOM.getDocument")["root"]["nodeId"];
      const auto input =
          browser.call("DOM.querySelector", {{"nodeId", document}, {"selector", "#own-image"}})["nodeId"];
      browser.call("DOM.setFileInputFiles", {{"files", {file}}, {"nodeId", input}});
      browser.value("document.querySelector('#own button').click()");
    };
    embed(damaged);
    EXPECT_TRUE(browser.becomes("document.getElementById('work').innerText.includes('image.fits: is truncated')"));
    embed(image);
    EXPECT_TRUE(browser.becomes("document.querySelector('#panel h2')?.innerText === 'Galaxy own 1'"));
    EXPECT_TRUE(browser.becomes("document.querySelectorAll('#panel .strip').length === 2"));
    EXPECT_TRUE(browser.becomes("location.hash.includes('own=1')"));
    const std::string nearest =
        browser.value("document.querySelector('#panel .strip button').getAttribute('aria-label')").get<std::string>();
    EXPECT_EQ(nearest, "galaxy " + embeddings_.id(5) + ", cosine 1.000");
    browser.value("document.getElementById('own-section').open = true");
    browser.screenshot("own");
    // The spectrum of an object, with what the model makes of it.
    browser.value("document.getElementById('find-id').value = '" + embeddings_.id(5) + "'");
    browser.value("document.querySelector('#find button').click()");
    EXPECT_TRUE(browser.becomes("document.querySelector('#panel')?.innerText.includes('as the model predicts it')"));
    EXPECT_TRUE(browser.becomes(
        "document.querySelector('canvas.spectrum')?.getAttribute('aria-label').includes('reconstruction')"));
    browser.screenshot("reconstruction");
  }
  stop = true;
  thread.join();
}

}  // namespace
}  // namespace astroclip::explore
