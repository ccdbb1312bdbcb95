"""Figures of a run, for papers: `underdamp plot DIR`, or `python3 underdamp_plot.py DIR [FOLDER]`.

Reads what `underdamp run` wrote into DIR and writes, into FOLDER (default DIR/plots), as PNG and SVG, those of

    displacement   E|theta(t) - theta(0)|^2 in total and of some modes, what was measured, the fit, local exponents
    correlation    autocorrelations of theta and v
    modes          the Hessian spectrum and the damping ratios that follow from it
    density        in phase space: the last frame and the stationary state
    history        means, standard deviations, expected loss and entropy over time
    marginals      densities of theta and v
    modified_loss  of theta and v, in the stationary state
    landscape      the modified loss in phase space
    spectrum       eigenvalues of the generator

for which DIR holds the data. Colours are those of Okabe and Ito, and cividis, which the colour-blind can tell apart.
Needs matplotlib. Exit codes: 0 done, 2 DIR is no run or holds nothing to plot, 5 matplotlib is missing or a file cannot
be written.
"""
import csv
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np
except ImportError as problem:
    print(f"error: figures need matplotlib: {problem}\n  to fix: apt-get install python3-matplotlib, or "
          "python3 -m pip install matplotlib; another Python is taken from the variable UNDERDAMP_PYTHON", file=sys.stderr)
    sys.exit(5)

from underdamp_vti import read_vti

BLACK, ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7")
SOURCES = {  # how measured displacements are shown: label, colour, marker
    "langevin": ("Langevin particles", BLUE, "o"),
    "sgd": ("SGD recursion", VERMILLION, "s"),
    "minibatch": ("minibatch SGD", GREEN, "^"),
}
STYLE = {
    "font.size": 9, "axes.labelsize": 9, "axes.titlesize": 9, "legend.fontsize": 7.5, "xtick.labelsize": 8,
    "ytick.labelsize": 8, "lines.linewidth": 1.4, "axes.spines.top": False, "axes.spines.right": False,
    "legend.frameon": False, "svg.fonttype": "none", "svg.hashsalt": "underdamp", "figure.constrained_layout.use": True,
}
MOST_CURVES = 6  # modes beside the total
MOST_PANELS = 9  # planes of a batch in one figure
MOST_PAIRS = 5  # planes of a batch with two panels each
PAPER_TO_BLUE = matplotlib.colors.LinearSegmentedColormap.from_list(
    "paper to blue", ["#ffffff", "#c9e4f4", SKY, BLUE, "#04304d"])
FEW = 60  # frames: then each is marked
DECADES = 5  # of the density in phase space
NOTHING_TO_SEE = 1e-4  # of the peak: where the axes of marginals end


def rows_of(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def numbers(rows, column):
    return np.array([float(row[column]) if row[column] else np.nan for row in rows])


def by(rows, *columns):
    """Rows grouped by the text in some columns, in the order of the file."""
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[c] for c in columns) if len(columns) > 1 else row[columns[0]]].append(row)
    return groups


def chosen(names, most):
    """Some of the names, from the first to the last."""
    if len(names) <= most:
        return list(names)
    return [names[round(k * (len(names) - 1) / (most - 1))] for k in range(most)]


def planes(run, name):
    """Folders of a run, or of its batch, that hold a file."""
    if (run / name).exists():
        return [run]
    return chosen(sorted(folder for folder in run.glob("mode_*") if (folder / name).exists()), MOST_PANELS)


def panels(count, width=2.4, height=2.1, most_columns=3):
    columns = min(count, most_columns)
    lines = -(-count // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(max(3.4, width * columns), max(2.6, height * lines)),
                                squeeze=False)
    for axis in axes.flat[count:]:
        axis.remove()
    return figure, list(axes.flat[:count])


def extent(position, density, threshold):
    """Where a density exceeds a share of its peak, and one point beyond."""
    shown = np.nonzero(density > threshold * density.max())[0]
    if len(shown) == 0:
        return position[0], position[-1]
    return position[max(0, shown[0] - 1)], position[min(len(position) - 1, shown[-1] + 1)]


