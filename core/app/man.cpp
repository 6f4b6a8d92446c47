#include <fmt/format.h>

#include "app/man_page.h"
#include "app/verbs.h"

namespace astroclip::app {

Verb man_verb() {
  Verb verb{"man", {""}, "print the manual page", "Prints the manual page of all verbs, for man."};
  verb.examples = {{"astroclip man | man -l -", "to read it without installing anything"}};
  verb.run = [](const options::variables_map&) {
    fmt::print("{}", man_page(all_verbs()));
    return 0;
  };
  return verb;
}

}  // namespace astroclip::app
