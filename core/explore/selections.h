#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "map/selecting.h"

namespace astroclip::explore {

/// Rows under a name.
struct Selection {
  int64_t id = 0;
  std::string name;
  int64_t count = 0;
  std::shared_ptr<const map::Mask> rows;
};

/// The selections of the explorer, at most 64, until the program ends. Thread-safe.
class Selections {
 public:
  /// Keeps rows under a name, "selection N" for "". Throws Error when there are too many already.
  Selection add(std::string name, map::Mask rows);
  std::vector<Selection> all() const;
  /// These throw serve::NotFound when there is none of that number.
  Selection find(int64_t id) const;
  void rename(int64_t id, const std::string& name);
  void remove(int64_t id);

 private:
  mutable std::mutex mutex_;
  std::map<int64_t, Selection> kept_;
  int64_t last_ = 0;
};

/// Rows joined to an earlier selection: `how` is "union", "intersection" or "difference" (earlier without rows). Throws
/// Error for another.
map::Mask joined(const map::Mask& earlier, map::Mask rows, const std::string& how);

}  // namespace astroclip::explore
