#include <fmt/format.h>

#include "app/shell_completion.h"
#include "app/verbs.h"

namespace astroclip::app {

Verb completion_verb() {
  Verb verb{"completion",
            {"bash|zsh|fish"},
            "print a script by which a shell completes what you type",
            "Prints a script that completes verbs, options, files and the names of plugins. An installed astroclip has "
            "the scripts in the places where the shells look for them."};
  verb.positionals = {{"shell", "bash|zsh|fish", "the shell"}};
  verb.examples = {{"source <(astroclip completion bash)", "for this shell; in ~/.bashrc, for every one"},
                   {"astroclip completion zsh > ~/.zfunc/_astroclip", "into a folder of zsh's fpath"},
                   {"astroclip completion fish > ~/.config/fish/completions/astroclip.fish", "for every fish"}};
  verb.run = [](const options::variables_map& values) {
    if (!values.contains("shell")) throw UsageError("completion needs the name of a shell: bash, zsh or fish");
    fmt::print("{}", completion_script(values["shell"].as<std::string>(), all_verbs()));
    return 0;
  };
  return verb;
}

}  // namespace astroclip::app
