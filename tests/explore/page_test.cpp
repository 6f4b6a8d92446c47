// The page as Chromium shows it, driven as a user would; skipped where Chromium is not installed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <pugixml.hpp>
#include <thread>

#include "browser.h"
#include "data/fields.h"
#include "explore/explorer.h"
#include "explored.h"
#include "serve/http_server.h"
#include "support/samp_hub.h"

namespace astroclip::explore {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Page : public testing::Test {
 protected:
  void SetUp() override {
    if (testing_support::chromium_path().empty())
      GTEST_SKIP() << "Chromium is not installed (apt-get install chromium)";
    std::vector<int64_t> ids;
    const auto inputs = survey_inputs();
    for (const embed::Input& input : inputs) {
      std::vector<int64_t> rows(static_cast<size_t>(input.size()));
      for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
      const auto own = data::read_ids(*input.objects, input.split, rows);
      ids.insert(ids.end(), own.begin(), own.end());
    }
    embeddings_ = std::make_unique<Embeddings>(write_embeddings("page.h5", ids));
    catalogue_ = std::make_unique<Catalogue>(*embeddings_, inputs);
    index_ = std::make_unique<ViewIndex>(*embeddings_);
    for (const Method method : {Method::pca, Method::umap}) index_->build(method, [](const std::string&, double) {});
    std::vector<int64_t> rows(ids.size());
    std::iota(rows.begin(), rows.end(), int64_t{0});
    index_->add_sky(catalogue_->read("ra", rows).numbers(), catalogue_->read("dec", rows).numbers(),
                    [](const std::string&, double) {});
    explorer_ = std::make_unique<Explorer>(*embeddings_, *catalogue_, *index_, nullptr, some_predictions());
    server_ = std::make_unique<serve::HttpServer>(
        serve::ServerOptions(), [this](const serve::Request& request) { return explorer_->answer(request); });
    thread_ = std::thread([this] { server_->run([this] { return stop_.load(); }); });
    browser_ = std::make_unique<testing_support::Browser>();
    browser_->go(server_->url() + of_address());
    ASSERT_TRUE(browser_->becomes("document.getElementById('drawn')?.textContent.startsWith('40 of 40')"))
        << text("body");
    ASSERT_TRUE(browser_->becomes("document.querySelectorAll('#table-place tbody tr').length === 40"));
  }
  void TearDown() override {
    if (!server_) return;
    if (browser_) expect_no_faults();
    browser_.reset();
    stop_ = true;
    thread_.join();
  }

  /// What the address has after the token.
  virtual std::string of_address() const { return ""; }

  /// Of the first twenty objects: each redshift is found 0.01 too great, ± 0.02.
  std::vector<Predicted> some_predictions() const {
    Predicted one{.property = "redshift", .from = "image", .method = "mlp", .rows = {}, .predicted = {}, .truth = {}};
    for (int64_t row = 0; row < 20; ++row) {
      const float redshift = catalogue_->values("redshift")[static_cast<size_t>(row)];
      one.rows.push_back(row);
      one.truth.push_back(redshift);
      one.predicted.push_back(redshift + 0.01F);
      one.errors.push_back(0.02F);
    }
    one.known = 20;
    return {one};
  }
  /// Where the map, shown whole, has a row.
  std::array<double, 2> place_of(int64_t row, const std::string& of) {
    const json place = box();
    const auto map = index_->find(of);
    const double width = place["width"], height = place["height"];
    const double scale = std::min(width, height) / double{map->extent.side}, half = 0.5 * double{map->extent.side};
    const auto at = static_cast<size_t>(2 * row);
    return {
        place["x"].get<double>() + width / 2 + (double{map->positions[at]} - double{map->extent.left} - half) * scale,
        place["y"].get<double>() + height / 2 -
            (double{map->positions[at + 1]} - double{map->extent.bottom} - half) * scale};
  }

