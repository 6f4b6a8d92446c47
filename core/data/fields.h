#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "api/dataset.h"

/// Fields of a dataset, checked where they enter: what a plugin hands over has the names, dtypes and shapes that it
/// declared, and is converted or refused, never reinterpreted.
namespace astroclip::data {

/// The field of that name. Throws Error naming the fields there are.
Field field_of(const Dataset& dataset, const std::string& name);

/// Rows of the named fields. Throws Error naming the field, what was expected and what was found when there is no such
/// field, or when the dataset gives another dtype or shape than it declares.
HostBatch read_fields(const Dataset& dataset, Split split, std::span<const int64_t> rows,
                      const std::vector<std::string>& names);

/// The same as f32: f64 is rounded. Throws Error naming the field for integers beyond ±2^24, which f32 cannot hold.
HostArray as_floats(HostArray array, const std::string& field);
/// The same as doubles; integers beyond ±2^53 are rounded.
std::vector<double> as_doubles(const HostArray& array);

/// A label of rows, as doubles whatever its type.
std::vector<double> read_label(const Dataset& dataset, Split split, std::span<const int64_t> rows,
                               const std::string& label);
/// The keys of the rows' identifiers, "object_id". Throws Error when the field holds no integers.
std::vector<int64_t> read_ids(const Dataset& dataset, Split split, std::span<const int64_t> rows);
/// The identifiers themselves.
ObjectIds read_object_ids(const Dataset& dataset, Split split, std::span<const int64_t> rows);

/// Whether the modality of each row was observed, as the flags ("has_image") say; true for a dataset without flags.
std::vector<bool> observed(const Dataset& dataset, Split split, std::span<const int64_t> rows,
                           const std::string& modality);

/// Rows of a split whose flags say that every named modality was observed ("has_image", "has_spectrum"); all of them
/// for a dataset without flags.
std::vector<int64_t> rows_with(const Dataset& dataset, Split split, const std::vector<std::string>& modalities);

}  // namespace astroclip::data
