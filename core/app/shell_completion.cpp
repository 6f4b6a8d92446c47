#include "app/shell_completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/value_words.h"

namespace astroclip::app {

namespace {

using Kind = ValueWords::Kind;

// The name in front of two spaces at the beginning of a line of `astroclip list`.
constexpr const char* names_in_list = R"x(list 2>/dev/null | sed -n 's/^  \([A-Za-z0-9_]*\)  .*/\1/p')x";

/// For use between single quotes.
std::string shell_quoted(const std::string& text) {
  std::string safe;
  for (const char c : text) safe += c == '\'' ? std::string(R"('\'')") : std::string(1, c);
  return safe;
}

std::vector<std::string> option_names(const Verb& verb) {
  std::vector<std::string> names;
  for (const auto& option : verb.options.options()) names.push_back("--" + option->long_name());
  names.emplace_back("--help");
  return names;
}

// bash

std::string bash_reply(const ValueWords& words) {
  switch (words.kind) {
    case Kind::files:
      return R"x(compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word"))x";
    case Kind::folders:
      return R"x(compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word"))x";
    case Kind::choices:
      return fmt::format(R"x(COMPREPLY=($(compgen -W "{}" -- "$word")))x", fmt::join(words.choices, " "));
    case Kind::plugins:
      return fmt::format(
          R"x(COMPREPLY=($(compgen -W "experiment $("${{COMP_WORDS[0]}}" "${{plugins[@]}}" {})" -- "$word")))x",
          names_in_list);
    case Kind::none:
      break;
  }
  return "return";
}

std::string bash_verb(const Verb& verb) {
  std::string text = fmt::format("    {})\n      case $previous in\n", verb.name);
  for (const auto& option : verb.options.options()) {
    const std::string value = value_name_of(*option);
    if (value.empty()) continue;
    text += fmt::format("        --{}) {}; return ;;\n", option->long_name(), bash_reply(words_for(value)));
  }
  text += fmt::format(
      "      esac\n      if [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"{}\" -- \"$word\")); return; fi\n",
      fmt::join(option_names(verb), " "));
  text += "      case $positionals in\n";
  for (size_t i = 0; i < verb.positionals.size(); ++i) {
    const Positional& positional = verb.positionals[i];
    text += fmt::format("        {}) {} ;;\n", positional.several ? "*" : fmt::format("{}", i),
                        bash_reply(words_for(positional.name)));
  }
  return text + "      esac ;;\n";
}

std::string bash(std::span<const Verb> verbs) {
  std::vector<std::string> names;
  for (const Verb& verb : verbs) names.push_back(verb.name);
  std::string text = R"(# Completion of astroclip for bash.
_astroclip() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} verb='' positionals=0 i
  local -a plugins=()
  COMPREPLY=()
  # Bash takes --option=value and key=value apart.
  if [[ $word == = ]]; then word=''; previous=${COMP_WORDS[COMP_CWORD-1]}
  elif [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}; fi
  if [[ $previous == --plugins ]]; then
    )" + bash_reply({Kind::folders}) +
                     R"(
    return
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --plugins) ((i++)); [[ ${COMP_WORDS[i]} == = ]] && ((i++)); plugins+=(--plugins "${COMP_WORDS[i]/#\~/$HOME}") ;;
      =) ((i++)) ;;
      -*) ;;
      *) if [[ -z $verb ]]; then verb=${COMP_WORDS[i]}; elif [[ ${COMP_WORDS[i-1]} != --* ]]; then ((positionals++)); fi ;;
    esac
  done
  case $verb in
)";
  text += fmt::format("    '') COMPREPLY=($(compgen -W \"{} --plugins --version --help\" -- \"$word\")) ;;\n",
                      fmt::join(names, " "));
  for (const Verb& verb : verbs) text += bash_verb(verb);
  return text + "  esac\n}\ncomplete -F _astroclip astroclip\n";
}

// zsh

std::string zsh_action(const ValueWords& words) {
  switch (words.kind) {
    case Kind::files:
      return "_files";
    case Kind::folders:
      return "_files -/";
    case Kind::choices:
      return fmt::format("({})", fmt::join(words.choices, " "));
    case Kind::plugins:
      return "_astroclip_plugins";
    case Kind::none:
      break;
  }
  return " ";
}