  std::string text(const std::string& selector) {
    return browser_->value("document.querySelector('" + selector + "').innerText").get<std::string>();
  }
  void choose(const std::string& id, const std::string& value) {
    browser_->value("(() => { const list = document.getElementById('" + id + "'); list.value = '" + value +
                    "'; list.dispatchEvent(new Event('change')); })()");
  }
  void press(const std::string& selector) { browser_->value("document.querySelector('" + selector + "').click()"); }
  json box() {
    return browser_->value(
        "(() => { const box = document.getElementById('overlay').getBoundingClientRect(); return {x: box.x, y: box.y, "
        "width: box.width, height: box.height}; })()");
  }
  /// Waits for points, which are drawn in the browser's next frame: more than 40 pixels that are not empty.
  bool draws_points() {
    return browser_->becomes(
        "(() => { const canvas = document.getElementById('points'), data = canvas.getContext('2d').getImageData(0, "
        "0, canvas.width, canvas.height).data; let count = 0; for (let i = 3; i < data.length; i += 4) count += "
        "data[i] > 0; return count; })() > 40");
  }
  void drag(const std::vector<std::array<double, 2>>& path) {
    browser_->mouse("mousePressed", path.front()[0], path.front()[1], 1);
    for (const auto& [x, y] : path) browser_->mouse("mouseMoved", x, y, 1);
    browser_->mouse("mouseReleased", path.back()[0], path.back()[1], 0);
  }
  /// Nothing was asked of another host, and nothing failed in the page.
  void expect_no_faults() {
    const std::string own = server_->url();
    for (const json& event : browser_->events) {
      const std::string method = event["method"];
      if (method == "Network.requestWillBeSent") {
        const std::string url = event["params"]["request"]["url"];
        EXPECT_TRUE(url.starts_with(own) || url.starts_with("about:") || url.starts_with("blob:") ||
                    url.starts_with("chrome:"))
            << url;
      }
      EXPECT_NE(method, "Runtime.exceptionThrown") << event.dump();
      if (method == "Log.entryAdded" && event["params"]["entry"]["level"] == "error") {
        ADD_FAILURE() << event.dump();
      }
    }
  }

