#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "backend/reference/reference_backend.h"

namespace astroclip::reference {

void ReferenceBackend::permute(ConstView x, std::span<const int> order, View y) {
  const int rank = x.shape.rank();
  std::array<int64_t, Shape::max_rank> x_strides{};
  int64_t stride = 1;
  for (int axis = rank - 1; axis >= 0; --axis) {
    x_strides[axis] = stride;
    stride *= x.shape[axis];
  }
  const int64_t size = size_of(x.dtype);
  const auto* from = static_cast<const std::byte*>(x.data);
  auto* to = static_cast<std::byte*>(y.data);
  for (int64_t i = 0; i < y.numel(); ++i) {
    int64_t rest = i, source = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      source += rest % y.shape[axis] * x_strides[order[axis]];
      rest /= y.shape[axis];
    }
    std::memcpy(to + i * size, from + source * size, static_cast<size_t>(size));
  }
}

void ReferenceBackend::copy_blocks(const void* x, int64_t x_pitch, void* y, int64_t y_pitch, int64_t width,
                                   int64_t rows, DType dtype, bool accumulate) {
  const int64_t size = size_of(dtype);
  for (int64_t row = 0; row < rows; ++row) {
    const auto* from = static_cast<const std::byte*>(x) + row * x_pitch * size;
    auto* to = static_cast<std::byte*>(y) + row * y_pitch * size;
    if (!accumulate) {
      std::memcpy(to, from, static_cast<size_t>(width * size));
      continue;
    }
    for (int64_t i = 0; i < width; ++i) {
      reinterpret_cast<double*>(to)[i] += reinterpret_cast<const double*>(from)[i];
    }
  }
}

void ReferenceBackend::gather_rows(ConstView x, ConstView index, View y) {
  const int64_t count = index.numel();
  const int64_t bytes = count == 0 ? 0 : y.numel() / count * size_of(y.dtype);
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(static_cast<std::byte*>(y.data) + i * bytes,
                static_cast<const std::byte*>(x.data) + index.as<int64_t>()[i] * bytes, static_cast<size_t>(bytes));
  }
}

void ReferenceBackend::scatter_add_rows(ConstView dy, ConstView index, View dx) {
  const int64_t count = index.numel();
  const int64_t width = count == 0 ? 0 : dy.numel() / count;
  for (int64_t i = 0; i < count; ++i) {
    double* target = dx.as<double>() + index.as<int64_t>()[i] * width;
    for (int64_t j = 0; j < width; ++j) target[j] += dy.as<double>()[i * width + j];
  }
}

void ReferenceBackend::add_rows(const AddRowsArguments& a) {
  std::copy_n(a.x.as<double>(), a.x.numel(), a.sum.as<double>());
  if (a.y.numel() == 0) return;
  const int64_t width = a.y.shape[-1], of_row = a.y.numel() / a.y.shape[0];
  for (int64_t i = 0; i < a.y.numel(); ++i) {
    const int64_t row = i / of_row, target = a.index ? a.index.as<int64_t>()[row] : row;
    const double scale = a.scale ? a.scale.as<double>()[i % width] : 1.0;
    a.sum.as<double>()[target * of_row + i % of_row] += a.factor * scale * a.y.as<double>()[i];
  }
}

void ReferenceBackend::add_rows_backward(const AddRowsBackwardArguments& a) {
  if (a.dscale) std::fill_n(a.dscale.as<double>(), a.dscale.numel(), 0.0);
  if (a.dy.numel() == 0) return;
  const int64_t width = a.dy.shape[-1], of_row = a.dy.numel() / a.dy.shape[0];
  for (int64_t i = 0; i < a.dy.numel(); ++i) {
    const int64_t row = i / of_row, from = a.index ? a.index.as<int64_t>()[row] : row;
    const double gradient = a.factor * a.dsum.as<double>()[from * of_row + i % of_row];
    a.dy.as<double>()[i] = gradient * (a.scale ? a.scale.as<double>()[i % width] : 1.0);
    if (a.dscale) a.dscale.as<double>()[i % width] += gradient * a.y.as<double>()[i];
  }
}

void ReferenceBackend::reduce(ReduceOp op, ConstView x, View y) {
  const double start = op == ReduceOp::sum ? 0.0 : -std::numeric_limits<double>::infinity();
  std::fill_n(y.as<double>(), y.numel(), start);
  const int rank = x.shape.rank();
  for (int64_t i = 0; i < x.numel(); ++i) {
    int64_t rest = i, target = 0, stride = 1;
    for (int axis = rank - 1; axis >= 0; --axis) {
      const int64_t position = rest % x.shape[axis];
      rest /= x.shape[axis];
      if (y.shape[axis] != 1) target += position * stride;
      stride *= y.shape[axis];
    }
    double& result = y.as<double>()[target];
    result = op == ReduceOp::sum ? result + x.as<double>()[i] : std::max(result, x.as<double>()[i]);
  }
}

}  // namespace astroclip::reference
