#pragma once

#include <omp.h>

#include <functional>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "tensor/dtype.h"

/// What the files that know oneDNN share.
namespace astroclip::cpu::onednn {

inline dnnl::engine& engine() {
  static dnnl::engine host(dnnl::engine::kind::cpu, 0);
  return host;
}

inline dnnl::stream& stream() {
  thread_local dnnl::stream own(engine());
  return own;
}

inline dnnl::memory::data_type type_of(DType dtype) {
  return dtype == DType::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

inline dnnl::memory at(const dnnl::memory::desc& layout, const void* data) {
  return {layout, engine(), const_cast<void*>(data)};
}

/// No memory of its own: scratch is given with each call.
inline dnnl::primitive_attr scratch_given(const dnnl::post_ops& last = {}) {
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(last);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

/// oneDNN plans for the threads that it sees when a primitive is made, and some primitives look again when they run.
class OneThread {
 public:
  explicit OneThread(bool wanted) : threads_(wanted ? omp_get_max_threads() : 0) {
    if (threads_ > 0) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (threads_ > 0) omp_set_num_threads(threads_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int threads_;
};

/// One word of many, for tables of primitives by what they are made for.
class Hash {
 public:
  Hash& mix(int64_t value) {
    word_ = (word_ ^ static_cast<uint64_t>(value)) * 0x9E3779B97F4A7C15;
    word_ ^= word_ >> 29;
    return *this;
  }
  size_t value() const { return word_; }

 private:
  uint64_t word_ = 0;
};

/// Primitives by their keys. Shapes may vary without end (masks, last batches), so a full table starts anew.
template <class Key, class Kind, class KeyHash>
class Table {
 public:
  /// Looks one up, or makes it.
  std::shared_ptr<const Kind> get(const Key& key, const std::function<std::shared_ptr<const Kind>()>& make) {
    constexpr size_t most = 1024;
    const auto found = entries_.find(key);
    if (found != entries_.end()) return found->second;
    if (entries_.size() >= most) entries_.clear();
    return entries_.emplace(key, make()).first->second;
  }

 private:
  std::unordered_map<Key, std::shared_ptr<const Kind>, KeyHash> entries_;
};

}  // namespace astroclip::cpu::onednn