  std::unique_ptr<Embeddings> embeddings_;
  std::unique_ptr<Catalogue> catalogue_;
  std::unique_ptr<ViewIndex> index_;
  std::unique_ptr<Explorer> explorer_;
  std::unique_ptr<serve::HttpServer> server_;
  std::unique_ptr<testing_support::Browser> browser_;

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

/// With either of what draws the points.
class PageOfPoints : public Page, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    Page::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (browser_->value("document.getElementById('points').dataset.by") != GetParam())
      GTEST_SKIP() << "Chromium has no WebGL2";
  }
  std::string of_address() const override { return std::string("#points=") + GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(PageOfPoints, PageOfPoints, testing::Values("canvas", "webgl"),
                         [](const auto& one) { return std::string(one.param); });

TEST_P(PageOfPoints, ShowsTheMapItsQualityAndColours) {
  EXPECT_TRUE(draws_points());
  EXPECT_THAT(text("#quality"), HasSubstr("UMAP of the image embeddings, 40 objects. Trustworthiness (15) 0."));
  choose("colour-choice", "redshift");
  ASSERT_TRUE(browser_->becomes("document.getElementById('legend').innerText.includes('redshift')"));
  EXPECT_TRUE(draws_points());
  choose("map-choice", "spectrum/pca");
  ASSERT_TRUE(browser_->becomes("document.getElementById('drawn').textContent.startsWith('26 of 26')"));
  browser_->screenshot("map");
}

TEST_F(Page, AClickShowsTheGalaxyAndItsNeighbours) {
  const json place = box();
  // The galaxy that is nearest to the centre lies somewhere: the keyboard finds it, and so does a click at its mark.
  browser_->value("document.getElementById('overlay').focus()");
  browser_->key("Enter");
  ASSERT_TRUE(browser_->becomes(
      "document.querySelectorAll('#panel .strip').length >= 2 && document.querySelector('#panel canvas.image')"));
  const std::string heading = text("#panel h2");
  EXPECT_THAT(heading, HasSubstr("Galaxy "));
  EXPECT_TRUE(browser_->becomes("document.querySelector('#panel canvas.spectrum')"));
  EXPECT_TRUE(browser_->becomes("document.querySelector('#panel canvas.image').width > 100"));
  EXPECT_THAT(text("#panel"), HasSubstr("redshift"));
  browser_->screenshot("galaxy");
  // A neighbour, by the keyboard.
  browser_->value("document.querySelector('#panel .strip button').focus()");
  browser_->key("ArrowRight");
  const std::string next = browser_->value("document.activeElement.getAttribute('aria-label')").get<std::string>();
  EXPECT_EQ(next, browser_->value("document.querySelectorAll('#panel .strip button')[1].getAttribute('aria-label')"));
  browser_->key("Enter");
  ASSERT_TRUE(browser_->becomes("document.querySelector('#panel h2').innerText !== " + json(heading).dump()));
  EXPECT_THAT(next, HasSubstr(text("#panel h2").substr(7)));
  // The address, which follows a moment later, leads to the same galaxy.
  const std::string shown = text("#panel h2");
  ASSERT_TRUE(browser_->becomes("new URLSearchParams(location.hash.slice(1)).get('object') === " +
                                json(shown.substr(7)).dump()));
  const std::string address = browser_->value("location.href").get<std::string>();
  browser_->go("about:blank");
  browser_->go(address);
  EXPECT_TRUE(browser_->becomes("document.querySelector('#panel h2')?.innerText === " + json(shown).dump()));
}

TEST_F(Page, SelectsByLassoBoxAndValues) {
  const json place = box();
  const double x = place["x"], y = place["y"], width = place["width"], height = place["height"];
  press("[data-tool=lasso]");
  drag({{x + 2, y + 2}, {x + width - 2, y + 2}, {x + width - 2, y + height / 2}, {x + 2, y + height / 2}});
  ASSERT_TRUE(browser_->becomes("document.querySelectorAll('#selections li button').length === 4"));
  const auto map = index_->find("image/umap");
  const double middle = double{map->extent.bottom} + 0.5 * double{map->extent.side};
  int64_t upper = 0;
  for (int64_t row = 0; row < 40; ++row) upper += double{map->positions[static_cast<size_t>(2 * row) + 1]} > middle;
  EXPECT_THAT(text("#selections li"), HasSubstr("lasso on image/umap: " + std::to_string(upper)));
  EXPECT_TRUE(
      browser_->becomes("document.querySelectorAll('#table-place tbody tr').length === " + std::to_string(upper)));
  // Zooming changes nothing of it.
  browser_->value("document.getElementById('overlay').focus()");
  for (const char* name : {"+", "+", "ArrowLeft"}) browser_->key(name);
  EXPECT_THAT(text("#selections li"), HasSubstr(": " + std::to_string(upper)));
  press("#whole");
  choose("how", "union");
  press("[data-tool=box]");
  drag({{x + 2, y + 2}, {x + width / 2, y + height / 2}, {x + width - 2, y + height - 2}});
  ASSERT_TRUE(browser_->becomes("document.querySelectorAll('#selections li').length === 2"));
  EXPECT_THAT(text("#selections li:nth-child(2)"), HasSubstr("box on image/umap: 40"));
  choose("how", "new");
  choose("colour-choice", "redshift");
  ASSERT_TRUE(browser_->becomes(
      "!document.getElementById('column-section').hidden && document.getElementById('high').value !== ''"));
  browser_->value("document.getElementById('low').value = 0.1; document.getElementById('high').value = 0.2");
  press("#range button");
  ASSERT_TRUE(browser_->becomes("document.querySelectorAll('#selections li').length === 3"));
  int64_t between = 0;
  for (const float value : catalogue_->values("redshift")) between += value >= 0.1 && value <= 0.2;
  EXPECT_THAT(text("#selections li:nth-child(3)"), HasSubstr(": " + std::to_string(between)));
  // Brushing the upper half of the histogram gives the same as its two fields.
  const json bars = browser_->value(
      "(() => { const canvas = document.getElementById('histogram'); canvas.scrollIntoView({block: 'center'}); const "
      "box "
      "= canvas.getBoundingClientRect(); return {x: box.x, y: box.y, width: box.width}; })()");
  const double left = bars["x"], bar = bars["y"], across = bars["width"];
  drag({{left + 0.5 * across, bar + 20}, {left + 0.8 * across, bar + 20}, {left + 1.2 * across, bar + 30}});
  ASSERT_TRUE(browser_->becomes("document.querySelectorAll('#selections li').length === 4"));
  const ColumnSummary summary = summary_of(catalogue_->values("redshift"), 1);
  const double from = std::stod(browser_->value("document.getElementById('low').value").get<std::string>());
  const double to = std::stod(browser_->value("document.getElementById('high').value").get<std::string>());
  EXPECT_NEAR(to, summary.high, 1e-5 * summary.high);
  EXPECT_NEAR(from, 0.5 * (summary.low + summary.high), 0.01 * (summary.high - summary.low));
  int64_t upper_half = 0;
  for (const float value : catalogue_->values("redshift")) upper_half += double{value} >= from && double{value} <= to;
  EXPECT_THAT(text("#selections li:nth-child(4)"), HasSubstr(": " + std::to_string(upper_half)));
  browser_->screenshot("selection");
  const std::string file =
      browser_
          ->value("fetch(document.querySelector('#selections li:nth-child(3) a').href).then(answer => answer.text())")
          .get<std::string>();
  EXPECT_EQ(std::ranges::count(file, '\n'), between + 1);
}

TEST_F(Page, SelectsByAConditionAndNamesWhatItSelected) {
  const auto ask = [&](const std::string& condition) {
    browser_->value("document.getElementById('condition').value = " + json(condition).dump());
    press("#where button");
  };
  ask("redshift > ");
  ASSERT_TRUE(browser_->becomes("document.getElementById('work').className === 'error'"));
  EXPECT_THAT(text("#work"), HasSubstr("expected a label or a number, found the end"));
  browser_->events.clear();  // the refusal is in the browser's log
  ask("redshift > 0.15");
  ASSERT_TRUE(browser_->becomes("document.querySelectorAll('#selections li button').length === 4"));
  int64_t far = 0;
  for (const float value : catalogue_->values("redshift")) far += double{value} > 0.15;
  EXPECT_THAT(text("#selections li"), HasSubstr("redshift > 0.15: " + std::to_string(far)));
  press("#selections li button:nth-of-type(2)");
  ASSERT_TRUE(browser_->becomes("document.activeElement.getAttribute('aria-label') === 'new name of redshift > 0.15'"));
  browser_->value("document.activeElement.value = 'far'");
  browser_->key("Enter");
  ASSERT_TRUE(browser_->becomes("document.querySelector('#selections .name').innerText.startsWith('far: ')"));
  // A second one joins the first.
  ask("redshift <= 0.15");
  ASSERT_TRUE(browser_->becomes("document.querySelectorAll('#selections li').length === 2"));
  press("#selections li:nth-child(1) button[aria-label^=Join]");
  ASSERT_TRUE(browser_->becomes("document.querySelectorAll('#selections li').length === 3"));
  int64_t any = 0;
  for (const float value : catalogue_->values("redshift")) any += std::isfinite(value);
  EXPECT_THAT(text("#selections li:nth-child(3)"), HasSubstr("joined with far: " + std::to_string(any)));
}

TEST_F(Page, SearchesByExamples) {
  browser_->value("document.getElementById('find-id').value = '" + embeddings_->id(4) + "'");
  press("#find button");
  ASSERT_TRUE(
      browser_->becomes("document.querySelector('#panel h2')?.innerText === 'Galaxy " + embeddings_->id(4) + "'"));
  browser_->value("document.getElementById('examples-section').open = true");
  ASSERT_TRUE(browser_->becomes("location.hash.includes('object=')"));
  press("[data-example=positive]");
  ASSERT_TRUE(browser_->becomes("document.querySelectorAll('#examples li').length === 1"));
  press("#similar button");
  ASSERT_TRUE(browser_->becomes("document.querySelectorAll('#found .strip button').length === 24"));
  press("#found > button");
  ASSERT_TRUE(browser_->becomes("document.querySelector('#selections .name')?.innerText.endsWith(': 24')"));
  browser_->screenshot("examples");
}

TEST_P(PageOfPoints, SavesTheViewWithACaption) {
  choose("colour-choice", "redshift");
  ASSERT_TRUE(browser_->becomes("document.getElementById('legend').innerText.includes('redshift')"));
  ASSERT_TRUE(draws_points());
  // What a browser would save is kept instead.
  browser_->value(
      "(() => { globalThis.saved = []; const make = URL.createObjectURL; URL.createObjectURL = blob => { "
      "globalThis.saved.push(blob); return make.call(URL, blob); }; HTMLAnchorElement.prototype.click = () => {}; "
      "})()");
  press("[data-save=svg]");
  ASSERT_TRUE(browser_->becomes("globalThis.saved.length === 1"));
  const std::string svg = browser_->value("globalThis.saved[0].text()").get<std::string>();
  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(svg.c_str())) << svg.substr(0, 300);
  std::string caption;
  for (const pugi::xpath_node& line : document.select_nodes("//*[local-name()='g']/*[local-name()='text']"))
    caption += std::string(line.node().child_value()) + "\n";
  EXPECT_THAT(caption, HasSubstr("UMAP of image embeddings: 40 of 40 objects drawn, trustworthiness (15) 0."));
  EXPECT_THAT(caption, HasSubstr("page.h5, 40 objects; model model.safetensors f00d."));
  EXPECT_THAT(caption, HasSubstr("Coloured by redshift"));
  EXPECT_EQ(document.select_nodes("//*[local-name()='image']").size(), 3U);
  press("[data-save=png]");
  ASSERT_TRUE(browser_->becomes("globalThis.saved.length === 2"));
  const json size = browser_->value(
      "createImageBitmap(globalThis.saved[1]).then(one => [one.width, one.height, "
      "document.getElementById('points').width, document.getElementById('points').height])");
  EXPECT_EQ(size[0], size[2]);
  EXPECT_GT(size[1], size[3]) << "the caption is below";
  if (const char* folder = std::getenv("ASTROCLIP_SCREENSHOTS")) {
    std::ofstream(std::string(folder) + "/view.svg") << svg;
    testing_support::write_decoded(
        std::string(folder) + "/view.png",
        browser_
            ->value("globalThis.saved[1].arrayBuffer().then(all => btoa(String.fromCharCode(...new Uint8Array(all))))")
            .get<std::string>());
  }
}

TEST_P(PageOfPoints, ShowsPicturesInPlaceOfPointsWhereFewAreInView) {
  ASSERT_TRUE(browser_->becomes("document.getElementById('drawn').textContent.includes('as pictures')"));
  EXPECT_TRUE(
      browser_->becomes("document.getElementById('announcer').textContent.includes('galaxies are shown as pictures')"));
  choose("colour-choice", "redshift_residual_image");
  ASSERT_TRUE(browser_->becomes("document.getElementById('legend').innerText.includes('redshift_residual_image')"));
  browser_->screenshot("pictures");
  // Row 0 has its picture first. A click beside its point, but on its picture, shows it.
  const auto [x, y] = place_of(0, "image/umap");
  browser_->click(x + 16, y - 14);
  ASSERT_TRUE(
      browser_->becomes("document.querySelector('#panel h2')?.innerText === 'Galaxy " + embeddings_->id(0) + "'"));
  ASSERT_TRUE(browser_->becomes("document.querySelector('#panel [aria-label=Predictions] tbody tr')"));
  const std::string line = text("#panel [aria-label=Predictions] tbody");
  EXPECT_THAT(line, HasSubstr("image, mlp"));
  EXPECT_THAT(line, HasSubstr("± 0.02"));
  EXPECT_THAT(line, HasSubstr("0.01"));
  browser_->value("document.getElementById('pictures').focus()");
  browser_->key("Enter");
  EXPECT_TRUE(browser_->becomes("!document.getElementById('drawn').textContent.includes('as pictures')"));
  EXPECT_EQ(browser_->value("document.getElementById('pictures').getAttribute('aria-pressed')"), "false");
}

/// What draws points, given points in two tiles, of which one is zoomed into: by name, channels of red, green, blue and
/// opacity, of the one layer and then the other.
constexpr const char* draw_by_both = R"((async () => {
  const { makePoints } = await import(new URL('points.js', document.baseURI));
  const canvas = document.createElement('canvas'), context = canvas.getContext('2d');
  canvas.width = 150;
  canvas.height = 100;
  const draw = () => ['canvas', 'webgl'].map(name => {
    const painter = makePoints(name, () => {});
    const pixels = cases.map(([range, layers]) => {
      painter.draw(context, tiles, layers, range);
      return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
    });
    return { name: painter.name, pixels };
  });
  let state = 7;
  const random = () => { state = (state * 1103515245 + 12345) % 2147483648; return state / 2147483648; };
  const count = 300, many = make => Array.from({ length: count }, make);
  const points = () => ({
    x: Uint16Array.from(many(() => 65536 * random())), y: Uint16Array.from(many(() => 65536 * random() ** 2)), row: new Uint32Array(count),
    values: Float32Array.from(many((_, i) => i % 5 ? 3 * random() : NaN)), selected: Uint8Array.from(many(() => random() < 0.3 ? 1 : 0)),
  });
  const far = 1e10 / 65536, x = 26214, y = 59000;  // of forty points in the corner of what is seen of the second tile
  const tiles = [{ points: points(), left: -20.25, top: 110.5, step: 190 / 65536 }, { points: points(), left: 130.3 - x * far, top: 20.6 + y * far, step: far }];
  tiles[1].points.x.fill(x, 0, 40);
  tiles[1].points.y.fill(y, 0, 40);
  const layer = (of, selectedOnly, size, fixed) => ({ of, selectedOnly, size, fixed }), grey = [170, 175, 180], blue = [20, 80, 170];
  const cases = [
    [null, [layer('all', false, 2, blue)]],
    [{ low: 0.5, high: 2 }, [layer('without a value', false, 5, grey), layer('with a value', false, 5, null)]],
    [{ low: 1, high: 1 }, [layer('all', false, 3, grey), layer('with a value', true, 4, null)]],
    [null, [layer('all', false, 8, grey), layer('all', true, 9, blue)]],
  ];
  const drawn = draw();
  for (const tile of tiles) tile.points.values = tile.points.selected = null;
  return [...drawn, ...draw()];
})())";

