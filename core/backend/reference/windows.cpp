#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/reference/reference_backend.h"
#include "base/threads.h"

namespace astroclip::reference {

namespace {

/// x [batch, height, width, channels] under windows.
struct Grid {
  Grid(const Shape& x, const Windows& on)
      : batch(x[0]),
        height(x[1]),
        width(x[2]),
        channels(x[3]),
        windows(on),
        rows(on.count(0, height)),
        columns(on.count(1, width)) {}

  /// Calls visit(window [batch · rows · columns], place in the window, position [batch · height · width]) for every
  /// position inside the border of every window of a sample.
  template <class Visit>
  void each(int64_t sample, const Visit& visit) const {
    for (int64_t i = 0; i < rows * columns; ++i) {
      const int64_t top = i / columns * windows.stride[0] - windows.padding[0];
      const int64_t left = i % columns * windows.stride[1] - windows.padding[1];
      for (int64_t place = 0; place < windows.size[0] * windows.size[1]; ++place) {
        const int64_t row = top + place / windows.size[1], column = left + place % windows.size[1];
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        visit(sample * rows * columns + i, place, (sample * height + row) * width + column);
      }
    }
  }

  int64_t batch, height, width, channels;
  Windows windows;
  int64_t rows, columns;
};

/// Calls body(sample) for every sample, samples in parallel.
template <class Body>
void for_each_sample(int64_t batch, const Body& body) {
  parallel_for(batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t sample = begin; sample < end; ++sample) body(sample);
  });
}

}  // namespace

void ReferenceBackend::convolution(const ConvolutionArguments& a) {
  const Grid grid(a.x.shape, a.windows);
  const int64_t in = grid.channels, out = a.weight.shape[0], places = a.windows.size[0] * a.windows.size[1];
  double* y = a.y.as<double>();
  for (int64_t i = 0; i < a.y.numel(); ++i) y[i] = a.bias ? a.bias.as<double>()[i % out] : 0.0;
  for_each_sample(grid.batch, [&](int64_t sample) {
    grid.each(sample, [&](int64_t window, int64_t place, int64_t position) {
      for (int64_t o = 0; o < out; ++o) {
        for (int64_t c = 0; c < in; ++c) {
          y[window * out + o] +=
              a.x.as<double>()[position * in + c] * a.weight.as<double>()[(o * in + c) * places + place];
        }
      }
    });
  });
  for (int64_t i = 0; a.residual && i < a.y.numel(); ++i) y[i] += a.residual.as<double>()[i];
  if (a.relu) unary(UnaryOp::relu, a.y, a.y);
}

void ReferenceBackend::convolution_backward_input(const ConvolutionBackwardInputArguments& a) {
  const Grid grid(a.dx.shape, a.windows);
  const int64_t in = grid.channels, out = a.weight.shape[0], places = a.windows.size[0] * a.windows.size[1];
  double* dx = a.dx.as<double>();
  std::fill_n(dx, a.dx.numel(), 0.0);
  for_each_sample(grid.batch, [&](int64_t sample) {
    grid.each(sample, [&](int64_t window, int64_t place, int64_t position) {
      for (int64_t o = 0; o < out; ++o) {
        for (int64_t c = 0; c < in; ++c) {
          dx[position * in + c] +=
              a.dy.as<double>()[window * out + o] * a.weight.as<double>()[(o * in + c) * places + place];
        }
      }
    });
  });
}

void ReferenceBackend::convolution_backward_weight(const ConvolutionBackwardWeightArguments& a) {
  const Grid grid(a.x.shape, a.windows);
  const int64_t in = grid.channels, out = a.dweight.shape[0], places = a.windows.size[0] * a.windows.size[1];
  std::fill_n(a.dweight.as<double>(), a.dweight.numel(), 0.0);
  for (int64_t sample = 0; sample < grid.batch; ++sample) {
    grid.each(sample, [&](int64_t window, int64_t place, int64_t position) {
      for (int64_t o = 0; o < out; ++o) {
        for (int64_t c = 0; c < in; ++c) {
          a.dweight.as<double>()[(o * in + c) * places + place] +=
              a.dy.as<double>()[window * out + o] * a.x.as<double>()[position * in + c];
        }
      }
    });
  }
  if (!a.dbias) return;
  std::fill_n(a.dbias.as<double>(), out, 0.0);
  for (int64_t i = 0; i < a.dy.numel(); ++i) a.dbias.as<double>()[i % out] += a.dy.as<double>()[i];
}

void ReferenceBackend::max_pool(ConstView x, const Windows& windows, View y, View index) {
  const Grid grid(x.shape, windows);
  const int64_t channels = grid.channels, plane = grid.height * grid.width;
  std::fill_n(y.as<double>(), y.numel(), -std::numeric_limits<double>::infinity());
  std::vector<int64_t> positions(static_cast<size_t>(y.numel()), -1);
  for_each_sample(grid.batch, [&](int64_t sample) {
    grid.each(sample, [&](int64_t window, int64_t, int64_t position) {
      for (int64_t c = 0; c < channels; ++c) {
        const double value = x.as<double>()[position * channels + c];
        double& top = y.as<double>()[window * channels + c];
        int64_t& at = positions[static_cast<size_t>(window * channels + c)];
        if (at >= 0 && !(value > top) && !(std::isnan(value) && !std::isnan(top))) continue;
        top = value;
        at = position % plane;
      }
    });
  });
  if (index) std::ranges::copy(positions, index.as<int64_t>());
}

void ReferenceBackend::max_pool_backward(ConstView dy, ConstView index, View dx) {
  const int64_t channels = dx.shape[3], plane = dx.shape[1] * dx.shape[2];
  const int64_t windows = dy.shape[1] * dy.shape[2];
  std::fill_n(dx.as<double>(), dx.numel(), 0.0);
  for (int64_t i = 0; i < dy.numel(); ++i) {
    const int64_t sample = i / channels / windows;
    dx.as<double>()[(sample * plane + index.as<int64_t>()[i]) * channels + i % channels] += dy.as<double>()[i];
  }
}

}  // namespace astroclip::reference
