"""Pictures of the README: `python make_pictures.py RUN_DIRECTORY OUTPUT.png` (needs numpy, matplotlib, vtk).

RUN_DIRECTORY holds the output of `underdamp run examples/oscillator.toml`.
"""
import csv
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy


def read_density(file):
    reader = vtk.vtkXMLImageDataReader()
    reader.SetFileName(str(file))
    reader.Update()
    image = reader.GetOutput()
    cells = np.array(image.GetDimensions()) - 1
    values = vtk_to_numpy(image.GetCellData().GetArray("density")).reshape(cells[1], cells[0])
    origin, spacing = np.array(image.GetOrigin()), np.array(image.GetSpacing())
    return origin, origin + spacing * cells, values


def main(run, output):
    run = Path(run)
    frames = [(float(e.get("timestep")), run / e.get("file")) for e in ElementTree.parse(run / "density.pvd").iter("DataSet")]
    history = list(csv.DictReader(open(run / "history.csv")))
    theta = [float(row["mean_theta"]) for row in history]
    velocity = [float(row["mean_v"]) for row in history]
    chosen = [min(range(len(frames)), key=lambda k: abs(frames[k][0] - t)) for t in (0.0, 0.4, 1.0, 1.8, 3.0, frames[-1][0])]
    shown = np.zeros(4)  # what is brighter than a thousandth of the peak at any of these times
    figure, axes = plt.subplots(1, len(chosen), figsize=(14, 2.9), sharey=True, constrained_layout=True)
    for axis, index in zip(axes, chosen):
        time, file = frames[index]
        low, high, density = read_density(file)
        axis.imshow(density / density.max(), origin="lower", extent=[low[0], high[0], low[1], high[1]], aspect="auto", cmap="magma")
        axis.plot(theta[: index + 1], velocity[: index + 1], color="w", lw=0.8, alpha=0.8)
        rows, columns = np.nonzero(density > 1e-3 * density.max())
        cell = (high - low)[:2] / np.array(density.shape[::-1])
        bounds = [low[0] + columns.min() * cell[0], low[0] + columns.max() * cell[0], low[1] + rows.min() * cell[1], low[1] + rows.max() * cell[1]]
        shown = [min(shown[0], bounds[0]), max(shown[1], bounds[1]), min(shown[2], bounds[2]), max(shown[3], bounds[3])]
        axis.set_title(f"t = {time:.3g}", fontsize=10)
        axis.set_xlabel(r"$\theta$")
    for axis in axes:
        axis.set_xlim(shown[0], shown[1])
        axis.set_ylim(shown[2], shown[3])
    axes[0].set_ylabel(r"$v$")
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:3])
