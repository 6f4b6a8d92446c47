#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace astroclip::io::pickle {

/// A value in a pickle. Nothing is called or imported: an instance of a class is represented by the class's name with
/// the arguments, contents and state from the pickle.
struct Value {
  enum class Kind {
    none,
    boolean,
    integer,
    big_integer,  ///< beyond 64 bits: its little-endian two's complement in `text`
    real,
    text,  ///< UTF-8, unchecked
    bytes,
    list,
    tuple,
    set,
    dict,
    global,      ///< a class or function by name, "module.name" in `text`
    object,      ///< made by a class or function, whose name is in `text`
    persistent,  ///< a reference to data outside the pickle; `arguments` is its identifier
  };
  Kind kind = Kind::none;
  int depth = 1;        ///< nesting depth when it was filled
  int64_t integer = 0;  ///< also 0 or 1 of a boolean
  double real = 0.0;
  std::string text;
  std::vector<const Value*> items;                             ///< of a list, tuple, set, or list-like object
  std::vector<std::pair<const Value*, const Value*>> entries;  ///< of a dict or dict-like object
  const Value* arguments = nullptr;                            ///< the tuple an object was made from
  const Value* state = nullptr;                                ///< the state an object was restored from, if any

  bool is(Kind wanted) const { return kind == wanted; }
  bool is_object(std::string_view name) const { return kind == Kind::object && text == name; }
  /// The value under a text key of a dict or dict-like object, the last one if repeated; null if there is none.
  const Value* find(std::string_view key) const;
};

/// One parsed pickle; owns all its values. Values may share parts and, through objects, contain themselves, so a walk
/// must be bounded.
class Document {
 public:
  /// Parses the pickle at the start of `bytes` and ignores what follows it. Supports opcodes of protocols 2 to 5.
  /// Sizes are bounded by the available bytes, values by `most_values`, nesting by `most_levels`.
  /// Throws Error "WHERE: byte N: reason", N counted from `base`, for anything else, and for names (os.system) that
  /// only an attack would contain.
  static Document parse(std::span<const std::byte> bytes, const std::string& where, int64_t base = 0);

  static constexpr int64_t most_values = int64_t{1} << 20;
  static constexpr int most_levels = 500;

  const Value& root() const { return *root_; }
  /// All values in order of creation.
  const std::deque<Value>& values() const { return *values_; }
  /// Size of the pickle in bytes.
  int64_t size() const { return size_; }

 private:
  friend class Interpreter;
  std::shared_ptr<std::deque<Value>> values_ = std::make_shared<std::deque<Value>>();
  const Value* root_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace astroclip::io::pickle
