#include "explore/section_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "support/scratch.h"

namespace astroclip::explore {
namespace {

using testing::HasSubstr;
using testing_support::scratch;

constexpr const char* owner = "0123456789abcdef";

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string file_with_two(const std::string& name) {
  const std::string path = scratch(name);
  std::filesystem::remove(path);
  SectionFile file(path, owner);
  file.add("first", bytes_of("one"));
  EXPECT_EQ(text_of(file.add("second", bytes_of("two and more"))), "two and more");
  EXPECT_EQ(text_of(*file.find("first")), "one");
  return path;
}

void overwrite(const std::string& path, int64_t at, const std::string& text) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file << text;
}

TEST(SectionFile, KeepsWhatWasAdded) {
  const std::string path = file_with_two("kept.view");
  SectionFile file(path, owner);
  EXPECT_EQ(text_of(*file.find("first")), "one");
  EXPECT_EQ(text_of(*file.find("second")), "two and more");
  EXPECT_FALSE(file.find("third"));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.find("second")->data()) % 8, 0U);
}

TEST(SectionFile, GoesOnAfterAWriteThatWasCutOff) {
  const std::string path = file_with_two("cut.view");
  const auto whole = std::filesystem::file_size(path);
  for (const auto lost : {whole - 60, whole - 17, whole - 10, whole - 3}) {
    file_with_two("cut.view");
    std::filesystem::resize_file(path, lost);
    SectionFile file(path, owner);
    EXPECT_EQ(text_of(*file.find("first")), "one");
    if (file.find("second")) continue;  // only its padding was cut
    file.add("second", bytes_of("again"));
    EXPECT_EQ(text_of(*file.find("second")), "again");
  }
}

TEST(SectionFile, RefusesOthersAndDamage) {
  const std::string path = file_with_two("other.view");
  const auto opening = [&](const char* of) { return [path, of] { SectionFile file(path, of); }; };
  EXPECT_THAT(opening("fedcba9876543210"),
              testing::ThrowsMessage<Error>(path + ": belongs to other embeddings; delete it to make it anew"));
  overwrite(path, 32 + 64, "ONE");
  {
    SectionFile damaged(path, owner);
    EXPECT_EQ(text_of(*damaged.find("second")), "two and more");
    EXPECT_THAT([&] { damaged.find("first"); },
                testing::ThrowsMessage<Error>(HasSubstr("damaged: the checksum of 'first' differs")));
  }
  overwrite(path, 9, "7");
  EXPECT_THAT(opening(owner), testing::ThrowsMessage<Error>(HasSubstr("is a view index of version 7, expected 1")));
  overwrite(path, 0, "something");
  EXPECT_THAT(opening(owner), testing::ThrowsMessage<Error>(path + ": is no view index"));
  std::filesystem::resize_file(path, 5);
  EXPECT_THAT(opening(owner), testing::ThrowsMessage<Error>(path + ": is no view index"));
}

TEST(SectionFile, IsOpenOnce) {
  const std::string path = file_with_two("locked.view");
  const SectionFile file(path, owner);
  EXPECT_THAT([&] { SectionFile second(path, owner); },
              testing::ThrowsMessage<Error>(path + ": another process has it open"));
}

}  // namespace
}  // namespace astroclip::explore
