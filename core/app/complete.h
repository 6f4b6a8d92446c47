#pragma once

#include <span>
#include <string>
#include <vector>

#include "app/verb.h"

namespace astroclip::app {

/// What may stand in place of the last of `words`, which are those behind "astroclip" on a command line. Each line is
/// "WORD" or "WORD<tab>MEANING"; ":files", ":files .toml" and ":folders" ask the shell for paths. Of a word
/// "--option=value" the value alone is completed. Words that a shell took apart at "=" are put together again.
std::string completions(const std::vector<std::string>& words, std::span<const Verb> verbs);

/// The script by which a shell, "bash", "zsh" or "fish", asks `astroclip __complete -- WORDS…`.
std::string completion_script(const std::string& shell);

}  // namespace astroclip::app
