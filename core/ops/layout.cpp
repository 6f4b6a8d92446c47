#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "autograd/tape.h"
#include "ops/check_internal.h"
#include "ops/ops.h"
#include "tensor/index_bounds.h"

namespace astroclip::ops {

namespace {

Tensor permuted(const Tensor& x, std::span<const int> order) {
  std::vector<int64_t> extents;
  for (const int axis : order) extents.push_back(x.size(axis));
  Tensor y = like(x, Shape(extents));
  backend_of(x.device()).permute(x, order, y);
  return y;
}

/// The non-negative index of an axis. Throws Error if it does not exist.
int positive_axis(const char* op, const Shape& shape, int axis) {
  const int index = axis < 0 ? axis + shape.rank() : axis;
  if (index < 0 || index >= shape.rank()) refuse(op, "{} has no axis {}", shape.str(), axis);
  return index;
}

/// A range of one axis of a contiguous array, described as rows with a pitch.
struct Block {
  int64_t rows, width, pitch, offset;  // in elements
};

Block block_of(const Shape& whole, int axis, int64_t begin, int64_t length) {
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= whole[i];
  for (int i = axis + 1; i < whole.rank(); ++i) inner *= whole[i];
  return {outer, length * inner, whole[axis] * inner, begin * inner};
}

void copy_out(const Tensor& whole, const Block& block, Tensor& part) {
  const auto* from = static_cast<const std::byte*>(whole.data()) + block.offset * size_of(whole.dtype());
  backend_of(whole.device())
      .copy_blocks(from, block.pitch, part.mutable_data(), block.width, block.width, block.rows, whole.dtype(), false);
}

void copy_in(const Tensor& part, const Block& block, Tensor& whole, bool adds = false) {
  auto* to = static_cast<std::byte*>(whole.mutable_data()) + block.offset * size_of(whole.dtype());
  backend_of(whole.device())
      .copy_blocks(part.data(), block.width, to, block.pitch, block.width, block.rows, whole.dtype(), adds);
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  if (shape.numel() != x.numel()) refuse("reshape", "cannot view {} as {}", x.shape().str(), shape.str());
  return autograd::record("reshape", x.view_as(shape), {x},
                          [from = x.shape()](const Tensor& dy) { return std::vector<Tensor>{dy.view_as(from)}; });
}

Tensor permute(const Tensor& x, const std::vector<int>& order) {
  std::vector<int> sorted(order.begin(), order.end());
  std::ranges::sort(sorted);
  std::vector<int> all(static_cast<size_t>(x.rank()));
  std::iota(all.begin(), all.end(), 0);
  if (sorted != all) refuse("permute", "the order must name each axis of {} once", x.shape().str());
  std::vector<int> inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i) inverse[static_cast<size_t>(order[i])] = static_cast<int>(i);
  return autograd::record("permute", permuted(x, order), {x},
                          [inverse](const Tensor& dy) { return std::vector<Tensor>{permuted(dy, inverse)}; });
}

Tensor concat(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) refuse("concat", "needs at least one part");
  const Shape& first = parts.front().shape();
  const int along = positive_axis("concat", first, axis);
  int64_t total = 0;
  for (const Tensor& part : parts) {
    enter("concat", {&parts.front(), &part});
    if (part.rank() != first.rank() || part.shape().with(along, 0) != first.with(along, 0)) {
      refuse("concat", "parts must agree but for axis {}, found {} and {}", along, first.str(), part.shape().str());
    }
    total += part.size(along);
  }
  Tensor whole = like(parts.front(), first.with(along, total));
  std::vector<Block> blocks;
  std::vector<Shape> shapes;
  int64_t begin = 0;
  for (const Tensor& part : parts) {
    blocks.push_back(block_of(whole.shape(), along, begin, part.size(along)));
    shapes.push_back(part.shape());
    copy_in(part, blocks.back(), whole);
    begin += part.size(along);
  }
  return autograd::record("concat", whole, parts, [blocks, shapes](const Tensor& dy) {
    std::vector<Tensor> shares;
    for (size_t i = 0; i < blocks.size(); ++i) {
      shares.push_back(like(dy, shapes[i]));
      copy_out(dy, blocks[i], shares.back());
    }
    return shares;
  });
}

