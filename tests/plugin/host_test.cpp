#include "plugin/host.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "config/toml.h"
#include "support/scratch.h"

namespace astroclip::plugin {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

/// A folder of plugins that each test fills with copies of the built ones.
class HostTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing_support::scratch("host");
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// Copies the built plugin `name` to folder/where; where defaults to tasks/name.so.
  fs::path install(const std::string& name, const std::string& where = "") {
    const auto target = folder_ / (where.empty() ? "tasks/" + name + ".so" : where);
    fs::create_directories(target.parent_path());
    fs::copy_file(fs::path(TEST_PLUGINS) / (name + ".so"), target);
    return target;
  }

  fs::path write(const std::string& where, const std::string& text) {
    const auto target = folder_ / where;
    fs::create_directories(target.parent_path());
    std::ofstream(target) << text;
    return target;
  }

  std::string error_of(const std::string& name, Kind kind = Kind::task) {
    return error_of([&] { Host({folder_}).find(kind, name); });
  }
  static std::string error_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  static config::Table table(const std::string& text) { return config::parse_text(text, "test.toml"); }

  fs::path folder_;
};

TEST_F(HostTest, MakesAnObjectThatOutlivesTheHost) {
  install("counter");
  std::shared_ptr<Task> task;
  {
    Host host({folder_});
    task = host.make<Task>("counter", table("plugin = 'counter'\ncount = 5"), "task");
  }
  EXPECT_EQ(task->run({}).reports.at(0).note, "5");
}

TEST_F(HostTest, FindsAPluginInTheFolderItself) {
  const auto file = install("counter", "counter.so");
  Host host({folder_});
  EXPECT_EQ(host.find(Kind::task, "counter").file, file);
  EXPECT_EQ(host.make<Task>("counter", {}, "task")->run({}).reports.at(0).note, "3");
}

TEST_F(HostTest, SchemaNamesThePluginAndKeepsThePluginKey) {
  install("counter");
  Host host({folder_});
  EXPECT_EQ(host.describe(Kind::task, "counter").summary, "Counts.");
  ASSERT_EQ(host.describe(Kind::task, "counter").fields.size(), 1U);
  config::Problems problems;
  const auto spec = host.read<Task>("counter", table("plugin = 'counter'"), {"tasks.counter"}, {}, problems);
  EXPECT_EQ(config::to_toml(spec.parameters), "plugin = \"counter\"\ncount = 3\n");
  EXPECT_TRUE(problems.empty());
  host.read<Task>("counter", table("plugin = 'counter'\ncuont = 4\ncount = 10"), {"tasks.counter"}, {}, problems);
  EXPECT_THAT(problems.messages(),
              ElementsAre("test.toml:2:1: error: [tasks.counter] plugin 'counter' has no parameter 'cuont'; did you "
                          "mean 'count'?",
                          "test.toml:3:9: error: [tasks.counter] 'count' = 10 is outside 1..9"));
}

TEST_F(HostTest, MissingPlugin) {
  install("counter");
  EXPECT_EQ(error_of("countr"), "there is no task 'countr'; did you mean 'counter'? searched: " + folder_.string());
  EXPECT_EQ(error_of("photometry"), "there is no task 'photometry'; searched: " + folder_.string());
  EXPECT_EQ(error_of([] { Host({}).find(Kind::encoder, "vit"); }), "there is no encoder 'vit'; searched: no folder");
}

TEST_F(HostTest, PluginOfAnotherKind) {
  install("counter");
  EXPECT_EQ(error_of("counter", Kind::encoder),
            "there is no encoder 'counter' ('counter' is a task); searched: " + folder_.string());
}

TEST_F(HostTest, RecordOfAnotherKindThanItsFolder) {
  const auto file = install("counter", "encoders/counter.so");
  EXPECT_EQ(error_of("counter", Kind::encoder),
            "encoder 'counter': " + file.string() + " is a task, but stands in a folder of encoders");
}

TEST_F(HostTest, OtherAbiIsRefusedBeforeAnythingIsCalled) {
  const auto file = install("other_abi");
  EXPECT_EQ(error_of("other_abi"), "task 'other_abi': " + file.string() +
                                       " was built with another ABI (headers of yesterday) than this astroclip (" +
                                       ASTROCLIP_ABI + "); build it again");
}

TEST_F(HostTest, OtherApi) {
  const auto file = install("other_api");
  EXPECT_EQ(error_of("other_api"), "task 'other_api': " + file.string() +
                                       " was built for plugin API 4711, this astroclip has 1; build it again");
}

TEST_F(HostTest, DamagedRecord) {
  for (const std::string name : {"damaged", "short_record"}) {
    const auto file = install(name);
    EXPECT_EQ(error_of(name), "task '" + name + "': " + file.string() + " has a damaged plugin record");
  }
}

TEST_F(HostTest, SharedObjectWithoutARecord) {
  const auto file = install("no_record");
  EXPECT_EQ(error_of("no_record"),
            "task 'no_record': " + file.string() + " is no plugin: it has no symbol astroclip_plugin_record");
}

TEST_F(HostTest, TextFile) {
  const auto file = write("tasks/notes.so", "not a shared object\n");
  EXPECT_EQ(error_of("notes"), "task 'notes': " + file.string() + " is not a shared object");
}