def is_circle(run):
    """Is theta an angle? Then all of it is shown."""
    return json.loads((run / "summary.json").read_text())["spec"]["grid"]["theta_boundary"] == "periodic"


def picture(path, names):
    """What read_vti returns; None, with a note, if the picture cannot be read."""
    try:
        return read_vti(path, names)
    except (OSError, ValueError, KeyError) as problem:
        print(f"note: no figure of {path}: {problem}", file=sys.stderr)
        return None


def last_frame(folder):
    """The picture of the last frame that density.pvd lists; None if there is none."""
    names = re.findall(r'file="([^"]+)"', (folder / "density.pvd").read_text()) if (folder / "density.pvd").exists() else []
    return folder / names[-1] if names else None


def mode_colour(run):
    """Colour and label of a mode by its damping ratio."""
    table = {row["plane"]: float(row["zeta"]) for row in rows_of(run / "modes.csv")}
    values = np.log(list(table.values()))
    low, high = values.min(), max(values.max(), values.min() + 1e-9)
    colour = {name: plt.cm.cividis(0.9 * (np.log(zeta) - low) / (high - low)) for name, zeta in table.items()}
    label = {name: rf"$\zeta$ = {zeta:.3g}" for name, zeta in table.items()}
    return colour, label


# --- figures ----------------------------------------------------------------------------------------------------------


