#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace astroclip::explore {

/// A lock that is had in the order of asking. Who computes for long unlocks and locks it now and then, and those who
/// wait come first.
class Turns {
 public:
  void lock() {
    std::unique_lock lock(mutex_);
    const int64_t own = next_++;
    changed_.wait(lock, [&] { return own == now_; });
  }
  void unlock() {
    const std::scoped_lock lock(mutex_);
    ++now_;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t next_ = 0, now_ = 0;
};

}  // namespace astroclip::explore
