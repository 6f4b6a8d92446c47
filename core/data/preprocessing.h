#pragma once

#include "config/value.h"

namespace astroclip::data {

/// How plain views are made, for Dataset::preprocessing: units and constants.
config::Table image_preprocessing();
config::Table spectrum_preprocessing();

/// What the published encoders take, by modality: so do those of every dataset of the paired layout.
config::Table published_preprocessing();

}  // namespace astroclip::data
