#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"

namespace astroclip {

/// What identifiers of objects are in their file.
enum class IdKind { int64, uint64, text };

/// Identifiers as a file has them. Everything compares them by their keys of 64 bits: a number itself, the same bits of
/// an unsigned one, or a hash of a text.
struct ObjectIds {
  IdKind kind = IdKind::int64;
  std::vector<int64_t> keys;
  std::vector<std::string> texts = {};  ///< along keys where they are texts, else empty
};

/// The key of a text.
int64_t id_key(const std::string& text);
/// 2^53: from here on float64 rounds integers.
inline constexpr double first_rounded = 9007199254740992.0;
/// Whether a floating-point number identifies an object: whole, and smaller than 2^53, so that it was not rounded.
bool is_exact_id(double number);
/// What to throw for one that does not: "PLACE: 3.5 identifies no object exactly; …"
Error inexact_id(const std::string& place, double number);
/// Texts one after another, each filled up with zeros to so many bytes.
std::vector<char> padded_texts(std::span<const std::string> texts, size_t bytes);

/// Tells identifiers by their keys.
class IdNames {
 public:
  /// Throws Error when two texts have one key.
  void add(const ObjectIds& ids);
  IdKind kind() const { return kind_; }
  /// "39627784728870919", or the text.
  std::string operator()(int64_t key) const;
  /// The identifiers of these keys.
  ObjectIds of(std::span<const int64_t> keys) const;

 private:
  IdKind kind_ = IdKind::int64;
  std::unordered_map<int64_t, std::string> texts_;
};

}  // namespace astroclip
