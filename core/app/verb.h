#pragma once

#include <boost/program_options.hpp>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace astroclip::app {

namespace options = boost::program_options;

/// The command line itself is wrong: printed with a hint at --help, status 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// Status of a verb that a signal ended before its end, as a shell reports Ctrl-C.
constexpr int interrupted_status = 130;

/// A word of a verb's that belongs to no option.
struct Positional {
  std::string key;      ///< of its value, a text, or a list of them where there may be several
  std::string name;     ///< as help and error messages show it: "FILE"
  std::string meaning;  ///< in half a line
  bool several = false;
};

struct Example {
  std::string command;  ///< a whole line for a shell
  std::string meaning;
};

/// One verb of the command line, described once: arguments are parsed by it, and help, man page and shell completion
/// are made from it. What an option's or a positional's value is, its name tells: one with FILE, IN or OUT in it is a
/// file, DIR, RUN or FOLDER a folder, "a|b" one of these words, KIND and PLUGIN what the plugin host knows.
struct Verb {
  std::string name;
  std::vector<std::string> usages;  ///< what may follow the name: "FILE [--set key=value]…"
  std::string meaning;              ///< in half a line
  std::string description;          ///< in sentences
  std::vector<Positional> positionals = {};
  options::options_description options = options::options_description("options");  ///< --help is added
  std::vector<Example> examples = {};
  /// Gives the program's status. May throw Error; a UsageError where words contradict each other.
  std::function<int(const options::variables_map&)> run = {};
};

/// Shorthand for an option with one text, or a list of texts of which each has the option's name before it.
options::typed_value<std::string>* text(const char* value_name);
options::typed_value<std::vector<std::string>>* texts(const char* value_name);

/// The texts of an option or positional that may be given several times; none when it was not given.
std::vector<std::string> texts_of(const options::variables_map& values, const std::string& key);

/// Throws UsageError, or an error of Boost.Program_options, when the words are not as the verb describes.
options::variables_map parse(const Verb& verb, std::span<const std::string> words);

/// What `astroclip VERB --help` prints.
std::string help_of(const Verb& verb);

/// Parses, and runs the verb or prints its help.
int run(const Verb& verb, std::span<const std::string> words);

}  // namespace astroclip::app
