#pragma once

#include <cstdint>
#include <vector>

#include "probe/probe_file.h"

namespace astroclip::probe {

/// Fitted on the columns of all tokens of the sample's objects, `at_once` objects of which are read at a time.
Standardiser token_standardiser(const Sample& train, Standardisation how, int64_t at_once);

/// What an attentive probe predicts of the sample's objects, `at_once` of which are read at a time: [objects, outputs].
std::vector<double> predict_from_tokens(const FittedProbe& fitted, const Sample& test, int64_t at_once);

}  // namespace astroclip::probe
