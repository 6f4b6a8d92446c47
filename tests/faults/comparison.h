#pragma once

#include <string>
#include <vector>

namespace astroclip::faults {

/// The files below `folder` with a final name that cannot be read: "FILE: reason", one per file.
std::vector<std::string> unreadable_files(const std::string& folder);

/// The differences of `folder` from `reference`: "FILE: difference", one per file. Both must have the same files, byte
/// for byte. Times and durations differ between runs, so the log is ignored, and the keys "time", "objects_per_second"
/// and "wait_share" of metrics. An event file must match the metrics beside it. Runs of a sweep may differ in which of
/// them trained the stage `shared`, so its metrics, figures and best weights are ignored.
std::vector<std::string> differences(const std::string& reference, const std::string& folder,
                                     const std::string& shared = "");

}  // namespace astroclip::faults
