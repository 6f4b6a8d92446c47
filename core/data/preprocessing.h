#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "pixels/stretch.h"

/// How plain views are made, as Dataset::preprocessing tells it and model files keep it. What a modality's table says
/// is for people, but for `bands` and the stretch that its images go through: the numbers `to_rgb_scales` (one for each
/// band), `to_rgb_m` and `to_rgb_q` of pixels::to_rgb, or `arcsinh_scales`, `arcsinh_m` and `arcsinh_q` of
/// pixels::arcsinh.
namespace astroclip::data {

/// Images in nanomaggies on the survey's pixels, of as many bands, with their names ("griz", or "VIS,Y,J") or, where a
/// file does not say them, "". Three bands without names are g, r, z. The published stretch is of g, r, z; other images
/// have none.
config::Table image_preprocessing(int64_t bands, const std::string& names);
config::Table spectrum_preprocessing();

/// What the published encoders take, by modality.
config::Table published_preprocessing();

/// The bands of a text: letters ("griz"), or names with commas between them ("VIS,Y,J"); and back.
std::vector<std::string> split_bands(const std::string& text);
std::string joined_bands(const std::vector<std::string>& bands);

/// The table of a modality; null where there is none.
const config::Table* modality_table(const config::Table& preprocessing, const std::string& modality);

/// An integer or a real number; none for a value of another kind and for null.
std::optional<double> real_number(const config::Value* value);

/// The names of the field's bands; empty where the table of its modality does not say as many.
std::vector<std::string> band_names(const config::Table& preprocessing, const Field& field);

/// The stretch that the table of the field's modality names, if it names one. Throws Error when it has not one scale
/// for each plane of the field.
std::optional<pixels::Stretch> stretch_of(const config::Table& preprocessing, const Field& field);

/// Puts the stretch of images of these bands into a modality's table, in the place of another one.
void set_stretch(config::Table& table, const std::vector<std::string>& bands,
                 const std::optional<pixels::Stretch>& stretch);

}  // namespace astroclip::data
