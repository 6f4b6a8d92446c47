#pragma once

#include <span>
#include <string>
#include <vector>

/// How well numbers are predicted. Truth and predictions are of the same length; none gives NaN.
namespace astroclip::probe {

double median(std::vector<double> values);
/// Of values in rising order, between which it is interpolated linearly.
double quantile(std::span<const double> rising, double share);

/// The coefficient of determination: 1 − Σ (predicted − truth)² / Σ (truth − mean truth)²; NaN where the truth is
/// constant.
double r_squared(std::span<const double> predicted, std::span<const double> truth);

/// predicted − truth
std::vector<double> errors(std::span<const double> predicted, std::span<const double> truth);
/// Whether a label of that name is a redshift: "redshift", "z", "Z_HP", "z_spec", "photo_z" …, in any case.
bool is_redshift(const std::string& label);
/// Of redshifts: (predicted − truth) / (1 + truth).
std::vector<double> redshift_errors(std::span<const double> predicted, std::span<const double> truth);

double mean_error(std::span<const double> errors);
double mean_absolute_error(std::span<const double> errors);
/// The normalised median absolute deviation, σ_NMAD = 1.4826 · median |error − median error|: the standard deviation of
/// normal errors, unmoved by outliers (Brammer, van Dokkum & Coppi 2008, equation 5).
double nmad(std::vector<double> errors);
/// The interquartile range as the standard deviation of normal errors: σ_IQR = IQR / 1.349 (LSST Science Requirements,
/// Schmidt et al. 2020). Quartiles are interpolated linearly between errors in order.
double iqr_deviation(std::vector<double> errors);
/// The share of errors beyond ±limit.
double outlier_fraction(std::span<const double> errors, double limit);

}  // namespace astroclip::probe
