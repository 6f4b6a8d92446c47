#include "samp/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/message_of.h"
#include "support/samp_hub.h"

namespace astroclip::samp {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing_support::message_of;
using testing_support::SampHub;

ClientOptions options(const std::function<void(const Message&)>& receive = [](const Message&) {}) {
  return {"astroclip", "an explorer", {"table.highlight.row"}, receive, [](const std::string& file) -> serve::Response {
            if (file != "1.vot") throw serve::NotFound("there is no such table");
            return {.type = "application/x-votable+xml", .body = "<VOTABLE/>"};
          }};
}

TEST(SampClient, RegistersAndLeaves) {
  SampHub hub;
  {
    Client client(options());
    EXPECT_TRUE(client.is_registered());
    EXPECT_TRUE(hub.has_client());
    EXPECT_EQ(hub.metadata()["samp.name"], "astroclip");
    EXPECT_TRUE(hub.subscriptions().contains("table.highlight.row"));
    EXPECT_TRUE(hub.subscriptions().contains("samp.hub.event.shutdown"));
    EXPECT_THAT(client.others(), ElementsAre("Hub", "TOPCAT"));
    EXPECT_THAT(client.notify_all("coord.pointAt.sky", {{"ra", "1.5"}, {"dec", "-2"}}), ElementsAre("TOPCAT"));
    ASSERT_EQ(hub.told().size(), 1U);
    EXPECT_EQ(hub.told()[0].type, "coord.pointAt.sky");
    EXPECT_EQ(hub.told()[0].parameters, json({{"ra", "1.5"}, {"dec", "-2"}}));
  }
  EXPECT_FALSE(hub.has_client());
  EXPECT_EQ(hub.times_told_secret(), 1) << "the secret is for registering alone";
}

TEST(SampClient, TakesMessagesAndAnswersThem) {
  SampHub hub;
  Message got;
  Client client(options([&](const Message& message) {
    if (message.parameters["row"] == "99") throw Error("there is no such row");
    got = message;
  }));
  EXPECT_EQ(hub.send("table.highlight.row", {{"row", "3"}})["samp.status"], "samp.ok");
  EXPECT_EQ(got.sender, "TOPCAT");
  EXPECT_EQ(got.parameters["row"], "3");
  const json refused = hub.send("table.highlight.row", {{"row", "99"}});
  EXPECT_EQ(refused["samp.status"], "samp.error");
  EXPECT_EQ(refused["samp.error"]["samp.errortxt"], "there is no such row");
  EXPECT_EQ(hub.send("samp.app.ping", json::object())["samp.status"], "samp.ok");
}

TEST(SampClient, GivesFilesToWhoHasTheirAddress) {
  SampHub hub;
  const Client client(options());
  EXPECT_EQ(serve::post(client.url_of("1.vot"), "", "", 5, 1000), "<VOTABLE/>");
  EXPECT_THAT(message_of([&] { serve::post(client.url_of("2.vot"), "", "", 5, 1000); }), HasSubstr("404"));
  EXPECT_THAT(message_of([&] { serve::post(client.url_of("../calls"), "", "", 5, 1000); }), HasSubstr("404"));
}

TEST(SampClient, IsCalledByItsHubAlone) {
  SampHub hub;
  const Client client(options([](const Message&) { FAIL(); }));
  const json message = {{"samp.mtype", "table.highlight.row"}, {"samp.params", json::object()}};
  EXPECT_THAT(message_of([&] {
                hub.call_back({"samp.client.receiveNotification", {"another key", "c2", message}});
              }),
              HasSubstr("not the hub's"));
  EXPECT_THAT(message_of([&] { hub.call_back({"samp.hub.register", {"x"}}); }), HasSubstr("no such method"));
  const std::string url = hub.callback(), without_token = url.substr(0, url.find('/', 7)) + "/calls";
  EXPECT_THAT(message_of([&] { serve::post(without_token, "text/xml", "", 5, 1000); }), HasSubstr("403"));
  EXPECT_THAT(message_of([&] { serve::post(url, "text/xml", std::string(size_t{9} << 20, ' '), 20, 1000); }),
              testing::AnyOf(HasSubstr("413"), HasSubstr("ended the connection")));
}

TEST(SampClient, FindsTheLockFileHoweverItsAddressIsWritten) {
  SampHub hub;
  const std::string path = testing_support::scratch("samp.lock");
  for (const char* start : {"file://", "file://localhost", "file:"}) {
    setenv("SAMP_HUB", (std::string("std-lockurl:") + start + path).c_str(), 1);
    EXPECT_TRUE(Client(options()).is_registered()) << start;
  }
  setenv("SAMP_HUB", ("std-lockurl:file://elsewhere" + path).c_str(), 1);
  EXPECT_THAT(message_of([] { Client client(options()); }), HasSubstr("expected std-lockurl:file:///PATH"));
}

TEST(SampClient, NoticesThatTheHubEnds) {
  SampHub hub;
  const Client client(options());
  hub.send("samp.hub.event.shutdown", json::object(), false);
  EXPECT_FALSE(client.is_registered());
}

TEST(SampClient, SaysWhenThereIsNoHub) {
  setenv("SAMP_HUB", ("std-lockurl:file://" + testing_support::scratch("nowhere.lock")).c_str(), 1);
  EXPECT_THAT(message_of([] { Client client(options()); }), HasSubstr("no SAMP hub runs"));
  SampHub::write_lock("http://127.0.0.1:1/");
  EXPECT_THAT(message_of([] { Client client(options()); }), HasSubstr("127.0.0.1:1 cannot be reached"));
  SampHub::write_lock("http://192.0.2.1:80/");
  const std::string elsewhere = message_of([] { Client client(options()); });
  EXPECT_THAT(elsewhere, HasSubstr("not an address of this machine"));
  EXPECT_THAT(elsewhere, Not(HasSubstr(SampHub::secret)));
  const std::string path = testing_support::scratch("empty.lock");
  std::ofstream(path) << "nothing\n";
  setenv("SAMP_HUB", ("std-lockurl:file://" + path).c_str(), 1);
  EXPECT_THAT(message_of([] { Client client(options()); }), HasSubstr("no lock file of a SAMP hub"));
  unsetenv("SAMP_HUB");
}

}  // namespace
}  // namespace astroclip::samp
