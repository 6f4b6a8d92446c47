#pragma once

#include <vector>

#include "app/verb.h"

namespace astroclip::app {

/// Each is in a file of its own, takes what it needs out of the parsed values, and calls into the library.
Verb run_verb();
Verb runs_verb();
Verb compare_verb();
Verb report_verb();
Verb check_verb();
Verb list_verb();
Verb describe_verb();
Verb augment_verb();
Verb new_plugin_verb();
Verb simulate_verb();
Verb import_verb();
Verb inspect_verb();
Verb convert_verb();
Verb embed_verb();
Verb explore_verb();
Verb bench_verb();
Verb completion_verb();
Verb man_verb();

/// All of them, in the order of help.
const std::vector<Verb>& all_verbs();

}  // namespace astroclip::app
