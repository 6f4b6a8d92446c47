#include "io/output/durable_file.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <functional>

#include "base/error.h"
#include "support/message_of.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::ThrowsMessage;
using testing_support::message_of;
using testing_support::scratch;

TEST(OutputFile, MakesAppendsAndUpdates) {
  const std::string path = scratch("output");
  OutputFile(path, OutputFile::Mode::create).write("begun");
  OutputFile(path, OutputFile::Mode::append).write(", appended");
  OutputFile update(path, OutputFile::Mode::update);
  update.write_at(0, std::as_bytes(std::span("B", 1)));
  EXPECT_EQ(read_text(path), "Begun, appended");
  update.truncate(5);
  EXPECT_EQ(read_text(path), "Begun");
}

TEST(OutputFile, SaysWhatTheSystemRefuses) {
  const std::string path = scratch("refused");
  EXPECT_EQ(message_of([&] { OutputFile(path, OutputFile::Mode::update); }),
            path + ": cannot write: No such file or directory");
  write_text(path, "there");
  EXPECT_EQ(message_of([&] { OutputFile(path, OutputFile::Mode::create); }), path + ": cannot write: File exists");
  OutputFile full("/dev/full", OutputFile::Mode::update, "the log");
  EXPECT_EQ(message_of([&] { full.write("x"); }), "the log: cannot write: No space left on device");
}

TEST(OutputFile, OneAtATimeHoldsTheLock) {
  const std::string path = scratch("locked");
  EXPECT_EQ(lock_state(path), LockState::unknown);
  {
    OutputFile first(path, OutputFile::Mode::append), second(path, OutputFile::Mode::append);
    EXPECT_EQ(lock_state(path), LockState::unlocked);
    EXPECT_TRUE(first.try_lock());
    EXPECT_FALSE(second.try_lock());
    EXPECT_EQ(lock_state(path), LockState::locked);
  }
  EXPECT_EQ(lock_state(path), LockState::unlocked);
}

TEST(DurableFile, NothingIsVisibleBeforeCommit) {
  const std::string folder = scratch("durable"), path = folder + "/file";
  fs::create_directories(folder);
  write_text(path, "before");
  {
    DurableFile file(path);
    file.write("half");
    EXPECT_EQ(read_text(path), "before");
  }
  EXPECT_EQ(read_text(path), "before");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
  write_text(path, "after");
  EXPECT_EQ(read_text(path), "after");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST(DurableFile, AFolderThatIsNotThereIsNamed) {
  EXPECT_THAT([] { write_text("/nowhere/file", "x"); },
              ThrowsMessage<Error>("/nowhere/file: cannot write: No such file or directory"));
}

TEST(DurableFile, WhatAKilledWriterLeftGoesAndALivingOnesStays) {
  const std::string folder = scratch("leftovers"), path = folder + "/file";
  fs::create_directories(folder);
  const std::string killed = path + ".partial-1", living = path + ".partial-2", other = path + "s.partial-3";
  for (const std::string& name : {killed, living, other}) OutputFile(name, OutputFile::Mode::create).write("half");
  OutputFile holder(living, OutputFile::Mode::update);
  ASSERT_TRUE(holder.try_lock());
  write_text(path, "whole");
  EXPECT_EQ(read_text(path), "whole");
  EXPECT_FALSE(fs::exists(killed));
  EXPECT_TRUE(fs::exists(living));
  EXPECT_TRUE(fs::exists(other));
}

/// A rename would put a file in a link's place.
TEST(DurableFile, LinksAreFollowed) {
  const std::string target = testing_support::scratch("target.txt"), link = testing_support::scratch("link.txt");
  fs::remove(link);
  fs::create_symlink(target, link);
  write_text(link, "once");
  write_text(link, "twice");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(read_text(target), "twice");
}

TEST(DurableFile, WhatIsNoFileStaysWhatItIs) {
  const std::string pipe = testing_support::scratch("pipe");
  fs::remove(pipe);
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, testing_support::scratch("")}) {
    try {
      write_text(path, "text");
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), path + ": cannot write: exists and is not a regular file");
    }
  }
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST(DurableFile, AFolderThatCannotBeMadeIsNamed) {
  const std::string path = scratch("a_file");
  write_text(path, "");
  EXPECT_THAT(message_of([&] { make_folder(path + "/below"); }), HasSubstr(path + "/below: cannot create the folder"));
}

}  // namespace
}  // namespace astroclip::io
