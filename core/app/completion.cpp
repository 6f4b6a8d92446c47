#include <fmt/format.h>

#include "app/complete.h"
#include "app/verbs.h"

namespace astroclip::app {

Verb completion_verb() {
  return {.name = "completion",
          .usages = {"bash|zsh|fish"},
          .meaning = "print the completion script of a shell",
          .description =
              "Prints a script that makes the shell complete verbs, options and their values, files, and names of "
              "plugins. An installation has the scripts where the shells look for them.",
          .positionals = {Argument("shell", "SHELL", "bash, zsh or fish").required().one_of({"bash", "zsh", "fish"})},
          .examples = {{"source <(astroclip completion bash)", "for this shell; in ~/.bashrc, for every bash"},
                       {"astroclip completion zsh > ~/.zfunc/_astroclip", "for zsh, with ~/.zfunc in fpath"},
                       {"astroclip completion fish > ~/.config/fish/completions/astroclip.fish", "for fish"}},
          .run = [](const Values& values) {
            fmt::print("{}", completion_script(values.text("shell")));
            return 0;
          }};
}

}  // namespace astroclip::app
