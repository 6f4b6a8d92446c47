// The opcodes are those of Python's pickletools, protocols 2 to 5.
#include "io/weights/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/printable.h"

namespace astroclip::io::pickle {

namespace {

/// Modules whose functions do not belong in a weight file. Nothing is ever called, but a file that names one of them
/// was made to attack other readers, so it is rejected. A submodule of the same name ("code.models") is a user's
/// project.
constexpr std::string_view refused_modules[] = {
    "os",         "posix",     "nt",    "sys",       "subprocess", "shutil",         "socket", "pty",
    "ctypes",     "importlib", "runpy", "code",      "codeop",     "marshal",        "pickle", "_pickle",
    "webbrowser", "commands",  "pip",   "threading", "asyncio",    "multiprocessing"};
/// Packages that are rejected together with their submodules.
constexpr std::string_view refused_packages[] = {"os", "ctypes", "importlib", "pip", "asyncio", "multiprocessing"};
constexpr std::string_view refused_builtins[] = {"eval", "exec",    "execfile", "compile",    "open",    "__import__",
                                                 "file", "apply",   "input",    "breakpoint", "globals", "locals",
                                                 "vars", "delattr", "setattr",  "exit",       "quit"};

template <size_t count>
bool is_one_of(const std::string_view (&names)[count], std::string_view name) {
  return std::ranges::find(names, name) != std::end(names);
}

bool is_refused(std::string_view module, std::string_view name) {
  if (module == "builtins" || module == "__builtin__") {
    return is_one_of(refused_builtins, name.substr(0, name.find('.')));
  }
  return is_one_of(refused_modules, module) || is_one_of(refused_packages, module.substr(0, module.find('.')));
}

}  // namespace

const Value* Value::find(std::string_view key) const {
  const auto found = std::find_if(entries.rbegin(), entries.rend(), [&](const auto& entry) {
    return entry.first->is(Kind::text) && entry.first->text == key;
  });
  return found == entries.rend() ? nullptr : found->second;
}

/// Runs one pickle: a stack, the marks on it, and the memo, each bounded.
class Interpreter {
 public:
  Interpreter(std::span<const std::byte> bytes, const std::string& where, int64_t base)
      : bytes_(bytes), where_(where), base_(base) {}

  Document run() {
    while (document_.root_ == nullptr) {
      opcode_at_ = at_;
      step(static_cast<unsigned char>(take(1)[0]));
    }
    document_.size_ = static_cast<int64_t>(at_);
    return std::move(document_);
  }

 private:
  using Kind = Value::Kind;

  [[noreturn]] void refuse(const std::string& reason) const {
    throw Error(fmt::format("{}: byte {}: {}", where_, base_ + static_cast<int64_t>(opcode_at_), printable(reason)));
  }

  // Input.

