#pragma once

#include <string>
#include <vector>

#include "api/task.h"
#include "probe/protocol.h"

namespace astroclip::probe {

/// The redshift of the published numbers: that of PROVABGS (Hahn et al. 2022).
constexpr const char* published_redshift = "Z_HP";

/// Labels that a protocol selects objects by, where the dataset has them.
std::vector<std::string> labels_of_selection(Protocol protocol);

/// What a task reads of a TaskInput beside its representations, and a sentence for the report's note.
struct Selected {
  TaskInput input;
  std::string sentence = {};
};
/// All objects, or, as the published numbers have it, those with PROVABGS_LOGMSTAR_BF, MAG_G, MAG_R and MAG_Z above 0,
/// where these labels are there: the others have no labels.
Selected select_objects(const TaskInput& given, Protocol protocol);

}  // namespace astroclip::probe
