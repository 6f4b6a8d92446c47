#include "neighbours.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/survey.h"

namespace astroclip::simulation {

namespace {

constexpr int64_t side = data::image_side;
constexpr double stamp_degrees = static_cast<double>(side) * data::pixel_scale / 3600.0;

/// Numbers grow by 10^slope a magnitude, to `faintest`.
double draw_magnitude(double slope, double brightest, double faintest, Rng& rng) {
  return std::max(brightest, faintest + std::log10(1.0 - rng.uniform()) / slope);
}

int64_t draw_count(double mean, Rng& rng) {
  // Poisson, by products of uniform numbers (Knuth).
  int64_t count = 0;
  for (double product = rng.uniform(); product > std::exp(-mean); product *= rng.uniform()) ++count;
  return count;
}

/// Fluxes by r, g − r and r − z; i lies between r and z.
BandFluxes fluxes_of(double r, double g_r, double r_z) {
  const auto flux = [](double magnitude) { return std::pow(10.0, 0.4 * (data::zero_point - magnitude)); };
  return {flux(r + g_r), flux(r), flux(r - 0.55 * r_z), flux(r - r_z)};
}

void add_at(std::span<float> stamp, int64_t x, int64_t y, double value) {
  if (x >= 0 && x < side && y >= 0 && y < side) stamp[static_cast<size_t>(y * side + x)] += static_cast<float>(value);
}

}  // namespace

std::vector<Neighbour> draw_neighbours(Rng& rng) {
  constexpr double area = stamp_degrees * stamp_degrees;
  std::vector<Neighbour> neighbours;
  const auto place = [&] { return std::array{rng.uniform(0.0, side - 1.0), rng.uniform(0.0, side - 1.0)}; };
  for (int64_t left = draw_count(1e4 * area, rng); left > 0; --left) {
    Neighbour galaxy{place(), {}, {}};
    const double r = draw_magnitude(0.4, 15.0, 22.0, rng);
    galaxy.fluxes = fluxes_of(r, 0.9 + 0.35 * rng.normal(), 0.75 + 0.25 * rng.normal());
    galaxy.profile = {.sersic_index = 1.0,
                      .radius = 0.7 * std::pow(10.0, 0.13 * (21.0 - r) + 0.2 * rng.normal()),
                      .axis_ratio = rng.uniform(0.25, 1.0),
                      .position_angle = rng.uniform(0.0, std::numbers::pi)};
    neighbours.push_back(galaxy);
  }
  for (int64_t left = draw_count(2500.0 * area, rng); left > 0; --left) {
    Neighbour star{place(), {}, {}};
    const double g_r = rng.uniform(0.3, 1.5);
    star.fluxes = fluxes_of(draw_magnitude(0.15, 14.0, 21.0, rng), g_r, 0.9 * g_r - 0.15);
    star.profile.radius = 0.0;
    neighbours.push_back(star);
  }
  return neighbours;
}

void add_neighbour(const Neighbour& neighbour, int64_t band, std::span<float> stamp) {
  const double flux = neighbour.fluxes[static_cast<size_t>(band)];
  const auto [x, y] = neighbour.place;
  if (neighbour.profile.radius <= 0.0) {
    const auto left = static_cast<int64_t>(x), top = static_cast<int64_t>(y);
    const double u = x - static_cast<double>(left), v = y - static_cast<double>(top);
    add_at(stamp, left, top, flux * (1.0 - u) * (1.0 - v));
    add_at(stamp, left + 1, top, flux * u * (1.0 - v));
    add_at(stamp, left, top + 1, flux * (1.0 - u) * v);
    add_at(stamp, left + 1, top + 1, flux * u * v);
    return;
  }
  // An exponential disc of scale length radius/1.678; a floor of a third of a pixel stands for the mean over pixels.
  const double length = std::hypot(neighbour.profile.radius / data::pixel_scale / 1.678, 0.3);
  const double ratio = neighbour.profile.axis_ratio;
  const double c = std::cos(neighbour.profile.position_angle), s = std::sin(neighbour.profile.position_angle);
  const auto reach = static_cast<int64_t>(std::ceil(6.0 * length));
  const auto mx = std::lround(x), my = std::lround(y);
  const auto shape = [&](int64_t i, int64_t j) {
    const double dx = static_cast<double>(mx + i) - x, dy = static_cast<double>(my + j) - y;
    return std::exp(-std::hypot((dx * c + dy * s) / length, (dy * c - dx * s) / (length * ratio)));
  };
  double sum = 0.0;
  for (int64_t j = -reach; j <= reach; ++j)
    for (int64_t i = -reach; i <= reach; ++i) sum += shape(i, j);
  for (int64_t j = -reach; j <= reach; ++j)
    for (int64_t i = -reach; i <= reach; ++i) add_at(stamp, mx + i, my + j, flux * shape(i, j) / sum);
}

void add_defects(std::span<float> stamp, Rng& rng) {
  const double ray = rng.uniform(), dead = rng.uniform();
  double x = rng.uniform(0.0, side), y = rng.uniform(0.0, side);
  const double angle = rng.uniform(0.0, 2.0 * std::numbers::pi), brightness = 0.3 * std::exp(rng.normal());
  const int64_t length = 3 + rng.below(20), column = rng.below(side);
  for (int64_t step = 0; ray < 0.03 && step < length; ++step, x += std::cos(angle), y += std::sin(angle)) {
    add_at(stamp, static_cast<int64_t>(x), static_cast<int64_t>(y), brightness);
  }
  for (int64_t row = 0; dead < 0.01 && row < side; ++row) stamp[static_cast<size_t>(row * side + column)] = 0.0F;
}

}  // namespace astroclip::simulation
