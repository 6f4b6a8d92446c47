#pragma once

#include <cstdint>
#include <string>

/// What cuda.so exports: constant data, which is compared before anything is called.
namespace astroclip::cuda {

inline constexpr const char* record_symbol = "astroclip_cuda_record";
inline constexpr uint64_t record_magic = 0x4144554350494C43;  // "CLIPCUDA"

struct Record {
  uint64_t magic;
  const char* contract;  ///< ASTROCLIP_CONTRACT of its build
  /// Why it cannot compute on the card of that index; "" if it can.
  std::string (*objection)(int index);
  /// Registers memory and backend for that card. Throws Error.
  void (*open)(int index);
  /// The open card, its driver and the libraries, with their versions, and what the environment chooses of algorithms.
  std::string (*describe)();
  /// Bytes of its memory that nobody has taken.
  int64_t (*free_bytes)();
};

}  // namespace astroclip::cuda