TEST_F(Page, DrawsTheSamePixelsByEither) {
  const json drawn = browser_->value(draw_by_both);
  ASSERT_EQ(drawn.size(), 4U);
  if (drawn[1]["name"] != "webgl") GTEST_SKIP() << "Chromium has no WebGL2";
  for (const size_t first : {0, 2}) {  // with values and a selection, and before they have come
    for (size_t way = 0; way < 4; ++way) {
      const std::vector<int> canvas = drawn[first]["pixels"][way], webgl = drawn[first + 1]["pixels"][way];
      ASSERT_EQ(canvas.size(), webgl.size());
      int64_t inked = 0, others = 0;
      for (size_t pixel = 0; pixel < canvas.size(); pixel += 4) {
        inked += canvas[pixel + 3] > 0;
        bool is_other = false;
        for (size_t part = pixel; part < pixel + 4; ++part) is_other |= std::abs(canvas[part] - webgl[part]) > 3;
        others += is_other;
      }
      // Where the forty points lie on one another.
      constexpr size_t stack = 4 * (20 * 150 + 130) + 3;
      EXPECT_GE(std::min(canvas.at(stack), webgl.at(stack)), 254) << first << ' ' << way;
      EXPECT_GT(inked, 100) << first << ' ' << way;
      // A point on the edge of two pixels may fall to either.
      EXPECT_LE(others, inked / 100) << first << ' ' << way;
    }
  }
}