  std::string_view take(uint64_t count) {
    const uint64_t left = bytes_.size() - at_;
    if (count > left)
      refuse(fmt::format("the pickle needs {} more bytes; {} are left (is the file truncated?)", count, left));
    const std::string_view taken(reinterpret_cast<const char*>(bytes_.data()) + at_, count);
    at_ += count;
    return taken;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  template <class Length>
  std::string_view counted() {
    const auto length = number<Length>();
    if (length < 0) refuse(fmt::format("negative length {}", length));
    return take(static_cast<uint64_t>(length));
  }
  std::string_view line() {
    const auto* begin = reinterpret_cast<const char*>(bytes_.data()) + at_;
    const std::string_view rest(begin, bytes_.size() - at_);
    const size_t end = rest.find('\n');
    if (end == rest.npos) refuse("an unterminated name (is the file truncated?)");
    return take(end + 1).substr(0, end);
  }

  // The stack.

  void push(Value* value) {
    if (static_cast<int64_t>(stack_.size()) >= Document::most_values) {
      refuse(fmt::format("more than {} values on the stack", Document::most_values));
    }
    stack_.push_back(value);
  }
  Value* make(Kind kind) {
    if (static_cast<int64_t>(document_.values_->size()) >= Document::most_values) {
      refuse(fmt::format("more than {} values", Document::most_values));
    }
    Value& value = document_.values_->emplace_back();
    value.kind = kind;
    return &value;
  }
  Value* push_new(Kind kind) {
    Value* value = make(kind);
    push(value);
    return value;
  }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Value* top() {
    if (stack_.size() <= floor()) refuse("the stack is empty");
    return stack_.back();
  }
  Value* pop() {
    Value* value = top();
    stack_.pop_back();
    return value;
  }
  std::vector<Value*> pop_to_mark() {
    if (marks_.empty()) refuse("no mark on the stack");
    const auto begin = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
    std::vector<Value*> values(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return values;
  }

  // Values.

  void contain(Value& holder, const Value* part) {
    holder.depth = std::max(holder.depth, part->depth + 1);
    if (holder.depth > Document::most_levels)
      refuse(fmt::format("nested deeper than {} levels", Document::most_levels));
  }
  void append(Value& holder, const Value* item) {
    contain(holder, item);
    holder.items.push_back(item);
  }
  void fill(Value& holder, const std::vector<Value*>& items) {
    holder.items.reserve(holder.items.size() + items.size());
    for (const Value* item : items) append(holder, item);
  }
  void fill_pairs(Value& holder, const std::vector<Value*>& flat) {
    if (flat.size() % 2 != 0) refuse("a key without a value");
    for (size_t i = 0; i < flat.size(); i += 2) {
      contain(holder, flat[i]);
      contain(holder, flat[i + 1]);
      holder.entries.emplace_back(flat[i], flat[i + 1]);
    }
  }
  void push_of(Kind kind, const std::vector<Value*>& items) {
    Value* value = make(kind);
    fill(*value, items);
    push(value);
  }
  void push_last(size_t count) {
    std::vector<Value*> items(count);
    for (size_t i = count; i-- > 0;) items[i] = pop();
    push_of(Kind::tuple, items);
  }
  Value& holder_of(Kind kind, const char* what) {
    Value* value = top();
    if (!value->is(kind) && !value->is(Kind::object))
      refuse(fmt::format("{} for a value that is not a container", what));
    return *value;
  }
  void push_integer(int64_t integer, Kind kind = Kind::integer) { push_new(kind)->integer = integer; }
  void push_text(Kind kind, std::string_view text) { push_new(kind)->text = text; }
  void push_long(std::string_view little_endian) {
    if (little_endian.size() > 8) return push_text(Kind::big_integer, little_endian);
    const bool negative = !little_endian.empty() && (little_endian.back() & 0x80) != 0;
    uint64_t word = negative ? ~uint64_t{0} : 0;
    std::memcpy(&word, little_endian.data(), little_endian.size());
    push_integer(static_cast<int64_t>(word));
  }
  void push_real() { push_new(Kind::real)->real = std::bit_cast<double>(__builtin_bswap64(number<uint64_t>())); }

  void push_global(std::string_view module, std::string_view name) {
    if (module.empty() || name.empty()) refuse("a class without a name");
    if (is_refused(module, name)) {
      refuse(fmt::format("refers to {}.{}, which no weight file needs; nothing was executed", module.substr(0, 80),
                         name.substr(0, 80)));
    }
    push_text(Kind::global, std::string(module) + "." + std::string(name));
  }
  void stack_global() {
    const Value* name = pop();
    const Value* module = pop();
    if (!name->is(Kind::text) || !module->is(Kind::text)) refuse("the name of a class is not text");
    push_global(module->text, name->text);
  }
  /// Null if the value is not a class. Old files store a module's class together with its source text.
  static const std::string* name_of_class(const Value& maker) {
    if (maker.is(Kind::global) || maker.is(Kind::object)) return &maker.text;
    if (!maker.is(Kind::persistent) || maker.arguments->items.size() < 2) return nullptr;
    const Value& named = *maker.arguments->items[1];
    return named.is(Kind::global) ? &named.text : nullptr;
  }
  /// Stands for the result of a call; `keywords` is null except for the opcode that has them.
  void make_object(const Value* keywords) {
    const Value* arguments = pop();
    const Value* maker = pop();
    const std::string* name = name_of_class(*maker);
    if (name == nullptr) refuse("constructs an object of a value that is not a class");
    if (!arguments->is(Kind::tuple)) refuse("the arguments of an object are not a tuple");
    Value* object = make(Kind::object);
    object->text = *name;
    contain(*object, arguments);
    object->arguments = arguments;
    if (keywords != nullptr) {
      contain(*object, keywords);
      object->state = keywords;
    }
    push(object);
  }
  void build() {
    const Value* state = pop();
    Value* object = top();
    if (!object->is(Kind::object)) refuse("a state for a value that is not an object");
    contain(*object, state);
    object->state = state;
  }
  void reference() {
    const Value* identifier = pop();
    Value* value = make(Kind::persistent);
    contain(*value, identifier);
    value->arguments = identifier;
    push(value);
  }

  // The memo.

  void remember(uint64_t index) {
    if (index >= static_cast<uint64_t>(Document::most_values)) {
      refuse(fmt::format("memo index {} is beyond {}", index, Document::most_values));
    }
    if (index >= memo_.size()) memo_.resize(index + 1);
    remembered_ += memo_[index] == nullptr ? 1 : 0;
    memo_[index] = top();
  }
  void recall(uint64_t index) {
    if (index >= memo_.size() || memo_[index] == nullptr) refuse(fmt::format("memo index {} was never set", index));
    push(memo_[index]);
  }

  void step(unsigned char opcode) {
    if (!step_constant(opcode) && !step_container(opcode) && !step_object(opcode) && !step_stack(opcode)) {
      refuse(fmt::format("unsupported opcode 0x{:02x}", opcode));
    }
  }

  bool step_constant(unsigned char opcode) {
    switch (opcode) {
      case 'N':
        return push_new(Kind::none), true;
      case 0x88:
      case 0x89:
        return push_integer(opcode == 0x88 ? 1 : 0, Kind::boolean), true;
      case 'J':
        return push_integer(number<int32_t>()), true;
      case 'K':
        return push_integer(number<uint8_t>()), true;
      case 'M':
        return push_integer(number<uint16_t>()), true;
      case 0x8A:
        return push_long(counted<uint8_t>()), true;
      case 0x8B:
        return push_long(counted<int32_t>()), true;
      case 'G':
        return push_real(), true;
      case 'X':
        return push_text(Kind::text, counted<uint32_t>()), true;
      case 0x8C:
        return push_text(Kind::text, counted<uint8_t>()), true;
      case 0x8D:
        return push_text(Kind::text, counted<uint64_t>()), true;
      case 'T':  // Python 2's str, used for text
        return push_text(Kind::text, counted<int32_t>()), true;
      case 'U':
        return push_text(Kind::text, counted<uint8_t>()), true;
      case 'B':
        return push_text(Kind::bytes, counted<uint32_t>()), true;
      case 'C':
        return push_text(Kind::bytes, counted<uint8_t>()), true;
      case 0x8E:
      case 0x96:
        return push_text(Kind::bytes, counted<uint64_t>()), true;
      default:
        return false;
    }
  }

  bool step_container(unsigned char opcode) {
    switch (opcode) {
      case ']':
        return push_new(Kind::list), true;
      case '}':
        return push_new(Kind::dict), true;
      case ')':
        return push_new(Kind::tuple), true;
      case 0x8F:
        return push_new(Kind::set), true;
      case 'l':
        return push_of(Kind::list, pop_to_mark()), true;
      case 't':
        return push_of(Kind::tuple, pop_to_mark()), true;
      case 0x91:
        return push_of(Kind::set, pop_to_mark()), true;
      case 'd': {
        const auto pairs = pop_to_mark();
        return fill_pairs(*push_new(Kind::dict), pairs), true;
      }
      case 0x85:
      case 0x86:
      case 0x87:
        return push_last(opcode - 0x84U), true;
      case 'a': {
        const Value* item = pop();
        return append(holder_of(Kind::list, "an element"), item), true;
      }
      case 'e': {
        const auto items = pop_to_mark();
        return fill(holder_of(Kind::list, "elements"), items), true;
      }
      case 0x90: {
        const auto items = pop_to_mark();
        return fill(holder_of(Kind::set, "elements"), items), true;
      }
      case 's': {
        Value* value = pop();
        Value* key = pop();
        return fill_pairs(holder_of(Kind::dict, "an entry"), {key, value}), true;
      }
      case 'u': {
        const auto pairs = pop_to_mark();
        return fill_pairs(holder_of(Kind::dict, "entries"), pairs), true;
      }
      default:
        return false;
    }
  }

  bool step_object(unsigned char opcode) {
    switch (opcode) {
      case 'c': {
        const auto module = line();
        return push_global(module, line()), true;
      }
      case 0x93:
        return stack_global(), true;
      case 'R':
      case 0x81:
        return make_object(nullptr), true;
      case 0x92: {
        const Value* keywords = pop();
        return make_object(keywords), true;
      }
      case 'b':
        return build(), true;
      case 'Q':
        return reference(), true;
      default:
        return false;
    }
  }

  bool step_stack(unsigned char opcode) {
    switch (opcode) {
      case 0x80:
        return check_protocol(number<uint8_t>()), true;
      case 0x95:
        return check_frame(number<uint64_t>()), true;
      case '(':
        return mark(), true;
      case '0':
        return pop(), true;
      case '1':
        return pop_to_mark(), true;
      case '2':
        return push(top()), true;
      case 'q':
        return remember(number<uint8_t>()), true;
      case 'r':
        return remember(number<uint32_t>()), true;
      case 0x94:
        return remember(remembered_), true;
      case 'h':
        return recall(number<uint8_t>()), true;
      case 'j':
        return recall(number<uint32_t>()), true;
      case '.':
        return stop(), true;
      default:
        return false;
    }
  }

  void check_protocol(int protocol) const {
    if (protocol < 2 || protocol > 5) refuse(fmt::format("pickle protocol {}; 2 to 5 are supported", protocol));
  }
  void check_frame(uint64_t length) const {
    if (length > bytes_.size() - at_) {
      refuse(fmt::format("a frame of {} bytes; {} are left (is the file truncated?)", length, bytes_.size() - at_));
    }
  }
  void mark() {
    if (static_cast<int>(marks_.size()) >= Document::most_levels) {
      refuse(fmt::format("nested deeper than {} levels", Document::most_levels));
    }
    marks_.push_back(stack_.size());
  }
  void stop() {
    const Value* root = pop();
    if (!stack_.empty() || !marks_.empty()) refuse("values are left on the stack at the end");
    document_.root_ = root;
  }

  std::span<const std::byte> bytes_;
  const std::string& where_;
  int64_t base_;
  size_t at_ = 0;
  size_t opcode_at_ = 0;
  Document document_;
  std::vector<Value*> stack_;
  std::vector<size_t> marks_;
  std::vector<Value*> memo_;
  uint64_t remembered_ = 0;
};

Document Document::parse(std::span<const std::byte> bytes, const std::string& where, int64_t base) {
  return Interpreter(bytes, where, base).run();
}

}  // namespace astroclip::io::pickle
