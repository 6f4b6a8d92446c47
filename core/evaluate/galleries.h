#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "api/task.h"
#include "evaluate/attention.h"

namespace astroclip::evaluate {

/// Test objects as queries, with their nearest other ones by the model's embeddings.
struct Gallery {
  std::string name;                     ///< "successes", "failures"
  std::vector<int64_t> queries;         ///< places among the test objects
  std::vector<std::string> directions;  ///< "image → spectrum": where queries and where neighbours are embedded
  int64_t neighbours = 0;
  std::vector<int64_t> nearest;  ///< [queries, directions, neighbours], −1: none
  std::vector<double> cosines;   ///< along `nearest`
  std::vector<int64_t> ranks;    ///< of the queries' own partners in the other modality; empty without one
};

/// Successes: queries drawn evenly from those whose own partner is among the nearest ten in both directions, where
/// there are such; failures: those whose partner is farthest, among up to 4000 objects. Where no two modalities share a
/// space, the queries of the one gallery, "examples", are drawn evenly. None without a representation of the model.
std::vector<Gallery> galleries_of(const TaskInput& input);

/// The queries of the first gallery.
std::vector<int64_t> first_queries(const std::vector<Gallery>& galleries);

/// An HDF5 file of what the report shows of test objects, and the embeddings and predictions do not have:
///   object_id [objects], labels/NAME [objects], and their units as attributes "unit of NAME"
///   galleries/NAME                what galleries_of gives
///   pictures/                     of the objects in the galleries, of each field that can be shown (shown_fields):
///     object [shown]              places among the test objects
///     images/FIELD [shown, 3, side, side]  from 0 to 1 (red, green, blue, the lowest row first)
///     spectra/FIELD [shown, pixels], wavelengths/FIELD [pixels]  in Å
///   attention/ENCODER/            of modalities that can be shown:
///     modality [1]                the field
///     object [shown], weights [shown, heads, tokens]
///     places [tokens, 2]          of images: column and row in the pixels of `image`; NaN of tokens without a place
///     wavelengths [tokens]        of spectra, in Å
///     image [shown, 3, side, side]  all that the encoder sees
/// `rows` are those of the test objects in the dataset.
void write_objects(const std::string& path, const TaskInput& input, const Dataset& dataset,
                   const std::vector<int64_t>& rows, const std::vector<Gallery>& galleries,
                   const std::vector<Attention>& attention);

}  // namespace astroclip::evaluate
