#include "app/value_words.h"

#include <sstream>

#include "plugin/host.h"

namespace astroclip::app {

namespace {

bool holds(const std::string& name, std::initializer_list<const char*> parts) {
  for (const char* part : parts)
    if (name.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

ValueWords words_for(const std::string& value_name) {
  using Kind = ValueWords::Kind;
  if (value_name == "KIND") {
    ValueWords words{Kind::choices};
    for (const plugin::Kind kind : plugin::all_kinds) words.choices.emplace_back(plugin::kind_name(kind));
    return words;
  }
  if (value_name.find('|') != std::string::npos) {
    ValueWords words{Kind::choices};
    std::istringstream text(value_name);
    for (std::string word; std::getline(text, word, '|');) words.choices.push_back(word);
    return words;
  }
  if (value_name == "PLUGIN") return {Kind::plugins};
  if (holds(value_name, {"=", "NAME", "PATTERN"})) return {Kind::none};
  if (holds(value_name, {"DIR", "RUN", "FOLDER"})) return {Kind::folders};
  return {value_name == "IN" || holds(value_name, {"FILE", "OUT"}) ? Kind::files : Kind::none};
}

std::string value_name_of(const options::option_description& option) {
  if (option.semantic()->max_tokens() == 0) return "";
  const std::string name = option.semantic()->name();
  return name.substr(0, name.find(" (="));  // without the default that stands behind it
}

}  // namespace astroclip::app