TEST_F(Page, DrawsFewerPointsOnceFramesAreSlow) {
  const json most = browser_->value(R"((async () => {
    const { Budget } = await import(new URL('points.js', document.baseURI)), budget = new Budget(400000), all = [];
    for (const frame of [60, 60, 20, 60, 60, 60, 20, 70, 70, 70, 90, 90, 90]) { budget.note(frame); all.push(budget.most); }
    return all;
  })())");
  EXPECT_EQ(most, json({400000, 400000, 400000, 400000, 400000, 200000, 200000, 200000, 200000, 100000, 100000, 100000,
                        100000}));
}

TEST_F(Page, DrawsAsManyPointsAsBeforeOnceFramesAreQuickAgain) {
  const json most = browser_->value(R"((async () => {
    const { Budget } = await import(new URL('points.js', document.baseURI)), budget = new Budget(400000), all = [];
    const frames = (count, time) => { for (let i = 0; i < count; ++i) budget.note(time); all.push(budget.most); };
    frames(6, 60), frames(19, 17), frames(1, 30), frames(19, 17), frames(1, 17), frames(20, 17), frames(40, 17);
    return all;
  })())");
  EXPECT_EQ(most, json({100000, 100000, 100000, 100000, 200000, 400000, 400000}));
}

class PageOfWebgl : public Page {
  std::string of_address() const override { return "#points=webgl"; }
};

