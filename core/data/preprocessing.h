#pragma once

#include <optional>
#include <string>

#include "api/dataset.h"
#include "data/to_rgb.h"

/// How plain views are made, as Dataset::preprocessing tells it and model files keep it. What a modality's table says
/// is for people, but for the numbers `to_rgb_scales` (one for each band), `to_rgb_m` and `to_rgb_q`: images whose
/// table has them go through that stretch.
namespace astroclip::data {

/// Images in nanomaggies on the survey's pixels, of as many bands, with their names ("griz", or "VIS,Y,J") or, where a
/// file does not say them, "". Three bands without names are g, r, z. The published stretch is of g, r, z; other images
/// have none.
config::Table image_preprocessing(int64_t bands, const std::string& names);
config::Table spectrum_preprocessing();

/// What the published encoders take, by modality.
config::Table published_preprocessing();

/// The stretch that the table of the field's modality names, if it names one. Throws Error when it has not one scale
/// for each plane of the field.
std::optional<RgbStretch> stretch_of(const config::Table& preprocessing, const Field& field);

}  // namespace astroclip::data
