#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace astroclip::app {

/// The command line itself is wrong: printed with a hint at --help, status 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// Exit status of a verb that was ended by a signal, as a shell reports Ctrl-C.
constexpr int interrupted_status = 130;

/// What a shell offers for a value, besides its choices.
enum class Completes { nothing, file, experiment, folder, plugin, dataset, preset };

enum class Takes { one, one_each_time, many };

struct Range {
  double low, high;  ///< both allowed
  bool is_whole;     ///< integers only
};

/// An option or a positional. Parsing checks what it states, help and man page print it, completion offers it.
struct Argument {
  std::string key;      ///< of its value in Values; an option is written "--key"
  std::string value;    ///< in help and errors, "FILE"; "" for an option without a value, and for choices
  std::string meaning;  ///< one clause, without what the members below state
  bool is_required = false;
  Takes takes = Takes::one;
  std::vector<std::string> choices = {};
  std::optional<Range> range = {};
  std::string fallback = {};  ///< the default; "" for none
  Completes completes = Completes::nothing;

  Argument(std::string its_key, std::string its_value, std::string its_meaning)
      : key(std::move(its_key)), value(std::move(its_value)), meaning(std::move(its_meaning)) {}
  Argument& required() { return set(is_required, true); }
  Argument& repeated() { return set(takes, Takes::one_each_time); }
  Argument& many() { return set(takes, Takes::many); }
  Argument& one_of(std::vector<std::string> values) { return set(choices, std::move(values)); }
  Argument& between(double low, double high) { return set(range, Range{low, high, true}); }
  Argument& number_between(double low, double high) { return set(range, Range{low, high, false}); }
  Argument& by_default(std::string text) { return set(fallback, std::move(text)); }
  Argument& completed_by(Completes what) { return set(completes, what); }

 private:
  template <class T, class V>
  Argument& set(T& member, V to) {
    member = std::move(to);
    return *this;
  }
};

/// "FILE", or the choices: "f32|bf16"; "" for an option without a value.
std::string value_name(const Argument& argument);
/// "--output DIR"
std::string option_heading(const Argument& option);
/// The meaning with range, default and whether the option may be repeated.
std::string full_meaning(const Argument& argument);

/// The values of a command line, by the keys of its arguments.
class Values {
 public:
  using Map = std::map<std::string, std::vector<std::string>>;
  explicit Values(Map values) : values_(std::move(values)) {}

  bool has(const std::string& key) const { return values_.contains(key); }
  /// "" when it was not given and has no default.
  std::string text(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;
  /// Throws UsageError when the text is no integer.
  int64_t integer(const std::string& key) const;
  double number(const std::string& key) const;

 private:
  Map values_;
};

struct Example {
  std::string command;  ///< a whole line for a shell
  std::string meaning;
};

/// One verb of the command line. Parser, help, man page and completion are driven by this description.
struct Verb {
  std::string name;
  std::vector<std::string> usages;  ///< what may follow the name: "FILE [--set key=value]…"
  std::string meaning;              ///< in half a line
  std::string description;          ///< in sentences
  std::vector<Argument> positionals = {};
  std::vector<Argument> options = {};  ///< --help is added
  std::vector<Example> examples = {};
  /// Returns the exit status. May throw Error; a UsageError where arguments contradict each other.
  std::function<int(const Values&)> run = {};
};

/// The options that every verb takes besides its own.
const Argument& help_option();
const Argument& plugins_option();

/// Takes "--plugins DIR" and "--plugins=DIR" out of the words and returns the folders. A last "--plugins" without one
/// stays.
std::vector<std::string> take_plugin_folders(std::vector<std::string>& words);

/// The words that each argument is given.
struct Assignment {
  Values::Map values;
  const Argument* last = nullptr;  ///< the argument that the last word belongs to; null without words
};

/// Throws UsageError for an unknown option, one without its value or given twice, and too many positionals.
Assignment assign(const Verb& verb, const std::vector<std::string>& words);

/// Throws UsageError when the words are not as the verb describes. With --help nothing is required.
Values parse(const Verb& verb, std::span<const std::string> words);

/// What `astroclip VERB --help` prints.
std::string help_of(const Verb& verb);

/// Parses, and runs the verb or prints its help.
int run(const Verb& verb, std::span<const std::string> words);

}  // namespace astroclip::app
