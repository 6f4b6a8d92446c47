#pragma once

#include <span>
#include <string>

#include "explore/columns.h"
#include "explore/embeddings.h"
#include "explore/exported_table.h"
#include "explore/view_index.h"

namespace astroclip::explore {

/// The most rows of a table that leaves the program.
inline constexpr int64_t most_exported = 2000000;

/// Rows as a table: object_id, all columns, and their positions on the maps of embeddings. `name` is the selection's.
/// Throws Error for more than most_exported.
ExportedTable table_of(const Embeddings& embeddings, const Columns& columns, const ViewIndex& index,
                       const std::string& name, std::span<const int64_t> rows);

}  // namespace astroclip::explore
