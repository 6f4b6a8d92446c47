#include <algorithm>
#include <bit>
#include <optional>

#include "io/hdf5/global_heap_internal.h"
#include "io/hdf5/object_header_internal.h"

namespace astroclip::io {

namespace {

using Bytes = std::span<const unsigned char>;

enum class TypeClass { integer, real, time, text, bits, opaque, compound, reference, enumeration, sequence, array };

/// Decodes a datatype message.
class TypeMessage {
 public:
  explicit TypeMessage(Bytes message) : left_(message) {}

  bool is_sound() { return size_of_type(0).has_value() || is_newer_; }

 private:
  /// Bytes of a value of the type that comes next; none where it is damaged or of a newer version.
  std::optional<uint64_t> size_of_type(int depth);
  std::optional<uint64_t> size_of_compound(unsigned version, unsigned members, uint64_t size, int depth);
  bool is_sound_enumeration(unsigned version, unsigned members, uint64_t size, int depth);
  bool is_sound_array(unsigned version, uint64_t size, int depth);
  bool is_sound_number(TypeClass kind, unsigned flags, uint64_t size);

  /// A number of so many bytes; none where the message ends before.
  std::optional<uint64_t> number(size_t bytes) {
    if (bytes > left_.size()) return std::nullopt;
    const uint64_t value = little_endian(left_, 0, bytes);
    left_ = left_.subspan(bytes);
    return value;
  }
  bool skip(uint64_t bytes) {
    if (bytes > left_.size()) return false;
    left_ = left_.subspan(bytes);
    return true;
  }
  /// A text with the zero at its end, which versions 1 and 2 fill up to a multiple of eight bytes.
  bool skip_name(unsigned version) {
    const auto end = std::ranges::find(left_, 0);
    if (end == left_.end()) return false;
    const auto bytes = static_cast<uint64_t>(end - left_.begin()) + 1;
    return skip(version >= 3 ? bytes : (bytes + 7) / 8 * 8);
  }

