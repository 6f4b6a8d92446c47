#pragma once

#include <string>
#include <vector>

namespace astroclip::faults {

/// What cannot be read of the files that stand below `folder` under their final names: "FILE: why", one each.
std::vector<std::string> unreadable_files(const std::string& folder);

/// In what `folder` is not what `reference` is: "FILE: how", one each. Files must be equal byte for byte, and be the
/// same files. Two hold moments and durations, which differ from run to run: the log is passed over, and of metrics
/// the keys "time", "objects_per_second" and "wait_share". An event file must hold what the metrics beside it say.
/// Which of a sweep's runs trained the stage `shared` and which took it over may differ: the lines of metrics and the
/// best weights that the training leaves are passed over.
std::vector<std::string> differences(const std::string& reference, const std::string& folder,
                                     const std::string& shared = "");

}  // namespace astroclip::faults
