#pragma once

#include <memory>
#include <vector>

#include "base/threads.h"
#include "tensor/memory.h"

namespace astroclip::cpu {

/// A block of the caching host memory for the length of a kernel.
class Scratch {
 public:
  explicit Scratch(int64_t bytes) : bytes_(bytes), block_(bytes > 0 ? memory().allocate(bytes) : nullptr) {}
  ~Scratch() {
    if (block_ != nullptr) memory().release(block_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void* data() const { return block_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(block_);
  }

 private:
  static Memory& memory() { return memory_of(Device::host()); }

  int64_t bytes_;
  void* block_;
};

/// parallel_for whose `body(workspace, begin, end)` has a workspace for each part. All are made, from `arguments`,
/// before the first part begins: what memory a kernel takes must not depend on how its threads happen to overlap.
template <class Workspace, class Body, class... Arguments>
void parallel_with(int64_t count, int64_t grain, const Body& body, const Arguments&... arguments) {
  const int64_t parts = parallel_parts(count, grain);
  std::vector<std::unique_ptr<Workspace>> workspaces;
  for (int64_t part = 0; part < parts; ++part) workspaces.push_back(std::make_unique<Workspace>(arguments...));
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      body(*workspaces[static_cast<size_t>(part)], count * part / parts, count * (part + 1) / parts);
    }
  });
}

}  // namespace astroclip::cpu
