#include "app/complete.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>

#include "model/presets.h"
#include "plugin/host.h"

namespace astroclip::app {

namespace {

std::vector<std::string> joined(const std::vector<std::string>& parts) {
  std::vector<std::string> words;
  bool joins = false;
  for (const std::string& part : parts) {
    if (!words.empty() && (joins || part == "=")) {
      words.back() += part;
    } else {
      words.push_back(part);
    }
    joins = part == "=";
  }
  return words;
}

/// Folders that do not exist are passed over.
void search_plugins_in(const std::vector<std::string>& folders) {
  const char* home = std::getenv("HOME");
  for (std::string folder : folders) {
    if (folder.starts_with("~/") && home != nullptr) folder.replace(0, 1, home);
    try {
      plugin::Host::instance().add_search_path(folder);
    } catch (const Error&) {
    }
  }
}

/// The lines for one word.
class Offer {
 public:
  explicit Offer(std::string typed) : typed_(std::move(typed)) {}

  void word(const std::string& word, const std::string& meaning = "") {
    if (word.starts_with(typed_)) text_ += fmt::format("{}{}{}\n", word, meaning.empty() ? "" : "\t", meaning);
  }

  void option(const Argument& option) { word("--" + option.key, option.meaning); }

  void value(const Argument& argument) {
    for (const std::string& choice : argument.choices) word(choice);
    switch (argument.completes) {
      case Completes::plugin:
        plugins();
        return word("experiment", "the experiment file");
      case Completes::dataset:
        plugins(plugin::Kind::dataset);
        text_ += ":files .toml\n";
        return;
      case Completes::preset:
        for (const Preset& preset : presets()) word(preset.name);
        [[fallthrough]];
      case Completes::experiment:
        text_ += ":files .toml\n";
        return;
      case Completes::file:
        text_ += ":files\n";
        return;
      case Completes::folder:
        text_ += ":folders\n";
        return;
      case Completes::nothing:
        return;
    }
  }

  const std::string& text() const { return text_; }

 private:
  void plugins(std::optional<plugin::Kind> kind = {}) {
    for (const auto& plugin : plugin::Host::instance().list())
      if (plugin.problem.empty() && (!kind || plugin.kind == kind)) word(plugin.name, plugin.summary);
  }

  std::string typed_, text_;
};

std::string first_word(std::span<const Verb> verbs, const std::string& typed) {
  Offer offer(typed);
  for (const Verb& verb : verbs) offer.word(verb.name, verb.meaning);
  offer.option(plugins_option());
  offer.option(help_option());
  offer.word("--version", "print the version");
  return offer.text();
}

std::string options_of(const Verb& verb, const Values::Map& given, const std::string& typed) {
  Offer offer(typed);
  for (const Argument& option : verb.options)
    if (option.takes == Takes::one_each_time || !given.contains(option.key)) offer.option(option);
  offer.option(plugins_option());
  offer.option(help_option());
  return offer.text();
}

std::string value_of(const Argument& argument, const std::string& typed) {
  Offer offer(typed);
  offer.value(argument);
  return offer.text();
}

std::string argument_of(const Verb& verb, std::vector<std::string> words, const std::string& typed) {
  const bool is_option = typed.starts_with("--");
  const size_t mark = typed.find('=');
  if (is_option && mark == std::string::npos) return options_of(verb, assign(verb, words).values, typed);
  const size_t value = is_option ? mark + 1 : 0;
  words.push_back(typed.substr(0, value) + "any");  // an empty value would be an error
  return value_of(*assign(verb, words).last, typed.substr(value));
}

constexpr const char* bash = R"(# Completion of astroclip for bash.
_astroclip() {
  local line word=${COMP_WORDS[COMP_CWORD]}
  [[ $word == = ]] && word=''
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      ':files '*)
        compopt -o filenames
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -X "!*${line#:files }" -- "$word"; compgen -d -- "$word") ;;
      :files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
      :folders) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
      *) COMPREPLY+=("${line%%$'\t'*}") ;;
    esac
  done < <("${COMP_WORDS[0]/#\~/$HOME}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _astroclip astroclip
)";

constexpr const char* zsh = R"(#compdef astroclip
# Completion of astroclip for zsh.
_astroclip() {
  local line tab=$'\t' ret=1
  local -a offered lines
  lines=("${(@f)$("${words[1]/#\~/$HOME}" __complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  [[ $PREFIX == --*=* ]] && compset -P '*='
  for line in $lines; do
    case $line in
      ':files '*) _files -g "*${line#:files }" && ret=0 ;;
      :files) _files && ret=0 ;;
      :folders) _files -/ && ret=0 ;;
      ?*) line=${line//:/\\:}; offered+=("${line/$tab/:}") ;;
    esac
  done
  (( $#offered )) && _describe argument offered && ret=0
  return ret
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _astroclip "$@"; else compdef _astroclip astroclip; fi
)";

constexpr const char* fish = R"(# Completion of astroclip for fish.
function __astroclip_complete
  set -l words (commandline -opc)
  set -l typed (commandline -ct)
  set -l option (string match -r -- '^--[^=]*=' "$typed")
  set -l path (string replace -r -- '^--[^=]*=' '' "$typed")
  for line in ($words[1] __complete -- $words[2..-1] "$typed" 2>/dev/null)
    switch $line
      case ':files *'
        printf '%s\n' "$option"(__fish_complete_suffix "$path" (string replace ':files ' '' -- $line))
      case ':files'
        printf '%s\n' "$option"(__fish_complete_path "$path")
      case ':folders'
        printf '%s\n' "$option"(__fish_complete_directories "$path")
      case '*'
        printf '%s\n' "$option"$line
    end
  end
end
complete -c astroclip -f -a '(__astroclip_complete)'
)";

}  // namespace

std::string completions(const std::vector<std::string>& parts, std::span<const Verb> verbs) {
  std::vector<std::string> words = joined(parts);
  if (words.empty()) return "";
  const std::string typed = words.back();
  words.pop_back();
  search_plugins_in(take_plugin_folders(words));
  const std::string plugins = "--" + plugins_option().key;
  if (!words.empty() && words.back() == plugins) return value_of(plugins_option(), typed);
  if (typed.starts_with(plugins + "=")) return value_of(plugins_option(), typed.substr(plugins.size() + 1));
  if (words.empty()) return first_word(verbs, typed);
  const auto verb = std::ranges::find(verbs, words.front(), &Verb::name);
  try {
    return verb == verbs.end() ? "" : argument_of(*verb, {words.begin() + 1, words.end()}, typed);
  } catch (const UsageError&) {
    return "";  // nothing can follow what is wrong already
  }
}

std::string completion_script(const std::string& shell) {
  static const std::map<std::string, const char*> scripts = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
  return scripts.at(shell);
}

}  // namespace astroclip::app
