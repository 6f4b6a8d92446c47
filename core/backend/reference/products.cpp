#include <algorithm>

#include "backend/reference/reference_backend.h"
#include "base/threads.h"

namespace astroclip::reference {

namespace {

/// A matrix inside a flat array, read with its own strides.
struct Strided {
  const double* data;
  int64_t row, column;
  double operator()(int64_t i, int64_t j) const { return data[i * row + j * column]; }
};

Strided plain(const double* data, int64_t columns) { return {data, columns, 1}; }
Strided transposed(const double* data, int64_t columns) { return {data, 1, columns}; }

/// c = alpha · a b, plain triple loop; rows in parallel.
void product(Strided a, Strided b, double alpha, double* c, int64_t rows, int64_t columns, int64_t inner) {
  parallel_for(rows, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::fill_n(c + i * columns, columns, 0.0);
      for (int64_t k = 0; k < inner; ++k) {
        const double factor = alpha * a(i, k);
        for (int64_t j = 0; j < columns; ++j) c[i * columns + j] += factor * b(k, j);
      }
    }
  });
}

}  // namespace

void ReferenceBackend::matmul(ConstView a, bool transpose_a, ConstView b, bool transpose_b, double alpha, View c) {
  const int64_t rows = c.shape[-2], columns = c.shape[-1];
  const int64_t inner = transpose_a ? a.shape[-2] : a.shape[-1];
  const int64_t batches = rows * columns == 0 ? 0 : c.numel() / (rows * columns);
  for (int64_t batch = 0; batch < batches; ++batch) {
    const double* left = a.as<double>() + batch * rows * inner;
    const double* right = b.as<double>() + batch * inner * columns;
    product(transpose_a ? transposed(left, rows) : plain(left, inner),
            transpose_b ? transposed(right, inner) : plain(right, columns), alpha,
            c.as<double>() + batch * rows * columns, rows, columns, inner);
  }
}

void ReferenceBackend::linear(const LinearArguments& arguments) {
  const int64_t in = arguments.weight.shape[1], out = arguments.weight.shape[0];
  const int64_t rows = out == 0 ? 0 : arguments.y.numel() / out;
  double* y = arguments.y.as<double>();
  product(plain(arguments.x.as<double>(), in), transposed(arguments.weight.as<double>(), in), 1.0, y, rows, out, in);
  if (arguments.bias) {
    for (int64_t i = 0; i < rows * out; ++i) y[i] += arguments.bias.as<double>()[i % out];
  }
  if (arguments.pre_activation) std::copy_n(y, rows * out, arguments.pre_activation.as<double>());
  const View all(y, {rows, out}, DType::f64);
  if (arguments.activation == Activation::gelu) unary(UnaryOp::gelu, all, all);
  if (arguments.activation == Activation::relu) unary(UnaryOp::relu, all, all);
  if (arguments.scale) {
    for (int64_t i = 0; i < rows * out; ++i) y[i] *= arguments.scale.as<double>()[i % out];
  }
  if (arguments.residual) {
    for (int64_t i = 0; i < rows * out; ++i) y[i] += arguments.residual.as<double>()[i];
  }
}

void ReferenceBackend::linear_backward_input(const LinearBackwardInputArguments& arguments) {
  const int64_t in = arguments.weight.shape[1], out = arguments.weight.shape[0];
  const int64_t rows = in == 0 ? 0 : arguments.dx.numel() / in;
  std::vector<double> scaled;
  const double* dy = arguments.dy.as<double>();
  if (arguments.scale) {
    scaled.assign(dy, dy + rows * out);
    for (int64_t i = 0; i < rows * out; ++i) scaled[static_cast<size_t>(i)] *= arguments.scale.as<double>()[i % out];
    dy = scaled.data();
  }
  product(plain(dy, out), plain(arguments.weight.as<double>(), in), 1.0, arguments.dx.as<double>(), rows, in, out);
}

void ReferenceBackend::linear_backward_weight(const LinearBackwardWeightArguments& arguments) {
  const int64_t in = arguments.dweight.shape[1], out = arguments.dweight.shape[0];
  const int64_t rows = out == 0 ? 0 : arguments.dy.numel() / out;
  product(transposed(arguments.dy.as<double>(), out), plain(arguments.x.as<double>(), in), 1.0,
          arguments.dweight.as<double>(), out, in, rows);
  if (!arguments.dbias) return;
  double* dbias = arguments.dbias.as<double>();
  std::fill_n(dbias, out, 0.0);
  for (int64_t i = 0; i < rows * out; ++i) dbias[i % out] += arguments.dy.as<double>()[i];
}

}  // namespace astroclip::reference
