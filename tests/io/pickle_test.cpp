#include "io/weights/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace astroclip::io::pickle {
namespace {

using namespace std::string_literals;
using Kind = Value::Kind;

Document parse(const std::string& bytes) { return Document::parse(std::as_bytes(std::span(bytes)), "x.ckpt", 100); }

std::string message_of(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

// pickle.dumps({"a": [1, -2, 70000, 2**40, True, None, 0.5], "b": (b"xy", "é")}, 2)
TEST(Pickle, ReadsPlainValuesOfProtocol2) {
  const auto document = parse(
      "\x80\x02}q\x00(X\x01\x00\x00\x00"
      "aq\x01]q\x02(K\x01J\xfe\xff\xff\xffJp\x11\x01\x00\x8a\x06\x00\x00\x00\x00\x00\x01\x88NG?\xe0\x00\x00\x00\x00\x00"
      "\x00"
      "eX\x01\x00\x00\x00"
      "bq\x03U\x02xyq\x04X\x02\x00\x00\x00\xc3\xa9q\x05\x86q\x06u."s);
  const Value* list = document.root().find("a");
  ASSERT_NE(list, nullptr);
  ASSERT_EQ(list->items.size(), 7U);
  EXPECT_EQ(list->items[0]->integer, 1);
  EXPECT_EQ(list->items[1]->integer, -2);
  EXPECT_EQ(list->items[2]->integer, 70000);
  EXPECT_EQ(list->items[3]->integer, int64_t{1} << 40);
  EXPECT_TRUE(list->items[4]->is(Kind::boolean));
  EXPECT_TRUE(list->items[5]->is(Kind::none));
  EXPECT_EQ(list->items[6]->real, 0.5);
  const Value* tuple = document.root().find("b");
  ASSERT_TRUE(tuple != nullptr && tuple->is(Kind::tuple));
  EXPECT_EQ(tuple->items[1]->text, "é");
  EXPECT_EQ(document.root().find("c"), nullptr);
}

TEST(Pickle, ReadsFramesAndTheMemoOfProtocol4) {
  // pickle.dumps([collections.OrderedDict(k=(1, 2, 3, 4))] * 2, 4)
  const std::string bytes =
      "\x80\x04\x95\x32\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x0b"
      "collections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94\x8c\x01k\x94(K\x01K\x02K\x03K\x04t\x94sh\x04"
      "e."s;
  const auto document = parse(bytes);
  EXPECT_EQ(document.size(), static_cast<int64_t>(bytes.size()));
  const auto& list = document.root();
  ASSERT_EQ(list.items.size(), 2U);
  EXPECT_EQ(list.items[0], list.items[1]);
  EXPECT_TRUE(list.items[0]->is_object("collections.OrderedDict"));
  ASSERT_NE(list.items[0]->find("k"), nullptr);
  EXPECT_EQ(list.items[0]->find("k")->items.size(), 4U);
}

TEST(Pickle, LeavesWhatFollowsThePickle) { EXPECT_EQ(parse("\x80\x02K\x07.rest").size(), 5); }

TEST(Pickle, IntegersBeyond64BitsKeepTheirBytes) {
  const auto document = parse("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s);
  EXPECT_TRUE(document.root().is(Kind::big_integer));
  EXPECT_EQ(document.root().text, "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
  EXPECT_EQ(parse("\x80\x02\x8a\x01\xff."s).root().integer, -1);
  EXPECT_EQ(parse("\x80\x02\x8a\x00."s).root().integer, 0);
}

TEST(Pickle, AnObjectOfAnUnknownClassIsItsNameArgumentsAndState) {
  // cls.__new__(cls, 3), then {"width": 5} as its state
  const auto document = parse("\x80\x02"s + "cmy.module\nThing\nK\x03\x85\x81}X\x05\x00\x00\x00widthK\x05sb."s);
  const Value& object = document.root();
  EXPECT_TRUE(object.is_object("my.module.Thing"));
  EXPECT_EQ(object.arguments->items[0]->integer, 3);
  EXPECT_EQ(object.state->find("width")->integer, 5);
}

TEST(Pickle, RefusesToNameWhatOnlyAnAttackNeeds) {
  const std::string call = "X\x02\x00\x00\x00ls\x85R."s;
  EXPECT_EQ(message_of("\x80\x02"s + "cos\nsystem\n" + call),
            "x.ckpt: byte 102: refers to os.system, which no weight file needs; nothing was executed");
  EXPECT_EQ(message_of("\x80\x02"s + "cposix\nsystem\n" + call),
            "x.ckpt: byte 102: refers to posix.system, which no weight file needs; nothing was executed");
  EXPECT_EQ(message_of("\x80\x04\x8c\x08"s + "builtins\x8c\x04" + "eval\x93" + call),
            "x.ckpt: byte 118: refers to builtins.eval, which no weight file needs; nothing was executed");
  EXPECT_EQ(message_of("\x80\x02"s + "cos.path\njo\x1b[in\n" + call),
            "x.ckpt: byte 102: refers to os.path.jo?[in, which no weight file needs; nothing was executed");
}

/// Somebody's folder may be called like a module of Python's.
TEST(Pickle, ProjectsMayHaveTheNamesOfModules) {
  for (const std::string name : {"code.models", "commands.net", "threading_models", "signal"}) {
    EXPECT_EQ(message_of("\x80\x02"s + "c" + name + "\nNet\n)R."), "accepted") << name;
  }
}

TEST(Pickle, RefusesSizesThatAreNotThere) {
  EXPECT_EQ(message_of("\x80\x02\x8b\xff\xff\xff\x7f\x01."s),
            "x.ckpt: byte 102: the pickle needs 2147483647 more bytes; 2 are left (is the file truncated?)");
  EXPECT_EQ(message_of("\x80\x02\x8b\xff\xff\xff\xff."s), "x.ckpt: byte 102: negative length -1");
  EXPECT_EQ(message_of("\x80\x02T\x00\x00\x00\x80."s), "x.ckpt: byte 102: negative length -2147483648");
  EXPECT_EQ(message_of("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff."s),
            "x.ckpt: byte 102: the pickle needs 18446744073709551615 more bytes; 1 are left (is the file truncated?)");
  EXPECT_EQ(message_of("\x80\x04\x95\x09\x00\x00\x00\x00\x00\x00\x00N."s),
            "x.ckpt: byte 102: a frame of 9 bytes; 2 are left (is the file truncated?)");
}

TEST(Pickle, RefusesAMemoThatWouldFillTheMemory) {
  EXPECT_EQ(message_of("\x80\x02Nr\xff\xff\xff\xff."s), "x.ckpt: byte 103: memo index 4294967295 is beyond 1048576");
  EXPECT_EQ(message_of("\x80\x02h\x05."s), "x.ckpt: byte 102: memo index 5 was never set");
}

TEST(Pickle, SharedPartsTakeTheirMemoryOnce) {
  // Each of 100 lists holds the one before twice: 2^100 leaves if it were unfolded.
  std::string bytes = "\x80\x02]q\x00"s;
  for (int i = 0; i < 100; ++i) bytes += "](h"s + char(i) + "h" + char(i) + "eq" + char(i + 1);
  EXPECT_EQ(message_of(bytes + "."s), "x.ckpt: byte 1005: values are left on the stack at the end");
  std::string tidy = "\x80\x02]q\x00"s + "0";
  for (int i = 0; i < 100; ++i) tidy += "](h"s + char(i) + "h" + char(i) + "eq" + char(i + 1) + "0";
  EXPECT_EQ(parse(tidy + "h\x64."s).values().size(), 101U);
}

TEST(Pickle, RefusesDeepNesting) {
  std::string deep = "\x80\x02N"s;
  for (int i = 0; i < 1000; ++i) deep += "\x85"s;
  EXPECT_EQ(message_of(deep + "."), "x.ckpt: byte 602: nested deeper than 500 levels");
  EXPECT_EQ(message_of("\x80\x02"s + std::string(1000, '(')), "x.ckpt: byte 602: nested deeper than 500 levels");
}

TEST(Pickle, RefusesTooManyValues) {
  EXPECT_EQ(message_of("\x80\x02"s + std::string(1'100'000, ']')), "x.ckpt: byte 1048678: more than 1048576 values");
}

TEST(Pickle, RefusesWhatMakesNoSense) {
  EXPECT_EQ(message_of(""), "x.ckpt: byte 100: the pickle needs 1 more bytes; 0 are left (is the file truncated?)");
  EXPECT_EQ(message_of("\x80\x01."s), "x.ckpt: byte 100: pickle protocol 1; 2 to 5 are supported");
  EXPECT_EQ(message_of("\x80\x02\x82\x01."s), "x.ckpt: byte 102: unsupported opcode 0x82");
  EXPECT_EQ(message_of("\x80\x02."s), "x.ckpt: byte 102: the stack is empty");
  EXPECT_EQ(message_of("\x80\x02NN."s), "x.ckpt: byte 104: values are left on the stack at the end");
  EXPECT_EQ(message_of("\x80\x02}(Nu."s), "x.ckpt: byte 105: a key without a value");
  EXPECT_EQ(message_of("\x80\x02Nt."s), "x.ckpt: byte 103: no mark on the stack");
  EXPECT_EQ(message_of("\x80\x02NNa."s), "x.ckpt: byte 104: an element for a value that is not a container");
  EXPECT_EQ(message_of("\x80\x02N)R."s), "x.ckpt: byte 104: constructs an object of a value that is not a class");
  EXPECT_EQ(message_of("\x80\x02"s + "ca\nb\nNR."), "x.ckpt: byte 108: the arguments of an object are not a tuple");
  EXPECT_EQ(message_of("\x80\x02NNb."s), "x.ckpt: byte 104: a state for a value that is not an object");
  EXPECT_EQ(message_of("\x80\x02"s + "cmodule"), "x.ckpt: byte 102: an unterminated name (is the file truncated?)");
  EXPECT_EQ(message_of("\x80\x04NN\x93."s), "x.ckpt: byte 104: the name of a class is not text");
}

}  // namespace
}  // namespace astroclip::io::pickle
