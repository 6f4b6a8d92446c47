#include "samp/xml_rpc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/message_of.h"

namespace astroclip::samp {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing_support::message_of;

TEST(XmlRpc, WritesCallsAsTheStandardHasThem) {
  EXPECT_EQ(call_text({"samp.hub.notifyAll", {"key", {{"samp.mtype", "a<b>&c"}, {"list", json::array({"1", "é"})}}}}),
            "<?xml version=\"1.0\"?><methodCall><methodName>samp.hub.notifyAll</methodName><params><param><value>"
            "<string>key</string></value></param><param><value><struct><member><name>list</name><value><array><data>"
            "<value><string>1</string></value><value><string>?"
            "?</string></value></data></array></value></member>"
            "<member><name>samp.mtype</name><value><string>a&lt;b&gt;&amp;c</string></value></member></struct>"
            "</value></param></params></methodCall>");
}

// As Python's xmlrpc.client and JSAMP write it: with blanks, or without a type.
TEST(XmlRpc, ReadsWhatOthersWrite) {
  const Call call = parsed_call(
      "<?xml version='1.0'?>\n<methodCall>\n<methodName>samp.client.receiveNotification</methodName>\n<params>\n"
      "<param>\n  "
      "<value><string>key</string></value>\n</param>\n<param><value>c1</value></param><param><value><struct>\n"
      "<member>\n<name>samp.mtype</name>\n<value>table.select.rowList</value></member><member><name>samp.params</name>"
      "<value><struct><member><name>row-list</name><value><array><data>\n<value>1</value>\n<value><int>22</int></value>"
      "</data></array></value></member><member><name>empty</name><value></value></member></struct></value></member>"
      "</struct></value></param></params></methodCall>");
  EXPECT_EQ(call.method, "samp.client.receiveNotification");
  ASSERT_EQ(call.parameters.size(), 3U);
  EXPECT_EQ(call.parameters[1], "c1");
  EXPECT_EQ(call.parameters[2], json({{"samp.mtype", "table.select.rowList"},
                                      {"samp.params", {{"row-list", json::array({"1", "22"})}, {"empty", ""}}}}));
}

TEST(XmlRpc, ThrowsTheReasonOfAFault) {
  EXPECT_EQ(parsed_answer(answer_text({{"a", "b"}})), json({{"a", "b"}}));
  EXPECT_EQ(message_of([] { parsed_answer(fault_text("no such key")); }), "no such key");
}

TEST(XmlRpc, RefusesWhatIsNone) {
  for (const char* text : {"", "GET / HTTP/1.1", "<methodCall", "<methodResponse/>"})
    EXPECT_THAT(message_of([&] { parsed_call(text); }), HasSubstr("no message of XML-RPC")) << text;
  EXPECT_THAT(message_of([] { parsed_answer("<methodResponse/>"); }), HasSubstr("lacks a value"));
  std::string deep = "<methodResponse><params><param>";
  for (int i = 0; i < 1000; ++i) deep += "<value><array><data>";
  for (int i = 0; i < 1000; ++i) deep += "</data></array></value>";
  EXPECT_THAT(message_of([&] { parsed_answer(deep + "</param></params></methodResponse>"); }), HasSubstr("nested"));
}

}  // namespace
}  // namespace astroclip::samp
