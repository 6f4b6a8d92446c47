#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace astroclip::io {

/// A bounded least-recently-used cache of decoded blocks of files. Thread-safe: one thread decodes a block while the
/// others that need it wait.
class BlockCache {
 public:
  using Block = std::vector<std::byte>;

  explicit BlockCache(int64_t limit_bytes) : limit_(limit_bytes) {}

  int64_t limit() const { return limit_; }
  /// A number that identifies the blocks of one owner.
  uint64_t new_owner();
  /// The owner's block of `bytes` bytes; `decode` fills it if it is not cached. An exception of `decode` is passed on,
  /// and the next request tries again.
  std::shared_ptr<const Block> get(uint64_t owner, int64_t index, int64_t bytes,
                                   const std::function<void(Block&)>& decode);

 private:
  using Key = std::pair<uint64_t, int64_t>;
  struct Slot {
    std::mutex decoding;
    bool is_decoded = false;
    Block block;
  };
  struct Entry {
    std::shared_ptr<Slot> slot;
    std::list<Key>::iterator place;
    int64_t bytes;
  };

  const int64_t limit_;
  std::mutex lock_;
  uint64_t owners_ = 0;
  std::list<Key> by_use_;  ///< most recently used first
  std::map<Key, Entry> entries_;
  int64_t held_ = 0;
};

}  // namespace astroclip::io
