#include "io/hdf5/block_cache.h"

namespace astroclip::io {

uint64_t BlockCache::new_owner() {
  const std::lock_guard lock(lock_);
  return owners_++;
}

std::shared_ptr<const BlockCache::Block> BlockCache::get(uint64_t owner, int64_t index, int64_t bytes,
                                                         const std::function<void(Block&)>& decode) {
  const Key key(owner, index);
  std::shared_ptr<Slot> slot;
  {
    const std::lock_guard lock(lock_);
    const auto found = entries_.find(key);
    if (found != entries_.end()) {
      slot = found->second.slot;
      by_use_.splice(by_use_.begin(), by_use_, found->second.place);
    } else {
      slot = std::make_shared<Slot>();
      by_use_.push_front(key);
      entries_.emplace(key, Entry{slot, by_use_.begin(), bytes});
      held_ += bytes;
      while (held_ > limit_ && by_use_.size() > 1) {
        const auto oldest = entries_.find(by_use_.back());
        held_ -= oldest->second.bytes;
        entries_.erase(oldest);
        by_use_.pop_back();
      }
    }
  }
  const std::lock_guard lock(slot->decoding);
  if (!slot->is_decoded) {
    slot->block.resize(static_cast<size_t>(bytes));
    decode(slot->block);
    slot->is_decoded = true;
  }
  return {slot, &slot->block};
}

}  // namespace astroclip::io
