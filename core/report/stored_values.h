#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/hdf5/hdf5.h"

namespace astroclip::report {

/// 0, 1 … of a dataset's rows.
std::vector<int64_t> all_rows(const io::Hdf5File& file, const std::string& name);

/// All values of a dataset, in the order of its axes.
std::vector<float> floats_in(const io::Hdf5File& file, const std::string& name);
std::vector<double> doubles_in(const io::Hdf5File& file, const std::string& name);
std::vector<int64_t> integers_in(const io::Hdf5File& file, const std::string& name);

}  // namespace astroclip::report
