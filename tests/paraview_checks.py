"""Checks of paraview_test.sh, run by pvbatch.

  vectors DIRECTORY     what ParaView reads = what the files hold, decoded here without VTK = the exact solution
  picture FILE          both views show something
  animation FOLDER N    N pictures, each showing something, that differ
"""
import glob
import os
import sys
from xml.etree import ElementTree

import numpy as np
from paraview import servermanager, simple
from paraview.vtk.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOImage import vtkPNGReader

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "app", "plot"))
from underdamp_vti import read_vti

# The model of the spec in paraview_test.sh.
ETA, BETA, BATCH, HESSIAN, MINIMUM, SIGMA2 = 0.1, 0.9, 32, 1.0, 0.3, 1.0
START_MEAN, START_COVARIANCE = np.array([0.6 - MINIMUM, 0.0]), np.diag([0.004, 0.08])


def require(condition, message):
    if not condition:
        print(f"FAILED: {message}")
        sys.stdout.flush()
        os._exit(1)  # ParaView does not always leave quietly through sys.exit


# ------------------------------------------------------------------------------------------------------------- vectors


def decoded(file):
    """Cell centres along θ and v and cell arrays of a .vti, θ fastest, by a reader that knows nothing of VTK."""
    theta, v, arrays = read_vti(file)
    flat = {}
    for name, values in arrays.items():
        values = values.swapaxes(0, 1)
        flat[name] = values.reshape(-1, values.shape[2]) if values.ndim == 3 else values.reshape(-1)
    return theta, v, flat


def read_by_paraview(reader, time):
    reader.UpdatePipeline(time)
    data = servermanager.Fetch(reader).GetCellData()
    return {data.GetArrayName(k): vtk_to_numpy(data.GetArray(k)) for k in range(data.GetNumberOfArrays())}


class Exact:
    """Gaussian density of the oscillator and its current; drift matrix A, noise 2 D on v."""

    def __init__(self):
        self.k, self.gamma = 2 / (ETA * (1 + BETA)), 2 * (1 - BETA) / (ETA * (1 + BETA))
        self.diffusion = 2 * SIGMA2 * HESSIAN / (ETA * BATCH * (1 + BETA) ** 2)
        self.drift = np.array([[0.0, -1.0], [self.k * HESSIAN, self.gamma]])
        self.stationary = np.diag(
            [ETA * SIGMA2 / (2 * BATCH * (1 - BETA)), SIGMA2 * HESSIAN / (BATCH * (1 - BETA**2))]
        )

    def current(self, time, theta, v):
        """At time t, or stationary for None."""
        if time is None:
            mean, covariance = np.zeros(2), self.stationary
        else:
            values, vectors = np.linalg.eig(-self.drift * time)
            propagator = (vectors @ np.diag(np.exp(values)) @ np.linalg.inv(vectors)).real
            mean = propagator @ START_MEAN
            covariance = propagator @ (START_COVARIANCE - self.stationary) @ propagator.T + self.stationary
        inverse = np.linalg.inv(covariance)
        z = np.stack([theta - MINIMUM - mean[0], v - mean[1]], axis=-1)
        exponent = np.einsum("...i,ij,...j", z, inverse, z)
        density = np.exp(-0.5 * exponent) / (2 * np.pi * np.sqrt(np.linalg.det(covariance)))
        slope = -(z @ inverse)[..., 1] * density
        force = self.k * HESSIAN * (theta - MINIMUM) + self.gamma * v
        return np.stack([v * density, -force * density - self.diffusion * slope, 0 * v], axis=-1)


def check_vectors(directory):
    collection = os.path.join(directory, "density.pvd")
    entries = [(float(e.get("timestep")), e.get("file")) for e in ElementTree.parse(collection).iter("DataSet")]
    frames = simple.PVDReader(FileName=collection)
    frames.UpdatePipelineInformation()
    require(list(frames.TimestepValues) == [time for time, _ in entries], "the times of the frames")
    stationary = simple.XMLImageDataReader(FileName=[os.path.join(directory, "stationary.vti")])
    exact = Exact()
    for reader, time, file in [(frames, *entry) for entry in entries] + [(stationary, None, "stationary.vti")]:
        theta, v, written = decoded(os.path.join(directory, file))
        read = read_by_paraview(reader, time or 0.0)
        require("current" in written, f"{file}: no current")
        require(sorted(read) == sorted(written), f"{file}: arrays {sorted(read)} instead of {sorted(written)}")
        for name, values in written.items():
            same = read[name].dtype == values.dtype and np.array_equal(read[name], values)
            require(same, f"{file}: {name} is not what was written")
        expected = exact.current(time, *np.meshgrid(theta, v))
        current = read["current"].reshape(len(v), len(theta), 3)
        # Relative to the largest vector; in units in which both directions count alike.
        unit = np.array([np.abs(expected[..., 0]).max(), np.abs(expected[..., 1]).max(), 1.0])
        error = np.abs((current - expected) / unit).max()
        require(error < 1e-5, f"{file}: current differs from the exact one by {error:.1e}")
        print(f"{file}: {len(written)} arrays as written, current exact within {error:.1e}")


# ------------------------------------------------------------------------------------------------------------ pictures


def pixels(file):
    require(os.path.isfile(file), f"there is no {file}")
    reader = vtkPNGReader()
    reader.SetFileName(file)
    reader.Update()
    image = reader.GetOutput()
    width, height, _ = image.GetDimensions()
    require(width > 100 and height > 100, f"{file} is no picture")
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[..., :3].astype(int)


def check_picture(file):
    """Axes, letters and an empty view are grey; a colour bar alone covers one per cent of a view."""
    picture = pixels(file)
    half = picture.shape[1] // 2
    for name, view in (("left", picture[:, :half]), ("right", picture[:, half:])):
        colored = view[np.ptp(view, axis=-1) > 50]
        share, colors = len(colored) / (view.shape[0] * view.shape[1]), len(np.unique(colored, axis=0))
        require(share > 0.08, f"{file}: only {share:.1%} of the {name} view is coloured")
        require(colors > 100, f"{file}: only {colors} colours in the {name} view")
        print(f"{os.path.basename(file)}, {name} view: {share:.0%} coloured, {colors} colours")


def check_animation(folder, count):
    files = sorted(glob.glob(os.path.join(folder, "*.png")))
    require(len(files) == count, f"{len(files)} frames instead of {count}")
    for file in files:
        check_picture(file)
    half = pixels(files[0]).shape[1] // 2
    for before, after in zip(files, files[1:]):
        moved = np.ptp(np.stack([pixels(before), pixels(after)]), axis=0).max(axis=-1) > 30
        for name, view in (("left", moved[:, :half]), ("right", moved[:, half:])):
            require(view.mean() > 0.002, f"the {name} view does not change from {before} to {after}")


part, argument = sys.argv[1:3]
if part == "vectors":
    check_vectors(argument)
elif part == "picture":
    check_picture(argument)
else:
    check_animation(argument, int(sys.argv[3]))
