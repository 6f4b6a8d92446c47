#include "report/gnuplot.h"

#include <cstdlib>

namespace astroclip::report {

namespace {

/// As one word of a shell's command.
std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char letter : text) word += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return word + "'";
}

}  // namespace

bool has_gnuplot() { return std::system("command -v gnuplot >/dev/null 2>&1") == 0; }

bool run_gnuplot(const std::string& folder, const std::vector<std::string>& scripts) {
  std::string command = "cd " + shell_word(folder) + " && LC_ALL=C gnuplot";
  for (const std::string& script : scripts) command += " " + shell_word(script);
  return std::system((command + " 2>/dev/null").c_str()) == 0;
}

std::string gnuplot_text(const std::string& text) {
  std::string constant = "'";
  for (const char letter : text)
    constant += letter == '\'' ? std::string("''") : std::string(1, letter == '\n' ? ' ' : letter);
  return constant + "'";
}

}  // namespace astroclip::report
