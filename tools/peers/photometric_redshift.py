"""Photometric redshifts of experiments/photometric-redshift.toml beside scikit-learn's, of the same objects.

    python tools/peers/photometric_redshift.py RUN kcorrect_gst_tests_small.fits

Needs h5py, astropy and scikit-learn. Prints R², σ_NMAD and the outliers of both, by how much the k-NN predictions differ, and of
posterior densities beside scikit-learn's gradient-boosted quantiles the same of the medians, the pinball loss of the quantiles at
16, 50 and 84 %, and the share of redshifts between the outer two.
"""
import sys

import h5py
import numpy as np
from astropy.table import Table
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

run, path = sys.argv[1:]
table = Table.read(path)
flux, extinction = np.asarray(table["MODELFLUX"], float), np.asarray(table["EXTINCTION"], float)
with np.errstate(invalid="ignore"):  # a few fluxes are below 0
    magnitudes = 22.5 - 2.5 * np.log10(flux) - extinction + np.array([-0.04, 0, 0, 0, 0.02])
magnitudes = magnitudes.astype(np.float32).astype(float)  # as the floor holds them
redshift = np.asarray(table["Z"], float)

predictions = h5py.File(f"{run}/predictions.h5")["redshift/Z/photometry/magnitudes"]
test = predictions["knn/object_id"][:] - 1
train = np.setdiff1d(np.arange(len(table)), test)
measured = np.isfinite(magnitudes).all(axis=1)
train = train[measured[train]]
scale = StandardScaler().fit(magnitudes[train])
x, y = scale.transform(magnitudes[train]), redshift[train]


def report(name, predicted):
    truth = redshift[test]
    error = (predicted - truth) / (1 + truth)
    r2 = 1 - ((predicted - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    nmad = 1.4826 * np.median(np.abs(error - np.median(error)))
    print(f"{name:24} R2 {r2:.4f}  NMAD {nmad:.5f}  beyond 0.05 {np.mean(np.abs(error) > 0.05):.4f}")


knn = KNeighborsRegressor(64, weights="distance").fit(x, y).predict(scale.transform(magnitudes[test]))
report("k-NN, astroclip", predictions["knn/predicted"][:])
report("k-NN, scikit-learn", knn)
print(f"largest difference of the k-NN predictions: {np.abs(knn - predictions['knn/predicted'][:]).max():.2g}")
for name in sorted(key for key in predictions if key.startswith("mlp")):
    report(f"{name}, astroclip", predictions[f"{name}/predicted"][:])
mean, deviation = y.mean(), y.std()
for seed in range(3):
    mlp = MLPRegressor(hidden_layer_sizes=(64, 64), alpha=0.0, batch_size=64, max_iter=50, n_iter_no_change=50, random_state=seed)
    predicted = mlp.fit(x, (y - mean) / deviation).predict(scale.transform(magnitudes[test]))
    report(f"mlp {seed + 1}, scikit-learn", predicted * deviation + mean)

levels = (0.16, 0.5, 0.84)


def report_quantiles(name, quantiles):
    report(name, quantiles[:, 1])
    truth = redshift[test]
    loss = np.mean([mean_pinball_loss(truth, q, alpha=level) for q, level in zip(quantiles.T, levels)])
    within = np.mean((truth > quantiles[:, 0]) & (truth < quantiles[:, 2]))
    print(f"{'':24} pinball loss {loss:.5f}  within 68 % {within:.3f}")


densities = h5py.File(f"{run}/predictions.h5")["posterior/Z/photometry/magnitudes"]
for name in sorted(key for key in densities if "flow" in key and "PIT" not in key):
    report_quantiles(f"{name}, astroclip", densities[f"{name}/predicted"][:])
boosted = [HistGradientBoostingRegressor(loss="quantile", quantile=level, random_state=0).fit(x, y) for level in levels]
report_quantiles("boosted, scikit-learn", np.stack([one.predict(scale.transform(magnitudes[test])) for one in boosted], axis=1))