Tensor narrow(const Tensor& x, int axis, int64_t begin, int64_t length) {
  const int along = positive_axis("narrow", x.shape(), axis);
  if (begin < 0 || length < 0 || begin + length > x.size(along)) {
    refuse("narrow", "entries {} to {} do not lie on axis {} of {}", begin, begin + length, axis, x.shape().str());
  }
  const Block block = block_of(x.shape(), along, begin, length);
  Tensor part = like(x, x.shape().with(along, length));
  copy_out(x, block, part);
  // Several parts of one tensor add to one gradient.
  return autograd::record("narrow", part, {x}, [block, shape = x.shape()](const Tensor& dy, Tensor gathered) {
    Backend& backend = backend_of(dy.device());
    const bool adds = gathered.defined() && gathered.sole_owner() && dy.dtype() == backend.compute_dtype();
    Tensor dx = adds ? gathered : Tensor::zeros(shape, dy.dtype(), dy.device());
    copy_in(dy, block, dx, adds);
    if (gathered.defined() && !adds) backend.binary(BinaryOp::add, gathered, dx, dx);
    return std::vector<Tensor>{dx};
  });
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  Backend& backend = enter("broadcast_to", {&x});
  bool fits = x.rank() <= shape.rank();
  for (int i = 1; fits && i <= x.rank(); ++i) fits = x.size(-i) == 1 || x.size(-i) == shape[-i];
  if (!fits) refuse("broadcast_to", "{} does not broadcast to {}", x.shape().str(), shape.str());
  Tensor y = Tensor::zeros(shape, x.dtype(), x.device());
  backend.binary(BinaryOp::add, y, x, y);
  return autograd::record("broadcast_to", y, {x},
                          [from = x.shape()](const Tensor& dy) { return std::vector<Tensor>{reduce_to(dy, from)}; });
}

void check_in_range(const char* op, const Tensor& x, const Tensor& index, int64_t least) {
  const auto check = [&](int64_t value) {
    if (value >= least && value < x.size(0)) return;
    refuse(op, "index {} lies outside the {} rows of {}", value, x.size(0), x.shape().str());
  };
  if (is_host_memory(index.device())) {
    const auto* values = index.data_as<int64_t>();
    for (int64_t i = 0; i < index.numel(); ++i) check(values[i]);
  } else if (const std::optional<IndexBounds> bounds = known_bounds(index)) {
    if (bounds->least >= least && bounds->greatest < x.size(0)) return;
    for (const double value : index.to_doubles()) check(static_cast<int64_t>(value));  // it may be a part of the upload
  }
}

namespace {

void check_index(const char* op, const Tensor& x, const Tensor& index) {
  if (index.dtype() != DType::i64 || index.rank() != 1) {
    refuse(op, "needs an i64 index of one axis, found {} {}", name_of(index.dtype()), index.shape().str());
  }
  if (x.rank() < 1) refuse(op, "needs rows, found a scalar");
  check_in_range(op, x, index, 0);
}

}  // namespace

Tensor gather_rows(const Tensor& x, const Tensor& index) {
  check_index("gather_rows", x, index);
  Tensor y = like(x, x.shape().with(0, index.numel()));
  backend_of(x.device()).gather_rows(x, index, y);
  return autograd::record("gather_rows", y, {x}, [index, shape = x.shape()](const Tensor& dy, Tensor gathered) {
    if (!gathered.defined()) gathered = Tensor::zeros(shape, dy.dtype(), dy.device());
    Tensor dx = gathered.sole_owner() ? gathered : gathered.clone();
    backend_of(dy.device()).scatter_add_rows(dy, index, dx);
    return std::vector<Tensor>{dx};
  });
}

Tensor add_rows(const Tensor& x, const Tensor& y, const AddRowsOptions& options) {
  const Tensor &index = options.index, &scale = options.scale;
  const double factor = options.factor;
  Backend& backend = enter("add_rows", {&x, &y, &scale});
  if (index.defined()) check_index("add_rows", x, index);
  const Shape expected = index.defined() ? x.shape().with(0, index.numel()) : x.shape();
  if (y.shape() != expected) refuse("add_rows", "expected rows {}, found {}", expected.str(), y.shape().str());
  if (scale.defined() && (x.rank() < 1 || scale.shape() != Shape{x.size(-1)})) {
    refuse("add_rows", "the scale must be along the last axis of {}, found {}", x.shape().str(), scale.shape().str());
  }
  Tensor sum = like(x);
  backend.add_rows({x, y, optional_view(index), optional_view(scale), factor, sum});
  if (!autograd::needs_gradient({&x, &y, &scale})) return sum;
  return autograd::record("add_rows", sum, {x, y, scale},
                          [shape = y.shape(), y = scale.defined() ? y.detach() : Tensor(), index, factor,
                           scale = scale.defined() ? scale.detach() : Tensor()](const Tensor& dsum) {
                            Tensor dy = like(dsum, shape), dscale = scale.defined() ? like(scale) : Tensor();
                            backend_of(dsum.device())
                                .add_rows_backward({dsum, optional_view(y), optional_view(index), optional_view(scale),
                                                    factor, dy, scale.defined() ? View(dscale) : View()});
                            return std::vector<Tensor>{dsum, dy, dscale};
                          });
}

}  // namespace astroclip::ops