/// For a message between brackets or colons.
std::string zsh_message(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':') safe += '\\';
    safe += c;
  }
  return shell_quoted(safe);
}

std::string zsh_verb(const Verb& verb) {
  std::string text = fmt::format("        {})\n          _arguments", verb.name);
  for (const auto& option : verb.options.options()) {
    const std::string value = value_name_of(*option);
    text += fmt::format(" \\\n            '*--{}[{}]", option->long_name(), zsh_message(option->description()));
    if (!value.empty()) text += fmt::format(":{}:{}", zsh_message(value), zsh_action(words_for(value)));
    text += "'";
  }
  text += " \\\n            '--help[print this]'";
  for (size_t i = 0; i < verb.positionals.size(); ++i) {
    const Positional& positional = verb.positionals[i];
    text += fmt::format(" \\\n            '{}:{}:{}'", positional.several ? "*" : fmt::format("{}", i + 1),
                        zsh_message(positional.name), zsh_action(words_for(positional.name)));
  }
  return text + " ;;\n";
}

std::string zsh(std::span<const Verb> verbs) {
  std::string text = fmt::format(R"(#compdef astroclip
# Completion of astroclip for zsh.
_astroclip_plugins() {{
  compadd experiment $(astroclip {})
}}
_astroclip() {{
  local state line
  local -a verbs
  verbs=(
)",
                                 names_in_list);
  for (const Verb& verb : verbs) text += fmt::format("    '{}:{}'\n", verb.name, zsh_message(verb.meaning));
  text += R"(  )
  _arguments -C '*--plugins[search DIR for plugins, too]:DIR:_files -/' '--version[print version and features]' \
    '--help[list the verbs]' '1:verb:->verb' '*::word:->words'
  case $state in
    verb) _describe verb verbs ;;
    words)
      case $line[1] in
)";
  for (const Verb& verb : verbs) text += zsh_verb(verb);
  return text + R"(      esac ;;
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _astroclip "$@"; else compdef _astroclip astroclip; fi
)";
}

// fish

std::string fish_words(const ValueWords& words) {
  switch (words.kind) {
    case Kind::files:
      return "-r -F";
    case Kind::folders:
      return "-x -a '(__fish_complete_directories)'";
    case Kind::choices:
      return fmt::format("-x -a '{}'", fmt::join(words.choices, " "));
    case Kind::plugins:
      return fmt::format("-x -a '(echo experiment; astroclip {})'", shell_quoted(names_in_list));
    case Kind::none:
      break;
  }
  return "-x";
}

std::string fish(std::span<const Verb> verbs) {
  std::string text =
      "# Completion of astroclip for fish.\n"
      "complete -c astroclip -f\n"
      "complete -c astroclip -l plugins -x -a '(__fish_complete_directories)' -d 'search DIR for plugins, too'\n"
      "complete -c astroclip -n __fish_use_subcommand -l version -d 'print version and features'\n"
      "complete -c astroclip -l help -d 'tell more'\n";
  for (const Verb& verb : verbs) {
    text += fmt::format("complete -c astroclip -n __fish_use_subcommand -a {} -d '{}'\n", verb.name,
                        shell_quoted(verb.meaning));
    const std::string inside = fmt::format("complete -c astroclip -n '__fish_seen_subcommand_from {}'", verb.name);
    for (const auto& option : verb.options.options()) {
      const std::string value = value_name_of(*option);
      text += fmt::format("{} -l {} {} -d '{}'\n", inside, option->long_name(),
                          value.empty() ? "" : fish_words(words_for(value)), shell_quoted(option->description()));
    }
    if (!verb.positionals.empty()) {
      const ValueWords words = words_for(verb.positionals.front().name);
      if (words.kind != Kind::none) text += fmt::format("{} {}\n", inside, fish_words(words).substr(3));
    }
  }
  return text;
}

}  // namespace

std::string completion_script(const std::string& shell, std::span<const Verb> verbs) {
  if (shell == "bash") return bash(verbs);
  if (shell == "zsh") return zsh(verbs);
  if (shell == "fish") return fish(verbs);
  throw UsageError(fmt::format("there is no completion for '{}'; shells: bash, zsh, fish", shell));
}

}  // namespace astroclip::app