TEST_F(PageOfWebgl, GoesOnWhenTheGraphicsCardIsLost) {
  if (browser_->value("document.getElementById('points').dataset.by") != "webgl")
    GTEST_SKIP() << "Chromium has no WebGL2";
  ASSERT_TRUE(draws_points());
  // The map's own canvas of WebGL is not in the document: it is found when it draws.
  browser_->value(R"((() => {
    const draw = CanvasRenderingContext2D.prototype.drawImage;
    CanvasRenderingContext2D.prototype.drawImage = function(from, ...others) {
      if (from instanceof HTMLCanvasElement && from.getContext('webgl2')) globalThis.webgl = from;
      return draw.call(this, from, ...others);
    };
  })())");
  browser_->value("document.getElementById('overlay').focus()");
  browser_->key("+");
  ASSERT_TRUE(browser_->becomes("globalThis.webgl"));
  browser_->value("globalThis.webgl.getContext('webgl2').getExtension('WEBGL_lose_context').loseContext()");
  ASSERT_TRUE(browser_->becomes("document.getElementById('points').dataset.by === 'canvas'"));
  choose("map-choice", "spectrum/pca");
  ASSERT_TRUE(browser_->becomes("document.getElementById('drawn').textContent.startsWith('26 of 26')"));
  EXPECT_TRUE(draws_points());
}

