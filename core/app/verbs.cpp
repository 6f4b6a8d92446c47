#include "app/verbs.h"

namespace astroclip::app {

const std::vector<Verb>& all_verbs() {
  static const std::vector<Verb> verbs = {
      run_verb(),      runs_verb(),    compare_verb(),    report_verb(),   check_verb(),      list_verb(),
      describe_verb(), augment_verb(), new_plugin_verb(), simulate_verb(), import_verb(),     inspect_verb(),
      convert_verb(),  embed_verb(),   explore_verb(),    bench_verb(),    completion_verb(), man_verb(),
  };
  return verbs;
}

}  // namespace astroclip::app