  Bytes left_;
  bool is_newer_ = false;
};

std::optional<uint64_t> TypeMessage::size_of_type(int depth) {
  constexpr int deepest = 32;
  const auto first = number(1), flags = number(3), size = number(4);
  if (!size || *size == 0 || depth > deepest) return std::nullopt;
  const auto kind = static_cast<TypeClass>(*first & 15);
  const auto version = static_cast<unsigned>(*first >> 4), members = static_cast<unsigned>(*flags & 0xffff);
  is_newer_ = is_newer_ || version < 1 || version > 3 || kind > TypeClass::array;
  if (is_newer_) return std::nullopt;
  bool is_sound = true;
  switch (kind) {
    case TypeClass::integer:
    case TypeClass::real:
    case TypeClass::bits:
      is_sound = is_sound_number(kind, static_cast<unsigned>(*flags), *size);
      break;
    case TypeClass::time:
      is_sound = skip(2);
      break;
    case TypeClass::opaque:
      is_sound = skip(*flags & 0xff);
      break;
    case TypeClass::text:
    case TypeClass::reference:
      break;
    case TypeClass::compound:
      return size_of_compound(version, members, *size, depth);
    case TypeClass::enumeration:
      is_sound = is_sound_enumeration(version, members, *size, depth);
      break;
    case TypeClass::sequence:
      is_sound = size_of_type(depth + 1).has_value();
      break;
    case TypeClass::array:
      is_sound = is_sound_array(version, *size, depth);
      break;
  }
  return is_sound ? size : std::nullopt;
}

/// Bits from an offset on; of a real number, its sign, exponent and mantissa, too.
bool TypeMessage::is_sound_number(TypeClass kind, unsigned flags, uint64_t size) {
  const uint64_t bits = 8 * size;
  const auto offset = number(2), precision = number(2);
  if (!precision || *precision == 0 || *offset + *precision > bits) return false;
  if (kind != TypeClass::real) return true;
  const auto exponent = number(1), exponent_bits = number(1), mantissa = number(1), mantissa_bits = number(1);
  constexpr size_t bias = 4;
  return skip(bias) && *exponent_bits > 0 && *mantissa_bits > 0 && (flags >> 8 & 0xff) < bits &&
         *exponent + *exponent_bits <= bits && *mantissa + *mantissa_bits <= bits;
}

std::optional<uint64_t> TypeMessage::size_of_compound(unsigned version, unsigned members, uint64_t size, int depth) {
  const size_t offset_bytes = version >= 3 ? (static_cast<size_t>(std::bit_width(size)) + 7) / 8 : 4;
  for (unsigned i = 0; i < members; ++i) {
    const auto offset = skip_name(version) ? number(offset_bytes) : std::nullopt;
    if (!offset) return std::nullopt;
    uint64_t values = 1;
    if (version == 1) {  // a member may itself be an array
      constexpr size_t before_extents = 11, most_axes = 4;
      const auto axes = number(1);
      if (!axes || *axes > most_axes || !skip(before_extents)) return std::nullopt;
      for (size_t axis = 0; axis < most_axes; ++axis) {
        const auto extent = number(4);
        if (!extent || (axis < *axes && __builtin_mul_overflow(values, *extent, &values))) return std::nullopt;
      }
    }
    const auto member = size_of_type(depth + 1);
    uint64_t end = 0;
    if (!member || __builtin_mul_overflow(values, *member, &end) || __builtin_add_overflow(end, *offset, &end) ||
        end > size)
      return std::nullopt;
  }
  return size;
}

bool TypeMessage::is_sound_enumeration(unsigned version, unsigned members, uint64_t size, int depth) {
  if (size_of_type(depth + 1) != size) return false;
  for (unsigned i = 0; i < members; ++i) {
    if (!skip_name(version)) return false;
  }
  return skip(members * size);
}

bool TypeMessage::is_sound_array(unsigned version, uint64_t size, int depth) {
  constexpr uint64_t most_axes = 32;
  constexpr size_t of_number = 4;
  const auto axes = number(1);
  if (!axes || *axes > most_axes || (version < 3 && !skip(3))) return false;
  uint64_t values = 1;
  for (uint64_t axis = 0; axis < *axes; ++axis) {
    const auto extent = number(of_number);
    if (!extent || __builtin_mul_overflow(values, *extent, &values)) return false;
  }
  if (version < 3 && !skip(*axes * of_number)) return false;
  const auto element = size_of_type(depth + 1);
  return element && !__builtin_mul_overflow(values, *element, &values) && values <= size;
}

/// An attribute: the sizes of its name, datatype and shape, the three, and its value.
bool is_sound_attribute(Bytes message) {
  constexpr size_t before_sizes = 2;
  if (message.size() < 9) return true;  // the library sees that itself
  const unsigned version = message[0], flags = message[1];
  const auto aligned = [&](uint64_t bytes) { return version == 1 ? (bytes + 7) / 8 * 8 : bytes; };
  const uint64_t name = little_endian(message, before_sizes, 2), type = little_endian(message, before_sizes + 2, 2);
  const uint64_t at = version >= 3 ? 9 : 8;
  if (aligned(name) > message.size() - at || type > message.size() - at - aligned(name)) return false;
  const Bytes letters = message.subspan(at, name);
  if (std::ranges::find(letters, 0) == letters.end()) return false;
  const bool is_elsewhere = version > 1 && (flags & 1) != 0;
  return is_elsewhere || TypeMessage(message.subspan(at + aligned(name), type)).is_sound();
}

}  // namespace

bool has_sound_types(Bytes messages, size_t address_bytes, size_t length_bytes, std::vector<HeaderPiece>& pieces) {
  constexpr size_t before_message = 8;
  constexpr uint64_t datatype = 3, attribute = 12, continuation = 16;
  while (messages.size() >= before_message) {
    const uint64_t kind = little_endian(messages, 0, 2), size = little_endian(messages, 2, 2);
    const bool is_elsewhere = (messages[4] & 2) != 0;
    messages = messages.subspan(before_message);
    if (size > messages.size()) return true;  // the library sees that itself
    const Bytes message = messages.first(size);
    if (kind == datatype && !is_elsewhere && !TypeMessage(message).is_sound()) return false;
    if (kind == attribute && !is_elsewhere && !is_sound_attribute(message)) return false;
    if (kind == continuation && size >= address_bytes + length_bytes)
      pieces.push_back({little_endian(message, 0, address_bytes), little_endian(message, address_bytes, length_bytes)});
    messages = messages.subspan(size);
  }
  return true;
}

}  // namespace astroclip::io