TEST_F(Page, ShowsTheSkyAndIsDarkWhereTheUserWantsIt) {
  choose("map-choice", "sky");
  ASSERT_TRUE(browser_->becomes("document.getElementById('quality').textContent.startsWith('The sky')"));
  ASSERT_TRUE(draws_points());
  browser_->screenshot("sky");
  const json light = browser_->value("getComputedStyle(document.body).backgroundColor");
  browser_->call("Emulation.setEmulatedMedia", {{"features", {{{"name", "prefers-color-scheme"}, {"value", "dark"}}}}});
  EXPECT_NE(browser_->value("getComputedStyle(document.body).backgroundColor"), light);
  choose("map-choice", "image/umap");
  ASSERT_TRUE(draws_points());
  browser_->value("document.getElementById('find-id').value = '" + embeddings_->id(4) + "'");
  press("#find button");
  ASSERT_TRUE(browser_->becomes("document.querySelectorAll('#panel .strip').length === 4"));
  browser_->screenshot("dark");
}

TEST_F(Page, ExchangesWithOtherProgramsByTheKeyboard) {
  const auto press_key = [&](const std::string& id) {
    browser_->value("document.getElementById('" + id + "').focus()");
    browser_->key("Enter");
  };
  setenv("SAMP_HUB", "std-lockurl:file:///nowhere", 1);
  browser_->value("document.getElementById('samp-section').open = true");
  press_key("samp-connect");
  ASSERT_TRUE(browser_->becomes("document.getElementById('work').innerText.includes('no SAMP hub runs')"));
  browser_->events.clear();  // the refusal is in the browser's log
  testing_support::SampHub hub;
  press_key("samp-connect");
  ASSERT_TRUE(browser_->becomes("document.getElementById('samp-state').innerText.includes('TOPCAT')"));
  press_key("samp-table");
  ASSERT_TRUE(browser_->becomes("document.getElementById('samp-sent').innerText === 'table sent to TOPCAT'"));
  ASSERT_EQ(hub.told().size(), 1U);
  const json table = hub.told()[0].parameters;
  // What is chosen here is told there.
  browser_->value("document.getElementById('find-id').value = '" + embeddings_->id(5) + "'");
  press("#find button");
  ASSERT_TRUE(testing_support::waits_for([&] { return hub.told().size() >= 2; }));
  EXPECT_EQ(hub.told()[1].type, "table.highlight.row");
  EXPECT_EQ(hub.told()[1].parameters["row"], "5");
  ASSERT_TRUE(browser_->becomes("document.getElementById('samp-sent').innerText === 'galaxy sent to TOPCAT'"));
  const size_t told = hub.told().size();
  // What is chosen there is shown here, and not sent back.
  hub.send("table.highlight.row", {{"table-id", table["table-id"]}, {"row", "8"}});
  ASSERT_TRUE(
      browser_->becomes("document.querySelector('#panel h2')?.innerText === 'Galaxy " + embeddings_->id(8) + "'"));
  EXPECT_TRUE(browser_->becomes("document.getElementById('announcer').textContent === 'TOPCAT shows a galaxy'"));
  hub.send("table.select.rowList", {{"table-id", table["table-id"]}, {"row-list", {"1", "2", "3"}}});
  ASSERT_TRUE(browser_->becomes("document.querySelector('#selections .name')?.innerText === 'from TOPCAT: 3'"));
  // What comes together is all followed.
  hub.send("table.select.rowList", {{"table-id", table["table-id"]}, {"row-list", {"2", "3"}}});
  hub.send("table.highlight.row", {{"table-id", table["table-id"]}, {"row", "6"}});
  ASSERT_TRUE(
      browser_->becomes("document.querySelector('#panel h2')?.innerText === 'Galaxy " + embeddings_->id(6) + "'"));
  ASSERT_TRUE(browser_->becomes("document.querySelector('#selections .name')?.innerText === 'from TOPCAT: 2'"));
  EXPECT_EQ(hub.told().size(), told);
  browser_->screenshot("samp");
  press_key("samp-connect");
  ASSERT_TRUE(browser_->becomes("document.getElementById('samp-state').innerText === 'Not connected.'"));
  EXPECT_FALSE(hub.has_client());
}

TEST_F(Page, WorksByTheKeyboardAlone) {
  // Everything that can be used is reached by Tab, and is named.
  const json unnamed = browser_->value(
      "[...document.querySelectorAll('button, select, input, a, canvas[tabindex]')].filter(one => !(one.textContent || "
      "one.getAttribute('aria-label') || "
      "one.labels?.length)).map(one => one.outerHTML)");
  EXPECT_EQ(unnamed, json::array());
  browser_->value("document.body.focus()");
  bool reached = false;
  for (int i = 0; i < 40 && !reached; ++i) {
    browser_->key("Tab");
    reached = browser_->value("document.activeElement.id") == "overlay";
  }
  ASSERT_TRUE(reached);
  browser_->key("v");
  ASSERT_TRUE(browser_->becomes("document.querySelectorAll('#selections li button').length === 4"));
  EXPECT_THAT(text("#selections li"), HasSubstr("view on image/umap: 40"));
  EXPECT_TRUE(browser_->becomes("document.getElementById('announcer').textContent === '40 objects selected'"));
  browser_->key("Enter");
  EXPECT_TRUE(browser_->becomes("document.getElementById('announcer').textContent.startsWith('galaxy ')"));
}

}  // namespace
}  // namespace astroclip::explore
