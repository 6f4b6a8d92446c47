#include "app/verb.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>

#include "base/table.h"
#include "base/text.h"

namespace astroclip::app {

namespace {

namespace po = boost::program_options;

/// The whole text as a number.
template <class T>
std::optional<T> number_in(const std::string& text) {
  T number{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::vector<std::string> wrapped(const std::string& paragraph, size_t width) {
  std::vector<std::string> lines(1);
  for (size_t begin = 0; begin < paragraph.size();) {
    const size_t end = std::min(paragraph.find(' ', begin), paragraph.size());
    const std::string word = paragraph.substr(begin, end - begin);
    std::string& line = lines.back();
    if (line.empty()) {
      line = word;
    } else if (text_width(line) + 1 + text_width(word) > width) {
      lines.push_back(word);
    } else {
      line += " " + word;
    }
    begin = end + 1;
  }
  return lines;
}

constexpr size_t line_width = 100;

/// Headings in one column, meanings wrapped in the next.
std::string listed(const std::string& title, const std::vector<std::pair<std::string, std::string>>& entries) {
  if (entries.empty()) return "";
  size_t widest = 0;
  for (const auto& [heading, meaning] : entries) widest = std::max(widest, text_width(heading));
  std::vector<TableRow> rows;
  for (const auto& [heading, meaning] : entries) {
    const std::vector<std::string> lines = wrapped(meaning, line_width - widest - 4);
    for (const std::string& line : lines) rows.push_back({&line == &lines.front() ? heading : "", line});
  }
  return fmt::format("\n{}:\n{}", title, format_table(rows));
}

bool is_flag(const Argument& option) { return value_name(option).empty(); }

const Argument& option_named(const Verb& verb, const std::string& name) {
  if (name == help_option().key) return help_option();
  std::vector<std::string> names = {"--" + help_option().key};
  for (const Argument& option : verb.options) {
    if (option.key == name) return option;
    names.push_back("--" + option.key);
  }
  throw UsageError(fmt::format("unknown option '--{}'{}", name, suggestion("--" + name, names)));
}

/// Whether a text is a number of the range.
bool holds(const Range& range, const std::string& text) {
  std::optional<double> number = number_in<double>(text);
  if (range.is_whole && !number_in<int64_t>(text)) number.reset();
  return number && *number >= range.low && *number <= range.high;
}

void check(const std::string& name, const Argument& argument, const std::string& value) {
  const std::vector<std::string>& choices = argument.choices;
  const std::optional<Range>& range = argument.range;
  if (!choices.empty() && std::ranges::find(choices, value) == choices.end()) {
    throw UsageError(fmt::format("{} must be one of {}, found '{}'{}", name, fmt::join(choices, ", "), value,
                                 suggestion(value, choices)));
  }
  if (range && !holds(*range, value)) {
    throw UsageError(fmt::format("{} must be {} from {} to {}, found '{}'", name,
                                 range->is_whole ? "an integer" : "a number", range->low, range->high, value));
  }
  if (argument.completes != Completes::nothing && value.empty()) throw UsageError(fmt::format("{} is empty", name));
}

void check(const std::string& prefix, const std::vector<Argument>& arguments, Values::Map& given) {
  for (const Argument& argument : arguments) {
    const std::string name = prefix.empty() ? value_name(argument) : prefix + argument.key;
    const auto found = given.find(argument.key);
    if (found != given.end()) {
      for (const std::string& value : found->second) check(name, argument, value);
    } else if (argument.is_required) {
      throw UsageError(fmt::format("missing argument: {}", name));
    } else if (!argument.fallback.empty()) {
      given[argument.key] = {argument.fallback};
    }
  }
}

std::string missing_value(const Argument& option) {
  return fmt::format("--{} needs a value: {}", option.key, value_name(option));
}

/// An option may lack its value here: otherwise Program_options would take the option that follows for the value.
const po::value_semantic* semantic_of(const Argument& option) {
  if (is_flag(option)) return new po::untyped_value(true);
  auto* value = po::value<std::vector<std::string>>()->implicit_value({}, "");
  return option.takes == Takes::many ? value->multitoken() : value;
}

/// Options and positionals in the order of the words. What is unknown or surplus is left to the caller to refuse.
std::vector<po::option> parts_of(const Verb& verb, const std::vector<std::string>& words) {
  po::options_description options;
  options.add_options()(help_option().key.c_str(), semantic_of(help_option()));
  for (const Argument& option : verb.options) options.add_options()(option.key.c_str(), semantic_of(option));
  po::positional_options_description order;
  for (const Argument& one : verb.positionals) order.add(one.key.c_str(), one.takes == Takes::many ? -1 : 1);
  if (order.max_total_count() == verb.positionals.size()) order.add("surplus", -1);
  using namespace po::command_line_style;
  const auto short_help = [](const std::string& word) {
    return std::pair(word == "-h" ? help_option().key : "", std::string());
  };
  try {
    return po::command_line_parser(words)
        .options(options)
        .positional(order)
        .style(allow_long | long_allow_adjacent | long_allow_next)
        .extra_parser(short_help)
        .allow_unregistered()
        .run()
        .options;
  } catch (const po::invalid_command_line_syntax& error) {  // "--flag=value", or "--option=" without a value
    const Argument& option = option_named(verb, po::strip_prefixes(error.get_option_name()));
    throw UsageError(is_flag(option) ? fmt::format("--{} takes no value", option.key) : missing_value(option));
  }
}

const Argument& positional_of(const Verb& verb, const po::option& part) {
  const auto found = std::ranges::find(verb.positionals, part.string_key, &Argument::key);
  if (found == verb.positionals.end()) throw UsageError(fmt::format("too many arguments: '{}'", part.value.front()));
  return *found;
}

}  // namespace

std::string value_name(const Argument& argument) {
  return argument.value.empty() ? fmt::format("{}", fmt::join(argument.choices, "|")) : argument.value;
}

std::string option_heading(const Argument& option) {
  return fmt::format("--{}{}{}", option.key, is_flag(option) ? "" : " ", value_name(option));
}

std::string full_meaning(const Argument& argument) {
  std::string text = argument.meaning;
  if (argument.takes == Takes::one_each_time) text += "; may be repeated";
  std::vector<std::string> notes;
  if (argument.range) notes.push_back(fmt::format("{}..{}", argument.range->low, argument.range->high));
  if (!argument.fallback.empty()) notes.push_back(fmt::format("default: {}", argument.fallback));
  return notes.empty() ? text : fmt::format("{} ({})", text, fmt::join(notes, ", "));
}

std::string Values::text(const std::string& key) const { return has(key) ? values_.at(key).back() : ""; }

std::vector<std::string> Values::texts(const std::string& key) const {
  return has(key) ? values_.at(key) : std::vector<std::string>();
}

int64_t Values::integer(const std::string& key) const {
  if (const auto number = number_in<int64_t>(text(key))) return *number;
  throw UsageError(fmt::format("--{} must be an integer, found '{}'", key, text(key)));
}

double Values::number(const std::string& key) const { return number_in<double>(text(key)).value_or(0.0); }

const Argument& help_option() {
  static const Argument option = Argument("help", "", "print this help");
  return option;
}

const Argument& plugins_option() {
  static const Argument option = Argument("plugins", "DIR", "search DIR for plugins, as well as ASTROCLIP_PLUGIN_PATH")
                                     .repeated()
                                     .completed_by(Completes::folder);
  return option;
}

std::vector<std::string> take_plugin_folders(std::vector<std::string>& words) {
  const std::string option = "--" + plugins_option().key;
  std::vector<std::string> folders, rest;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == option && i + 1 < words.size()) {
      folders.push_back(words[++i]);
    } else if (words[i].starts_with(option + "=")) {
      folders.push_back(words[i].substr(option.size() + 1));
    } else {
      rest.push_back(words[i]);
    }
  }
  words = std::move(rest);
  return folders;
}

Assignment assign(const Verb& verb, const std::vector<std::string>& words) {
  Assignment to;
  for (const po::option& part : parts_of(verb, words)) {
    const bool is_option = part.position_key < 0;
    const Argument& argument = is_option ? option_named(verb, part.string_key) : positional_of(verb, part);
    const auto [values, is_new] = to.values.try_emplace(argument.key);
    if (is_option && !is_new && argument.takes == Takes::one) {
      throw UsageError(fmt::format("--{} is given twice", argument.key));
    }
    if (part.value.empty() && !is_flag(argument)) throw UsageError(missing_value(argument));
    values->second.insert(values->second.end(), part.value.begin(), part.value.end());
    to.last = &argument;
  }
  return to;
}

Values parse(const Verb& verb, std::span<const std::string> words) {
  Values::Map given = assign(verb, {words.begin(), words.end()}).values;
  if (!given.contains(help_option().key)) {
    check("", verb.positionals, given);
    check("--", verb.options, given);
  }
  return Values(std::move(given));
}

std::string help_of(const Verb& verb) {
  std::string help;
  for (const std::string& usage : verb.usages) {
    help += fmt::format("{} astroclip {}{}{}\n", help.empty() ? "usage:" : "      ", verb.name,
                        usage.empty() ? "" : " ", usage);
  }
  help += fmt::format("\n{}\n", fmt::join(wrapped(verb.description, line_width), "\n"));
  std::vector<std::pair<std::string, std::string>> positionals, options;
  for (const Argument& one : verb.positionals) positionals.emplace_back(value_name(one), full_meaning(one));
  for (const Argument& one : verb.options) options.emplace_back(option_heading(one), full_meaning(one));
  options.emplace_back(option_heading(help_option()), full_meaning(help_option()));
  help += listed("arguments", positionals) + listed("options", options) + "\nexamples:\n";
  for (const Example& example : verb.examples) {
    help += fmt::format("  {}\n      {}\n", example.command,
                        fmt::join(wrapped(example.meaning, line_width - 6), "\n      "));
  }
  return help;
}

int run(const Verb& verb, std::span<const std::string> words) {
  const Values values = parse(verb, words);
  if (!values.has(help_option().key)) return verb.run(values);
  fmt::print("{}", help_of(verb));
  return 0;
}

}  // namespace astroclip::app