def guide(axis, t, highest, exponent, power):
    """A line of the power law that the first times follow, above all curves."""
    early = np.nonzero(exponent < power - 0.15)[0]
    end = max(2, (early[0] if len(early) else len(t)) * 3 // 4)
    x = t[[end // 4, end]]
    y = 6 * highest[end // 4] * (x / x[0]) ** power
    axis.plot(x, y, color="0.45", lw=0.8)
    middle = np.sqrt(x[0] * x[1]), np.sqrt(y[0] * y[1])
    axis.annotate(rf"$t^{power}$", middle, xytext=(-3, 3), textcoords="offset points", color="0.3", ha="right", va="bottom")


def draw_measured(axis, run):
    path = run / "displacement_ensemble.csv"
    if not path.exists():
        return
    for (source, plane), rows in by(rows_of(path), "source", "plane").items():
        if plane != "total" or source not in SOURCES:
            continue
        label, colour, marker = SOURCES[source]
        axis.errorbar(numbers(rows, "t"), numbers(rows, "displacement"), 2 * numbers(rows, "standard_error"), color=colour,
                      marker=marker, ms=4, mfc="none", ls="none", capsize=2, lw=0.9, label=label, zorder=4)


def draw_fit(upper, lower, fit, t, total):
    low, high = fit["window"]
    for axis in (upper, lower):
        axis.axvspan(low, high, color=ORANGE, alpha=0.15, lw=0)
    middle = np.sqrt(low * high)
    value = np.exp(np.interp(np.log(middle), np.log(t), np.log(total)))
    x = np.array([low, high])
    upper.plot(x, 2.2 * value * (x / middle) ** fit["exponent"], color=ORANGE, lw=1.4)
    upper.annotate(rf"$t^{{\,{fit['exponent']:.3f} \pm {fit['uncertainty']:.3f}}}$", (middle, 2.8 * value), ha="right",
                   va="bottom", color=VERMILLION)


def displacement(run):
    groups = by(rows_of(run / "displacement.csv"), "plane")
    summary = json.loads((run / "summary.json").read_text())
    start = summary["spec"]["displacement"]["start"]
    colour, label = mode_colour(run)
    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(4.2, 4.6), height_ratios=[2, 1])
    total = groups.pop("total")
    t, distance = numbers(total, "t"), numbers(total, "displacement")
    modes = chosen(list(groups), MOST_CURVES) if len(groups) > 1 else []
    for name in modes:
        rows = groups[name]
        style = {"color": colour[name], "lw": 0.9}
        upper.loglog(numbers(rows, "t"), numbers(rows, "displacement"), **style, label=label[name])
        lower.semilogx(numbers(rows, "t"), numbers(rows, "exponent"), **style)
    upper.loglog(t, distance, color=BLACK, lw=1.8, label="all modes" if modes else "model", zorder=3)
    lower.semilogx(t, numbers(total, "exponent"), color=BLACK, lw=1.8, zorder=3)
    draw_measured(upper, run)
    if "fit" in summary["displacement"]:
        draw_fit(upper, lower, summary["displacement"]["fit"], t, distance)
    first = 3 if start == "cold" else 2
    highest = np.max([distance] + [numbers(groups[name], "displacement") for name in modes], axis=0)
    guide(upper, t, highest, numbers(total, "exponent"), first)
    for power in (0, 1, first):
        lower.axhline(power, color="0.7", lw=0.6, zorder=0)
    floor = distance[distance > 0].min()
    upper.set_ylim(bottom=0.3 * floor if floor > 0 else None)
    upper.set_ylabel(r"$\mathrm{E}\,|\theta(t)-\theta(0)|^2$")
    lower.set_ylabel("local exponent")
    lower.set_xlabel(r"$t = \eta\,k$" if "optimizer" in summary["spec"] else r"$t$")
    lower.set_ylim(-0.6, first + 0.4)
    lower.set_yticks(range(first + 1))
    upper.legend(loc="lower right", handlelength=1.6)
    return figure


def correlation(run):
    groups = by(rows_of(run / "correlation.csv"), "plane")
    colour, label = mode_colour(run)
    figure, axes = plt.subplots(1, 2, figsize=(6.6, 2.6), sharey=True)
    modes = chosen([name for name in groups if name != "total"], MOST_CURVES) if len(groups) > 2 else []
    for name in modes + ["total"]:
        rows = groups[name]
        style = ({"color": BLACK, "lw": 1.8, "zorder": 3, "label": "all modes" if modes else "model"} if name == "total"
                 else {"color": colour[name], "lw": 0.9, "label": label[name]})
        for axis, column in zip(axes, ("theta", "v")):
            values = numbers(rows, column)
            axis.semilogx(numbers(rows, "t"), values / values[0], **style)
    for axis, symbol in zip(axes, (r"\theta", "v")):
        axis.axhline(0, color="0.7", lw=0.6, zorder=0)
        axis.set_xlabel(r"$t$")
        axis.set_title(rf"autocorrelation of ${symbol}$")
    axes[0].set_ylabel("relative to the first time")
    axes[0].legend(handlelength=1.6)
    return figure


def modes(run):
    rows = rows_of(run / "modes.csv")
    rho, weight, zeta = (numbers(rows, column) for column in ("eigenvalue", "weight", "zeta"))
    if len(rho) < 2 or not (rho > 0).all():
        return None
    order = np.argsort(rho)[::-1]
    rank = np.cumsum(weight[order]) - 0.5 * weight[order]
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.6, 2.6))
    few = len(rho) <= 40
    left.loglog(rank, rho[order], color=BLUE, marker="o" if few else None, ms=3.5, lw=0.8 if few else 1.6)
    left.set_xlabel("parameters with a larger eigenvalue")
    left.set_ylabel(r"Hessian eigenvalue $\rho$")
    right.loglog(rho, zeta, color=VERMILLION, marker="s" if few else None, ms=3.5, lw=0.8 if few else 1.6)
    right.axhline(1, color="0.6", lw=0.8)
    right.annotate("critical damping", (rho.min(), 1), xytext=(2, 2), textcoords="offset points", color="0.35", fontsize=7.5)
    right.set_xlabel(r"Hessian eigenvalue $\rho$")
    right.set_ylabel(r"damping ratio $\zeta$")
    return figure


def coordinates(axes_of, folder, draw):
    for axis, name in zip(axes_of, ("theta", "v")):
        draw(axis, name)
        axis.set_xlabel(r"$\theta$" if name == "theta" else r"$v$")
    if folder.name.startswith("mode_"):
        axes_of[0].set_title(folder.name.replace("_", " "), loc="left")


def pairs(folders):
    figure, axes = plt.subplots(len(folders), 2, figsize=(6.6, max(2.4, 1.9 * len(folders))), squeeze=False)
    return figure, axes


def image_extent(theta, v):
    """The edges of the outer cells."""
    half = 0.5 * (theta[1] - theta[0]), 0.5 * (v[1] - v[0])
    return theta[0] - half[0], theta[-1] + half[0], v[0] - half[1], v[-1] + half[1]


def crop(axis, run, theta, v, density, threshold):
    """Ends the axes where the density does."""
    if not is_circle(run):
        axis.set_xlim(extent(theta, density.max(axis=1), threshold))
    axis.set_ylim(extent(v, density.max(axis=0), threshold))
    axis.set_xlabel(r"$\theta$")
    axis.set_ylabel(r"$v$")


def draw_density(figure, axis, run, theta, v, density):
    peak = density.max()
    floor = 10.0 ** -DECADES * peak
    image = axis.imshow(np.maximum(density, floor).T, origin="lower", aspect="auto", extent=image_extent(theta, v),
                        cmap=PAPER_TO_BLUE, interpolation="bilinear", norm=matplotlib.colors.LogNorm(floor, peak))
    # One, two and three standard deviations of a Gaussian.
    axis.contour(theta, v, density.T, peak * np.exp([-4.5, -2.0, -0.5]), colors="white", linewidths=0.7)
    crop(axis, run, theta, v, density, 10.0 ** -DECADES)
    figure.colorbar(image, ax=axis, pad=0.02, label="density")


def density(run):
    kinds = {"end": last_frame, "stationary": lambda folder: folder / "stationary.vti"}
    there = [kind for kind, name in (("end", "density.pvd"), ("stationary", "stationary.vti")) if planes(run, name)]
    folders = planes(run, "density.pvd" if "end" in there else "stationary.vti")
    read = []
    for folder in chosen(folders, MOST_PANELS if len(there) == 1 else MOST_PAIRS):
        for kind in there:
            path = kinds[kind](folder)
            found = picture(path, ("density",)) if path is not None and path.exists() else None
            if found is not None and "density" in found[2]:
                read.append((folder, kind, found))
    if not read:
        return None
    figure, axes = panels(len(read), 3.5, 2.8, most_columns=2 if len(there) > 1 else 3)
    for axis, (folder, kind, (theta, v, arrays)) in zip(axes, read):
        draw_density(figure, axis, run, theta, v, arrays["density"])
        name = "" if folder == run else folder.name.replace("_", " ") + ", "
        axis.set_title(name + ("stationary" if kind == "stationary" else time_of_end(folder)), loc="left")
    return figure


def time_of_end(folder):
    times = re.findall(r'timestep="([^"]+)"', (folder / "density.pvd").read_text())
    return f"t = {float(times[-1]):.4g}"


def keep_calm(axis, scale):
    """No magnifying glass for what is constant but for rounding."""
    low, high = axis.get_ylim()
    least = 0.02 * scale
    if np.isfinite(least) and high - low < least:
        axis.set_ylim(0.5 * (low + high - least), 0.5 * (low + high + least))


def history(run):
    rows = rows_of(run / "history.csv")
    groups = by(rows, "plane") if "plane" in rows[0] else {"": rows}
    names = chosen(list(groups), MOST_CURVES)
    figure, axes = plt.subplots(3, 2, sharex=True, figsize=(6.4, 5.4))
    quantities = (("mean_theta", r"mean of $\theta$"), ("mean_v", r"mean of $v$"),
                  ("var_theta", r"standard deviation of $\theta$"), ("var_v", r"standard deviation of $v$"),
                  ("expected_loss", "expected loss"), ("entropy", "entropy"))
    spread = {"mean_theta": "var_theta", "mean_v": "var_v"}
    for axis, (column, title) in zip(axes.flat, quantities):
        scale = 0.0
        for k, name in enumerate(names):
            part = groups[name]
            values = numbers(part, column)
            values = np.sqrt(values) if column.startswith("var") else values
            scale = max(scale, np.nanmax(np.sqrt(numbers(part, spread[column])) if column in spread else np.abs(values)))
            axis.plot(numbers(part, "t"), values, label=name.replace("_", " "), marker="o" if len(part) <= FEW else None,
                      ms=2.0,
                      color=plt.cm.cividis(0.9 * k / max(1, len(names) - 1)) if len(names) > 1 else BLUE)
        axis.set_title(title, loc="left")
        keep_calm(axis, scale)
    for axis in axes[-1]:
        axis.set_xlabel(r"$t$")
    if len(names) > 1:
        axes[0][1].legend(handlelength=1.4, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def marginals(run):
    name = "marginals.csv" if planes(run, "marginals.csv") else "stationary_marginals.csv"
    folders = chosen(planes(run, name), MOST_PAIRS)
    circle = is_circle(run)
    figure, axes = pairs(folders)
    for line, folder in zip(axes, folders):
        rows = rows_of(folder / name)
        times = chosen(list(by(rows, "t")), 6) if "t" in rows[0] else [None]
        groups = by(rows, "t", "coordinate") if "t" in rows[0] else {(None, c): r for c, r in by(rows, "coordinate").items()}

        limit = folder / "stationary_marginals.csv"
        limit = by(rows_of(limit), "coordinate") if limit.exists() else {}

        def draw(axis, coordinate, times=times, groups=groups, limit=limit):
            ends = []
            for k, time in enumerate(times):
                part = groups[(time, coordinate)]
                position, values = numbers(part, "position"), numbers(part, "density")
                axis.plot(position, values, color=plt.cm.cividis(0.9 * k / max(1, len(times) - 1)),
                          label="stationary" if time is None else f"t = {float(time):.3g}")
                ends.append(extent(position, values, NOTHING_TO_SEE))
            if limit and times[0] is not None:
                position, values = (numbers(limit[coordinate], column) for column in ("position", "density"))
                axis.plot(position, values, color=BLACK, ls="--", lw=1.0, label="stationary")
                ends.append(extent(position, values, NOTHING_TO_SEE))
            if not (circle and coordinate == "theta"):
                axis.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
            axis.set_ylim(bottom=0)

        coordinates(line, folder, draw)
        line[0].set_ylabel("density")
    axes[0][1].legend(handlelength=1.4, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def modified_loss(run):
    folders = chosen(planes(run, "stationary_marginals.csv"), MOST_PAIRS)
    figure, axes = pairs(folders)
    for line, folder in zip(axes, folders):
        groups = by(rows_of(folder / "stationary_marginals.csv"), "coordinate")

        def draw(axis, coordinate, groups=groups):
            part = groups[coordinate]
            density, loss = numbers(part, "density"), numbers(part, "modified_loss")
            shown = density > 1e-10 * density.max()
            axis.plot(numbers(part, "position")[shown], loss[shown] - loss[shown].min(), color=BLUE)
            axis.set_ylim(bottom=0)

        coordinates(line, folder, draw)
        line[0].set_ylabel(r"modified loss $\Psi - \min\Psi$")
    return figure


def landscape(run):
    """Contours of the modified loss where it is known."""
    read = {folder: picture(folder / "stationary.vti", ("density", "modified_loss", "mask"))
            for folder in planes(run, "stationary.vti")}
    read = {folder: found for folder, found in read.items() if found is not None and "modified_loss" in found[2]}
    if not read:
        return None
    figure, axes = panels(len(read), 3.0, 2.6)
    for axis, (folder, (theta, v, arrays)) in zip(axes, read.items()):
        known = arrays["mask"] > 0 if "mask" in arrays else np.isfinite(arrays["modified_loss"])
        loss = np.ma.array(arrays["modified_loss"], mask=~known)
        loss = loss - loss.min()
        populated = arrays["density"] > 10.0 ** -DECADES * arrays["density"].max()
        levels = np.linspace(0, loss[populated].max(), 13)
        filled = axis.contourf(theta, v, loss.T, levels, cmap="cividis")
        axis.contour(theta, v, loss.T, levels[1:], colors="white", linewidths=0.4)
        crop(axis, run, theta, v, arrays["density"], 10.0 ** -DECADES)
        figure.colorbar(filled, ax=axis, pad=0.02, format="%.2g", label=r"$\Psi - \min\Psi$")
        if folder != run:
            axis.set_title(folder.name.replace("_", " "), loc="left")
    return figure


def spectrum(run):
    folders = planes(run, "spectrum.csv")
    figure, axes = panels(len(folders))
    styles = {"oscillation": (BLUE, "o"), "relaxation": (VERMILLION, "s"), "metastable": (GREEN, "D")}
    for axis, folder in zip(axes, folders):
        for kind, rows in by(rows_of(folder / "spectrum.csv"), "kind").items():
            colour, marker = styles.get(kind, (BLACK, "x"))
            axis.plot(numbers(rows, "real"), numbers(rows, "imaginary"), ls="none", marker=marker, color=colour, ms=4.5,
                      mfc="none", label=kind)
        axis.plot(0, 0, "k*", ms=6)
        axis.axhline(0, color="0.7", lw=0.6, zorder=0)
        axis.set_xlabel(r"Re $\lambda$")
        axis.set_ylabel(r"Im $\lambda$")
        if folder != run:
            axis.set_title(folder.name.replace("_", " "), loc="left")
    axes[0].legend(handletextpad=0.2)
    return figure


FIGURES = {  # which files each needs; of those in one tuple any
    displacement: ("displacement.csv",), correlation: ("correlation.csv",), modes: ("modes.csv",),
    density: ("density.pvd", "stationary.vti"), history: ("history.csv",),
    marginals: ("marginals.csv", "stationary_marginals.csv"), modified_loss: ("stationary_marginals.csv",),
    landscape: ("stationary.vti",), spectrum: ("spectrum.csv",),
}


def fail(code, problem, remedy):
    print(f"error: {problem}\n  to fix: {remedy}", file=sys.stderr)
    sys.exit(code)


def main(arguments):
    if len(arguments) not in (1, 2) or arguments[0] in ("-h", "--help"):
        print(__doc__)
        sys.exit(0 if arguments and arguments[0] in ("-h", "--help") else 2)
    run = Path(arguments[0])
    if not (run / "summary.json").exists():
        fail(2, f"{run} holds no summary.json, so it is not the output of a run", "give the folder that underdamp run names")
    folder = Path(arguments[1]) if len(arguments) == 2 else run / "plots"
    written = []
    plt.rcParams.update(STYLE)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for draw, files in FIGURES.items():
            figure = draw(run) if any(planes(run, file) for file in files) else None
            if figure is None:
                continue
            for suffix, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
                path = folder / f"{draw.__name__}.{suffix}"
                figure.savefig(path, dpi=200, metadata=metadata)
                written.append(path)
            plt.close(figure)
    except OSError as problem:
        fail(5, str(problem), "give a folder that can be written to")
    if not written:
        fail(2, f"{run} holds nothing to plot", "plot a run with [evolve], [stationary] or [displacement]")
    try:
        print(*written, sep="\n", flush=True)
    except BrokenPipeError:
        sys.stdout = None  # the reader has left; at the end Python would try again
    except OSError as problem:
        sys.stdout = None
        fail(5, f"cannot write to standard output: {problem.strerror}", "check the space there")


if __name__ == "__main__":
    main(sys.argv[1:])
