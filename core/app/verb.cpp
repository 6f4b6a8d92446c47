#include "app/verb.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>

namespace astroclip::app {

namespace {

/// Words of a paragraph, in lines.
std::string wrapped(const std::string& paragraph, size_t width, const std::string& indent) {
  std::string text, line;
  const auto flush = [&] {
    if (!line.empty()) text += fmt::format("{}{}\n", indent, line);
    line.clear();
  };
  for (size_t begin = 0; begin < paragraph.size();) {
    const size_t end = std::min(paragraph.find(' ', begin), paragraph.size());
    const std::string word = paragraph.substr(begin, end - begin);
    if (!line.empty() && indent.size() + line.size() + 1 + word.size() > width) flush();
    if (!line.empty()) line += ' ';
    line += word;
    begin = end + 1;
  }
  flush();
  return text;
}

constexpr size_t line_width = 100;

}  // namespace

options::typed_value<std::string>* text(const char* value_name) {
  return options::value<std::string>()->value_name(value_name);
}

options::typed_value<std::vector<std::string>>* texts(const char* value_name) {
  return options::value<std::vector<std::string>>()->composing()->value_name(value_name);
}

std::vector<std::string> texts_of(const options::variables_map& values, const std::string& key) {
  return values.contains(key) ? values[key].as<std::vector<std::string>>() : std::vector<std::string>();
}

options::variables_map parse(const Verb& verb, std::span<const std::string> words) {
  options::options_description all;
  all.add(verb.options).add_options()("help,h", "print this");
  options::positional_options_description order;
  for (const Positional& positional : verb.positionals) {
    if (positional.several) {
      all.add_options()(positional.key.c_str(), texts(""));
    } else {
      all.add_options()(positional.key.c_str(), text(""));
    }
    order.add(positional.key.c_str(), positional.several ? -1 : 1);
  }
  options::variables_map values;
  options::store(options::command_line_parser(std::vector<std::string>(words.begin(), words.end()))
                     .options(all)
                     .positional(order)
                     .run(),
                 values);
  if (!values.contains("help")) options::notify(values);
  return values;
}

std::string help_of(const Verb& verb) {
  std::string help;
  for (const std::string& usage : verb.usages) {
    help += fmt::format("{} astroclip {}{}{}\n", help.empty() ? "usage:" : "      ", verb.name,
                        usage.empty() ? "" : " ", usage);
  }
  help += fmt::format("\n{}", wrapped(verb.description, line_width, ""));
  if (!verb.positionals.empty()) help += "\n";
  for (const Positional& positional : verb.positionals) {
    help += fmt::format("  {:8} {}\n", positional.name, positional.meaning);
  }
  options::options_description shown("options", line_width);
  for (const auto& option : verb.options.options()) shown.add(option);
  shown.add_options()("help", "print this");
  help += fmt::format("\n{}\nexamples:\n", fmt::streamed(shown));
  for (const Example& example : verb.examples) {
    help += fmt::format("  {}\n{}", example.command, wrapped(example.meaning, line_width, "      "));
  }
  return help;
}

int run(const Verb& verb, std::span<const std::string> words) {
  const auto values = parse(verb, words);
  if (!values.contains("help")) return verb.run(values);
  fmt::print("{}", help_of(verb));
  return 0;
}

}  // namespace astroclip::app