TEST_F(HostTest, TruncatedSharedObject) {
  const auto file = install("counter");
  const auto whole = static_cast<int64_t>(fs::file_size(file));
  for (int64_t size : {whole - 1, whole / 2, int64_t{8192}, int64_t{4096}, int64_t{100}, int64_t{10}}) {
    fs::resize_file(file, static_cast<uintmax_t>(size));  // each time of a host that has not opened it
    EXPECT_EQ(
        error_of("counter"),
        fmt::format("task 'counter': {} is cut off: it has {} bytes, fewer than its header says", file.string(), size));
  }
}

TEST_F(HostTest, APluginIsCalledAsItsFile) {
  install("counter");
  install("counter", "tasks/meter.so");
  Host host({folder_});
  EXPECT_EQ(host.make<Task>("counter", {}, "task")->plugin_name(), "counter");
  EXPECT_EQ(host.make<Task>("meter", {}, "task")->plugin_name(), "meter");
}

TEST_F(HostTest, TwoOfOneName) {
  const auto first = install("counter");
  const auto second = install("counter", "counter.so");
  EXPECT_EQ(error_of("counter"),
            "there are two tasks 'counter': " + first.string() + " and " + second.string() + "; rename or remove one");
}

TEST_F(HostTest, OneFileReachedTwiceIsOnePlugin) {
  install("counter");
  Host host({folder_, folder_ / "tasks"});
  EXPECT_EQ(host.list().size(), 1U);
  EXPECT_EQ(host.find(Kind::task, "counter").kind, Kind::task);
}

TEST_F(HostTest, ExceptionsOfAPluginBecomeErrorsThatNameIt) {
  install("throwing");
  Host host({folder_});
  const auto make = [&](const std::string& text) {
    return error_of([&] { host.make<Task>("throwing", table(text), "task"); });
  };
  EXPECT_EQ(make(""), "task 'throwing' failed: no such table");
  EXPECT_EQ(make("what = 'error'"), "the plugin's own words");
  EXPECT_EQ(make("what = 'number'"), "task 'throwing' failed with an exception of an unknown type");
  EXPECT_EQ(make("what = 'nothing'"),
            "test.toml:1:8: error: [task] 'what' = \"nothing\" is not one of "
            "\"runtime_error\", \"error\", \"number\"");
}

TEST_F(HostTest, RefusesASchemaWithTwoFieldsOfOneName) {
  install("repeated");
  Host host({folder_});
  EXPECT_EQ(error_of([&] { host.make<Task>("repeated", table("count = 3"), "task"); }),
            "task 'repeated' has two parameters 'count'");
}

TEST_F(HostTest, ListsEverythingWithTheReasonWhatIsUnusable) {
  install("counter");
  install("other_api");
  install("counter", "losses/counter.so");
  write("tasks/notes.so", "text");
  write("tasks/readme.txt", "text");
  std::vector<std::string> lines;
  for (const auto& one : Host({folder_}).list())
    lines.push_back(kind_name(one.kind.value()) + " " + one.name + ": " + one.summary + one.problem);
  EXPECT_THAT(lines,
              ElementsAre("loss counter: is a task, but stands in a folder of losses", "task counter: Counts.",
                          "task notes: is not a shared object",
                          "task other_api: was built for plugin API 4711, this astroclip has 1; build it again"));
}

TEST_F(HostTest, SearchPathMustExist) {
  Host host({});
  EXPECT_EQ(error_of([&] { host.add_search_path("/nonexistent"); }), "plugin folder '/nonexistent' does not exist");
  host.add_search_path(folder_);
  EXPECT_THAT(host.search_paths(), ElementsAre(folder_));
}

TEST_F(HostTest, APluginTakesAPluginWithItsOwnParameters) {
  install("subset", "datasets/subset.so");
  Host host({folder_});
  const auto inner = [&](const std::string& more) {
    return table("plugin = 'subset'\nrows = 2\n[dataset]\nplugin = 'simulated_survey'\ncache = '" +
                 (folder_ / "cache").string() + "'\n" + more);
  };
  config::Problems problems;
  const auto spec = host.read<Dataset>("subset", inner("galaxies = 20"), {"dataset"}, {}, problems);
  EXPECT_THAT(problems.messages(), ElementsAre());
  EXPECT_EQ(*spec.parameters.find("dataset")->get_if<config::Table>()->find("galaxies")->get_if<int64_t>(), 20);
  EXPECT_EQ(spec.make()->size(Split::train), 2);
  // What was read reads again as it stands in a file.
  const auto again = host.read<Dataset>("subset", spec.parameters, {"dataset"}, {}, problems);
  EXPECT_EQ(config::to_toml(again.parameters), config::to_toml(spec.parameters));
  EXPECT_TRUE(problems.empty());

  host.read<Dataset>("subset", inner("galaxis = 20"), {"dataset"}, {}, problems);
  host.read<Dataset>("subset", table("[dataset]\nplugin = 'simulated'"), {"dataset"}, {"test.toml", 9, 1}, problems);
  host.read<Dataset>("subset", table("dataset = { galaxies = 20 }"), {"dataset"}, {"test.toml", 9, 1}, problems);
  const auto messages = problems.messages();
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_EQ(messages[0], "test.toml:1:11: error: [dataset.dataset] lacks the required key 'plugin'");
  EXPECT_THAT(messages[1], ::testing::StartsWith("test.toml:2:10: error: [dataset.dataset] there is no dataset "
                                                 "'simulated'"));
  EXPECT_EQ(messages[2],
            "test.toml:6:1: error: [dataset.dataset] plugin 'simulated_survey' has no parameter 'galaxis'; did you "
            "mean 'galaxies'?");
}

}  // namespace
}  // namespace astroclip::plugin
