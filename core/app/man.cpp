#include <fmt/format.h>

#include "app/man_page.h"
#include "app/verbs.h"

namespace astroclip::app {

Verb man_verb() {
  return {.name = "man",
          .usages = {""},
          .meaning = "print the manual page",
          .description = "Prints a manual page of all verbs in roff, the format that man reads.",
          .examples = {{"astroclip man | man -l -", "reads it without installing anything"}},
          .run = [](const Values&) {
            fmt::print("{}", man_page(all_verbs()));
            return 0;
          }};
}

}  // namespace astroclip::app
