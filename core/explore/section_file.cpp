#include "explore/section_file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/printable.h"

namespace astroclip::explore {

namespace {

constexpr std::string_view mark = "ACLIPVIEW";
constexpr char version = '1';
constexpr size_t text_bytes = 16;

struct FileHead {
  char mark[9];
  char version;
  char belongs_to[text_bytes];
  char nothing[6];
};
static_assert(sizeof(FileHead) == 32);

struct SectionHead {
  char name[40];
  uint64_t bytes, checksum;
  uint64_t own_checksum;  ///< of what stands before it
};
static_assert(sizeof(SectionHead) == 64);

uint64_t checksum_of(const void* bytes, size_t count) { return XXH3_64bits(bytes, count); }
uint64_t own_checksum(const SectionHead& head) { return checksum_of(&head, offsetof(SectionHead, own_checksum)); }

int64_t padded(uint64_t bytes) { return static_cast<int64_t>((bytes + 7) / 8 * 8); }

}  // namespace

SectionFile::SectionFile(const std::string& path, std::string_view belongs_to) : path_(path) {
  if (!std::filesystem::exists(path)) io::OutputFile(path, io::OutputFile::Mode::append).close();
  file_.emplace(path, io::OutputFile::Mode::update);
  if (!file_->try_lock()) throw Error(fmt::format("{}: another process has it open", path));
  if (file_->size() < static_cast<int64_t>(sizeof(FileHead))) {
    std::string there(static_cast<size_t>(file_->size()), '\0');  // of a beginning that was cut off
    file_->read_at(0, std::as_writable_bytes(std::span(there)));
    if (!there.starts_with(mark.substr(0, there.size()))) throw Error(fmt::format("{}: is no view index", path));
    FileHead head{};
    std::memcpy(head.mark, mark.data(), mark.size());
    head.version = version;
    std::memcpy(head.belongs_to, belongs_to.data(), std::min(belongs_to.size(), text_bytes));
    file_->truncate(0);
    file_->write_at(0, std::as_bytes(std::span(&head, 1)));
    file_->sync();
  }
  read(belongs_to);
}

void SectionFile::read(std::string_view belongs_to) {
  const std::span<const std::byte> bytes = mappings_.emplace_back(std::make_unique<io::MappedFile>(path_))->bytes();
  FileHead head;
  std::memcpy(&head, bytes.data(), sizeof head);
  if (std::string_view(head.mark, mark.size()) != mark) throw Error(fmt::format("{}: is no view index", path_));
  if (head.version != version) {
    throw Error(fmt::format("{}: is a view index of version {}, expected {}; delete it to make it anew", path_,
                            printable(std::string(1, head.version)), version));
  }
  if (std::string_view(head.belongs_to, text_bytes) != belongs_to) {
    throw Error(fmt::format("{}: belongs to other embeddings; delete it to make it anew", path_));
  }
  size_t at = sizeof head;
  while (bytes.size() - at >= sizeof(SectionHead)) {
    SectionHead section;
    std::memcpy(&section, bytes.data() + at, sizeof section);
    const size_t begin = at + sizeof section;
    if (section.own_checksum != own_checksum(section)) break;
    if (section.bytes > bytes.size() - begin) break;
    const auto contents = bytes.subspan(begin, section.bytes);
    // The last alone may have been cut off: those before it were on disk before it was begun.
    const bool is_last = begin + static_cast<size_t>(padded(section.bytes)) >= bytes.size();
    if (is_last && checksum_of(contents.data(), contents.size()) != section.checksum) break;
    sections_[section.name] = {contents, section.checksum, is_last};
    at = std::min(bytes.size(), begin + static_cast<size_t>(padded(section.bytes)));
  }
  end_ = static_cast<int64_t>(at);
}

std::optional<std::span<const std::byte>> SectionFile::find(const std::string& name) {
  const auto found = sections_.find(name);
  if (found == sections_.end()) return std::nullopt;
  Section& section = found->second;
  if (!section.is_checked && checksum_of(section.bytes.data(), section.bytes.size()) != section.checksum) {
    throw Error(
        fmt::format("{}: damaged: the checksum of '{}' differs; delete it to make it anew", path_, printable(name)));
  }
  section.is_checked = true;
  return section.bytes;
}

std::span<const std::byte> SectionFile::add(const std::string& name, std::span<const std::byte> bytes) {
  SectionHead head{};
  if (name.size() >= sizeof head.name || sections_.contains(name))
    throw Error(fmt::format("{}: '{}' cannot be added", path_, name));
  std::memcpy(head.name, name.data(), name.size());
  head.bytes = bytes.size();
  head.checksum = checksum_of(bytes.data(), bytes.size());
  head.own_checksum = own_checksum(head);
  const int64_t begin = end_ + static_cast<int64_t>(sizeof head);
  file_->truncate(end_);
  file_->write_at(begin, bytes);
  file_->truncate(begin + padded(bytes.size()));
  file_->write_at(end_, std::as_bytes(std::span(&head, 1)));
  file_->sync();
  end_ = begin + padded(bytes.size());
  const auto& mapping = mappings_.emplace_back(std::make_unique<io::MappedFile>(path_));
  const auto contents = mapping->bytes().subspan(static_cast<size_t>(begin), bytes.size());
  sections_[name] = {contents, head.checksum, true};
  return contents;
}

}  // namespace astroclip::explore
