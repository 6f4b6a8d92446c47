#include <cstdlib>
#include <cstring>
#include <string>

#include "plugin/record_check_internal.h"

// A record whose fields the fuzzer chooses: numbers are fuzzed or as expected; pointers are null, as expected, or to
// fuzzed text. There are no dangling pointers, because only the loader makes pointers.

namespace {

using namespace astroclip;
using namespace astroclip::plugin;

Description never_described() { std::abort(); }
Checked never_checked(const config::Table&, const config::Section&, const config::Location&, config::Problems&) {
  std::abort();
}

/// Takes the fuzzer's bytes from the front.
class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  template <class T>
  T take() {
    T value{};
    const size_t count = std::min(sizeof value, size_);
    std::memcpy(&value, data_, count);
    data_ += count;
    size_ -= count;
    return value;
  }
  std::string rest() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  const uint8_t* data_;
  size_t size_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes(data, size);
  const auto choice = bytes.take<uint16_t>();
  const auto chosen = [&](int bit) { return (choice >> bit & 1) != 0; };
  Record record{};
  record.magic = chosen(0) ? record_magic : bytes.take<uint64_t>();
  record.api = chosen(1) ? api_version : bytes.take<uint32_t>();
  record.kind = static_cast<Kind>(bytes.take<uint32_t>());
  const auto symbol_size = bytes.take<uint8_t>();
  const std::string text = bytes.rest();
  record.abi = chosen(2) ? ASTROCLIP_ABI : chosen(3) ? text.c_str() : nullptr;
  record.describe = chosen(4) ? &never_described : nullptr;
  record.check = chosen(5) ? &never_checked : nullptr;
  const std::string objection = objection_to(record, symbol_size);
  for (const char c : objection)
    if ((c >= 0 && c < ' ') || c == 0x7F) std::abort();
  const bool usable = record.magic == record_magic && record.api == api_version && symbol_size >= sizeof(Record) &&
                      record.abi != nullptr && std::string(record.abi) == ASTROCLIP_ABI && record.describe != nullptr &&
                      record.check != nullptr && static_cast<uint32_t>(record.kind) - 1 < std::size(all_kinds);
  if (objection.empty() != usable) std::abort();
  return 0;
}
