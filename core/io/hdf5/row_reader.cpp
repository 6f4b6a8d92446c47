#include "io/hdf5/row_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "io/hdf5/chunk_filters.h"

namespace astroclip::io {

RowReader::RowReader(Hdf5File file, std::string name, std::shared_ptr<BlockCache> cache)
    : file_(std::move(file)),
      name_(std::move(name)),
      cache_(std::move(cache)),
      owner_(cache_->new_owner()),
      layout_(file_.layout(name_)),
      row_bytes_(layout_.shape.rank() == 0 ? 0 : layout_.shape.with(0, 1).numel() * size_of(layout_.dtype)) {}

bool RowReader::is_decoded_here() const {
  return layout_.kind == Hdf5Layout::Kind::filtered && bytes_together() <= cache_->limit();
}

void RowReader::read(std::span<const int64_t> rows, DType dtype, void* out) const {
  if (dtype != layout_.dtype || !is_parallel()) return file_.read_rows(name_, rows, dtype, out);
  for (const int64_t row : rows)
    if (row < 0 || row >= layout_.shape[0])
      throw Error(fmt::format("{}: dataset '{}': has {} rows; row {} was requested", file_.path(), name_,
                              layout_.shape[0], row));
  if (layout_.kind == Hdf5Layout::Kind::contiguous)
    read_contiguous(rows, static_cast<std::byte*>(out));
  else
    read_blocks(rows, static_cast<std::byte*>(out));
}

void RowReader::read_contiguous(std::span<const int64_t> rows, std::byte* out) const {
  for (size_t i = 0; i < rows.size();) {
    size_t count = 1;
    while (i + count < rows.size() && rows[i + count] == rows[i] + static_cast<int64_t>(count)) ++count;
    const size_t bytes = count * static_cast<size_t>(row_bytes_);
    file_.read_bytes(layout_.offset + rows[i] * row_bytes_, {out + static_cast<int64_t>(i) * row_bytes_, bytes});
    i += count;
  }
}

void RowReader::read_blocks(std::span<const int64_t> rows, std::byte* out) const {
  const int64_t together = layout_.chunk[0];
  std::shared_ptr<const BlockCache::Block> block;
  int64_t held = -1;
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t index = rows[i] / together;
    if (index != held)
      block = cache_->get(owner_, index, bytes_together(), [&](BlockCache::Block& into) { decode_block(index, into); });
    held = index;
    std::memcpy(out + static_cast<int64_t>(i) * row_bytes_, block->data() + (rows[i] - index * together) * row_bytes_,
                static_cast<size_t>(row_bytes_));
  }
}

void RowReader::decode_block(int64_t index, BlockCache::Block& block) const {
  thread_local std::vector<std::byte> raw, decoded;
  const int rank = layout_.shape.rank();
  std::vector<int64_t> origin(static_cast<size_t>(rank), 0);
  origin[0] = index * layout_.chunk[0];
  const int64_t end = std::min(origin[0] + layout_.chunk[0], layout_.shape[0]);
  const int64_t element = size_of(layout_.dtype);
  const bool is_whole = layout_.chunk.with(0, 1) == layout_.shape.with(0, 1);
  if (!is_whole) decoded.resize(static_cast<size_t>(layout_.chunk.numel() * element));
  for (;;) {
    const auto skipped = file_.read_chunk(name_, origin, raw);
    if (!skipped) {
      // Never written: an error, unless the dataset has a fill value of its own.
      std::vector<int64_t> rows;
      for (int64_t row = origin[0]; row < end; ++row) rows.push_back(row);
      return file_.read_rows(name_, rows, layout_.dtype, block.data());
    }
    try {
      undo_filters(layout_.filters, *skipped, element, raw, is_whole ? std::span(block) : std::span(decoded));
    } catch (const Error& error) {
      throw Error(fmt::format("{}: dataset '{}': the chunk of rows {} to {} is damaged: {}", file_.path(), name_,
                              origin[0], end - 1, error.what()));
    }
    if (is_whole) return;
    place_chunk(origin, decoded, block);
    int axis = rank - 1;
    for (; axis > 0; --axis) {
      const auto a = static_cast<size_t>(axis);
      origin[a] += layout_.chunk[axis];
      if (origin[a] < layout_.shape[axis]) break;
      origin[a] = 0;
    }
    if (axis == 0) return;
  }
}

void RowReader::place_chunk(std::span<const int64_t> origin, std::span<const std::byte> chunk,
                            BlockCache::Block& block) const {
  const int rank = layout_.shape.rank(), last = rank - 1;
  const int64_t element = size_of(layout_.dtype);
  const int64_t line = layout_.chunk[last];
  const int64_t kept = std::min(line, layout_.shape[last] - origin[static_cast<size_t>(last)]);
  std::vector<int64_t> at(static_cast<size_t>(rank), 0);  // position within the chunk
  for (int64_t from = 0; from < layout_.chunk.numel(); from += line) {
    int64_t to = 0;
    bool is_inside = true;
    for (int axis = 0; axis < rank; ++axis) {
      const auto a = static_cast<size_t>(axis);
      const int64_t place = at[a] + (axis == 0 ? 0 : origin[a]);
      is_inside = is_inside && (axis == 0 || place < layout_.shape[axis]);
      to = to * (axis == 0 ? 1 : layout_.shape[axis]) + place;
    }
    if (is_inside)
      std::memcpy(block.data() + to * element, chunk.data() + from * element, static_cast<size_t>(kept * element));
    for (int axis = last - 1; axis >= 0; --axis) {
      const auto a = static_cast<size_t>(axis);
      if (++at[a] < layout_.chunk[axis]) break;
      at[a] = 0;
    }
  }
}

}  // namespace astroclip::io
