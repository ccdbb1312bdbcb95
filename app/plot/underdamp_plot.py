"""Figures of a run, for papers: `underdamp plot DIR`, or `python3 underdamp_plot.py DIR [FOLDER]`.

Reads what `underdamp run` wrote into DIR and writes, into FOLDER (default DIR/plots), as PNG and SVG, those of

    displacement   E|theta(t) - theta(0)|^2 in total and of some modes, what was measured, the fit, local exponents
    correlation    autocorrelations of theta and v
    modes          the Hessian spectrum and the damping ratios that follow from it
    marginals      densities of theta and v
    modified_loss  of theta and v, in the stationary state
    spectrum       eigenvalues of the generator

for which DIR holds the data. Colours are those of Okabe and Ito, and cividis, which the colour-blind can tell apart.
Needs matplotlib. Exit codes: 0 done, 2 DIR is no run or holds nothing to plot, 5 matplotlib is missing or a file cannot
be written.
"""
import csv
import json
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


def panels(count, width=2.4, height=2.1):
    columns = min(count, 3)
    lines = -(-count // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(max(3.4, width * columns), max(2.6, height * lines)),
                                squeeze=False)
    for axis in axes.flat[count:]:
        axis.remove()
    return figure, list(axes.flat[:count])


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
    figure, axes = plt.subplots(len(folders), 2, figsize=(6.0, max(2.4, 1.9 * len(folders))), squeeze=False)
    return figure, axes


def marginals(run):
    name = "marginals.csv" if planes(run, "marginals.csv") else "stationary_marginals.csv"
    folders = planes(run, name)[:MOST_PANELS]
    figure, axes = pairs(folders)
    for line, folder in zip(axes, folders):
        rows = rows_of(folder / name)
        times = chosen(list(by(rows, "t")), 6) if "t" in rows[0] else [None]
        groups = by(rows, "t", "coordinate") if "t" in rows[0] else {(None, c): r for c, r in by(rows, "coordinate").items()}

        def draw(axis, coordinate, times=times, groups=groups):
            for k, time in enumerate(times):
                part = groups[(time, coordinate)]
                axis.plot(numbers(part, "position"), numbers(part, "density"),
                          color=plt.cm.cividis(0.9 * k / max(1, len(times) - 1)),
                          label="stationary" if time is None else f"t = {float(time):.3g}")
            axis.set_ylim(bottom=0)

        coordinates(line, folder, draw)
        line[0].set_ylabel("density")
    axes[0][1].legend(handlelength=1.4)
    return figure


def modified_loss(run):
    folders = planes(run, "stationary_marginals.csv")[:MOST_PANELS]
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
    marginals: ("marginals.csv", "stationary_marginals.csv"), modified_loss: ("stationary_marginals.csv",),
    spectrum: ("spectrum.csv",),
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
    for path in written:
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
