"""Density and probability current of an underdamp run, drawn by ParaView.

Two views of an output directory: the density of every frame with its current (flow texture, arrows, loops of equal
flux), and the modified loss as a landscape with the same loops on it. docs/paraview.md explains how to read them.

As a macro in ParaView's window: open density.pvd or stationary.vti of a run, click it in the pipeline, then run this.
Without an open file it shows the directory that the environment variable UNDERDAMP_OUTPUT names.

Without a window (scripts/pvbatch of underdamp takes care of ParaView's Python module and of a display):

  pvbatch paraview/currents.py DIRECTORY --output FILE.png --animation FOLDER      (--help lists the options)
"""
import argparse
import glob
import importlib.util
import json
import math
import os
import sys
from xml.etree import ElementTree

from paraview import servermanager, simple

LOWEST_DENSITY = 1e-5  # relative to the peak: the views end there
MASK_DENSITY = 1e-14  # relative to the peak: below, modified loss and stream function mean nothing
ARROWS_PER_HEIGHT = 19
LOOPS = 7
LANDSCAPE_HEIGHT = 0.5  # relative to the height of the plane
FONT_SIZES = {"title": 19, "axis": 20, "number": 16}
INK = [0.13, 0.13, 0.15]
WHITE = [1.0, 1.0, 1.0]
PACKET = [1.0, 0.62, 0.2]


class Problem(Exception):
    """Something that the user can change; the message says what."""


# ---------------------------------------------------------------------------------------------------- what to show


class Run:
    """An output directory: its files, checked, and what summary.json says about them."""

    def __init__(self, directory, mode=None):
        self.directory = plane_directory(directory, mode)
        self.stationary = os.path.join(self.directory, "stationary.vti")
        if not os.path.isfile(self.stationary):
            self.stationary = None
        self.frames, self.times = frames_of(self.directory)
        if not self.frames and not self.stationary:
            raise Problem(
                f"{self.directory} holds no picture: no density.pvd, no density_NNNN.vti, no stationary.vti\n"
                "  to fix: name the output directory of 'underdamp run', which it prints at its end"
            )
        # A plane of a batch has its summary one folder up.
        self.title = ""
        for folder in (self.directory, os.path.dirname(self.directory)):
            try:
                with open(os.path.join(folder, "summary.json"), encoding="utf-8") as file:
                    self.title = json.load(file).get("spec", {}).get("title", "")
                break
            except (OSError, ValueError, AttributeError):
                pass
        name = os.path.basename(self.directory)
        if name.startswith("mode_"):
            self.title = f"{self.title}, mode {int(name[5:])}" if self.title else f"mode {int(name[5:])}"


def plane_directory(directory, mode):
    directory = os.path.abspath(os.path.expanduser(directory))
    if os.path.isfile(directory):
        directory = os.path.dirname(directory)
    if not os.path.isdir(directory):
        raise Problem(f"there is no directory {directory}\n  to fix: name the output directory of 'underdamp run'")
    modes = sorted(glob.glob(os.path.join(directory, "mode_[0-9]*")))
    if mode is None and (not modes or glob.glob(os.path.join(directory, "*.vti"))):
        return directory
    numbers = [int(os.path.basename(folder)[5:]) for folder in modes]
    if mode is not None and mode not in numbers:
        there = f"it has modes {numbers[0]} to {numbers[-1]}" if numbers else "it is no batch: leave --mode out"
        raise Problem(f"{directory} has no mode {mode}\n  to fix: {there}")
    if mode is None:
        print(f"a batch of {len(modes)} planes: showing mode {numbers[0]} (--mode N shows another)")
        return modes[0]
    return modes[numbers.index(mode)]


def frames_of(directory):
    """Files and times of the frames, both empty if there are none."""
    collection = os.path.join(directory, "density.pvd")
    if not os.path.isfile(collection):
        files = sorted(glob.glob(os.path.join(directory, "density_[0-9]*.vti")))
        return files, [float(number) for number in range(len(files))]
    try:
        entries = list(ElementTree.parse(collection).iter("DataSet"))
    except ElementTree.ParseError as error:
        raise Problem(f"{collection} cannot be read: {error}\n  to fix: run underdamp again") from error
    files = [os.path.join(directory, entry.get("file", "")) for entry in entries]
    for file in files:
        if not os.path.isfile(file):
            raise Problem(f"{collection} names {file}, which is not there\n  to fix: run underdamp again")
    if not files:
        return [], []
    return [collection], [float(entry.get("timestep", 0.0)) for entry in entries]


def open_frames(run):
    if not run.frames:
        return None
    if run.frames[0].endswith(".pvd"):
        return simple.PVDReader(registrationName="frames", FileName=run.frames[0])
    return simple.XMLImageDataReader(registrationName="frames", FileName=run.frames)


def open_stationary(run):
    if not run.stationary:
        return None
    return simple.XMLImageDataReader(registrationName="stationary", FileName=[run.stationary])


# ------------------------------------------------------------------------------------------------ small conveniences


def configure(proxy, **properties):
    """Sets what this version of ParaView knows: properties come and go between 5.10 and 6."""
    for name, value in properties.items():
        if name in proxy.ListProperties():
            proxy.SetPropertyWithName(name, value)


def number_format(example, text):
    """A printf format, written as this version of ParaView writes the example."""
    return "{:" + text[1:] + "}" if "{" in example else text


def cell_arrays(source):
    information = source.GetCellDataInformation()
    return {information.GetArray(index).Name for index in range(information.GetNumberOfArrays())}


def cell_range(source, name):
    return source.GetCellDataInformation().GetArray(name).GetRange(0)


def at_least(source, name, lowest, where="CELLS"):
    """The part in which an array has at least this value."""
    kept = simple.Threshold(Input=source, Scalars=[where, name])
    configure(kept, LowerThreshold=lowest, UpperThreshold=1e300, ThresholdRange=[lowest, 1e300])
    return kept


def range_where_dense(source, name, times):
    """Range of an array over the cells that the views show, at these times."""
    low, high = math.inf, -math.inf
    dense = at_least(source, "density", 0.0)
    for time in times:
        source.UpdatePipeline(time)
        lowest = LOWEST_DENSITY * cell_range(source, "density")[1]
        configure(dense, LowerThreshold=lowest, ThresholdRange=[lowest, 1e300])
        dense.UpdatePipeline(time)
        here = cell_range(dense, name)
        low, high = min(low, here[0]), max(high, here[1])
    simple.Delete(dense)
    return low, high


def sampled(times, most=25):
    """A few of them, first and last included, evenly spread."""
    if len(times) <= most:
        return list(times)
    return [times[round(k * (len(times) - 1) / (most - 1))] for k in range(most)]


# ---------------------------------------------------------------------------------------------- the plane as it is seen


class Plane:
    """The part of phase space that is shown, in cells and in the user's units, and how it is stretched on the screen.

    theta and v have different units, so nothing says how long one is beside the other: both axes fill the view. The
    data themselves are transformed, vectors with them, so that arrows and flow lines are drawn in the stretched plane
    in which the eye judges angles and lengths. The axes show the user's units.
    """

    def __init__(self, frames, stationary, times, view_size):
        first = frames or stationary
        self.peak = 0.0
        low, high = [math.inf, math.inf], [-math.inf, -math.inf]
        dense = at_least(first, "density", 0.0)
        for source, moments in ((frames, sampled(times)), (stationary, [0.0])):
            if not source:
                continue
            dense.Input = source
            for time in moments:
                source.UpdatePipeline(time)
                peak = cell_range(source, "density")[1]
                if not peak > 0.0:
                    raise Problem(f"the density at t = {time:g} is nowhere positive\n  to fix: run underdamp again")
                self.peak = max(self.peak, peak)
                lowest = LOWEST_DENSITY * peak
                configure(dense, LowerThreshold=lowest, ThresholdRange=[lowest, 1e300])
                dense.UpdatePipeline(time)
                bounds = dense.GetDataInformation().GetBounds()
                low = [min(low[axis], bounds[2 * axis]) for axis in (0, 1)]
                high = [max(high[axis], bounds[2 * axis + 1]) for axis in (0, 1)]
        simple.Delete(dense)
        first.UpdatePipeline(times[0] if frames else 0.0)
        bounds, extent = first.GetDataInformation().GetBounds(), first.GetDataInformation().GetExtent()
        self.points, self.bounds, self.spacing = [], [], []
        for axis in (0, 1):
            begin, end = extent[2 * axis], extent[2 * axis + 1]
            origin, width = bounds[2 * axis], (bounds[2 * axis + 1] - bounds[2 * axis]) / (end - begin)
            margin = 0.02 * (high[axis] - low[axis])
            lower = max(begin, begin + math.floor((low[axis] - margin - origin) / width))
            upper = min(end, begin + math.ceil((high[axis] + margin - origin) / width))
            self.points.append((lower, upper))
            self.bounds.append((origin + (lower - begin) * width, origin + (upper - begin) * width))
            self.spacing.append(width)
        lengths = [upper - lower for lower, upper in self.bounds]
        self.view_aspect = view_size[0] / view_size[1]
        self.aspect = DensityView.aspect(view_size)
        self.scale = [self.aspect / lengths[0], 1.0 / lengths[1], 1.0]
        self.center = [0.5 * sum(self.bounds[axis]) * self.scale[axis] for axis in (0, 1)]

    def cropped(self, source, stride=(1, 1)):
        volume = []
        for axis in (0, 1):
            lower, upper = self.points[axis]
            volume += [min(lower + stride[axis] // 2, upper), upper]
        return simple.ExtractSubset(Input=source, VOI=[*volume, 0, 0], SampleRateI=stride[0], SampleRateJ=stride[1])

    def stretched(self, source):
        result = simple.Transform(Input=source)
        result.Transform.Scale = self.scale
        configure(result, TransformAllInputVectors=1)
        return result

    def drawn(self, source):
        """Cropped, at points, stretched."""
        return self.stretched(simple.CellDatatoPointData(Input=self.cropped(source)))

    def lattice(self, source, per_height):
        """A coarse regular lattice of points, as far apart in one direction as in the other."""
        stride = [max(1, round(1.0 / (per_height * self.spacing[axis] * self.scale[axis]))) for axis in (0, 1)]
        return self.stretched(self.cropped(simple.CellDatatoPointData(Input=source), stride))

    def drawn_where_meaningful(self, source):
        """As drawn(), without the cells in which modified loss and stream function are stand-ins."""
        cropped = self.cropped(source)
        if "mask" in cell_arrays(source):
            kept = at_least(cropped, "mask", 0.5)
        else:
            kept = at_least(cropped, "density", MASK_DENSITY * cell_range(source, "density")[1])
        return self.stretched(simple.CellDatatoPointData(Input=kept))


# -------------------------------------------------------------------------------------------------------- appearance


def nice_ticks(low, high, most=6):
    """Round numbers between low and high."""
    exponent = math.floor(math.log10((high - low) / most))
    for step in (mantissa * 10.0**power for power in (exponent, exponent + 1) for mantissa in (1.0, 2.0, 5.0)):
        ticks = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
        if len(ticks) <= most:
            return ticks
    return [low, high]


def decimals(ticks):
    """Digits after the point that tell the ticks apart."""
    return max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9)) if len(ticks) > 1 else 2


def find_font():
    """A font with Greek letters: those built into ParaView have none."""
    folders = ["/usr/share/fonts/truetype/dejavu"]
    try:
        import matplotlib

        folders.insert(0, os.path.join(matplotlib.get_data_path(), "fonts", "ttf"))
    except ImportError:
        pass
    files = (os.path.join(folder, "DejaVuSans.ttf") for folder in folders)
    return next(filter(os.path.isfile, files), None)


FONT = find_font()


class Drawing:
    """Sizes of fonts and lines are those in views of 960 × 900 pixels, and grow with the views."""

    zoom = 1.0
    in_window = False


def spelled(greek, latin):
    return greek if FONT else latin


def set_font(proxy, use, prefixes=("",)):
    size = round(FONT_SIZES[use] * Drawing.zoom)
    for prefix in prefixes:
        configure(proxy, **{f"{prefix}FontSize": size, f"{prefix}Color": INK})
        if FONT:
            configure(proxy, **{f"{prefix}FontFamily": "File", f"{prefix}FontFile": FONT})


def place(widget, position):
    """Lower left corner, in fractions of the view."""
    try:
        widget.WindowLocation = "Any Location"
    except ValueError:  # until ParaView 5.10
        widget.WindowLocation = "AnyLocation"
    configure(widget, Position=position)


def write(view, source, position, color=INK):
    shown = simple.Show(source, view)
    place(shown, position)
    set_font(shown, "title")
    configure(shown, Color=color)


def paint(shown, color, lift, width=1.0, opacity=1.0):
    """One colour, whatever the light; lifted a little so that it is not hidden by what it lies on."""
    shown.ColorArrayName = [None, ""]
    configure(shown, AmbientColor=color, DiffuseColor=color, Ambient=1.0, Diffuse=0.0, Specular=0.0)
    configure(shown, Position=lift, LineWidth=width * Drawing.zoom, Opacity=opacity)


def label_axes(view, plane, height=None, height_scale=1.0):
    """A frame around what is stretched, with round numbers in the user's units."""
    axes = view.AxesGrid
    limits = [*plane.bounds, height or (0.0, 0.0)]
    scales = [plane.scale[0], plane.scale[1], height_scale]
    titles = [spelled("θ", "theta"), "v", ""]  # the height is named in the heading and beside the colour bar
    configure(axes, Visibility=1, DataScale=scales, UseCustomBounds=1)
    configure(axes, CustomBounds=[limit * scales[axis] for axis in range(3) for limit in limits[axis]])
    # Faces and edges are bits: 1, 2, 4 for the lower ends of x, y, z, then 8, 16, 32 for the upper ones.
    if height:
        configure(axes, GridColor=[0.72, 0.72, 0.75], ShowGrid=1, AxesToLabel=63 if Drawing.in_window else 2 + 8)
    else:
        configure(axes, GridColor=INK, ShowGrid=0, FacesToRender=4, AxesToLabel=1 + 2, CullFrontface=0, CullBackface=0)
    for axis, name in enumerate("XYZ"):
        ticks = nice_ticks(*limits[axis]) if axis < 2 or height else []
        digits = decimals(ticks)
        # Blanks that do not break push a title away from its numbers.
        blanks = "\u00a0" * round(1.3 + 1.3 * max((len(f"{tick:.{digits}f}") for tick in ticks), default=0))
        title = titles[axis]
        if name == "Y":
            title = blanks + title if height else title + blanks
        configure(axes, **{f"{name}AxisUseCustomLabels": 1, f"{name}AxisLabels": ticks, f"{name}Title": title})
        configure(axes, **{f"{name}AxisNotation": "Fixed", f"{name}AxisPrecision": digits})
        set_font(axes, "axis", [f"{name}Title"])
        set_font(axes, "number", [f"{name}Label"])


def color_by(shown, view, array, preset, limits, logarithmic, title, left=0.87):
    """Colours by a point array, with a bar at the right of the view."""
    simple.ColorBy(shown, ("POINTS", array))
    table = simple.GetColorTransferFunction(array)
    table.UseLogScale = 0  # as an earlier call may have left it
    table.ApplyPreset(preset, True)
    configure(table, AutomaticRescaleRangeMode="Never")
    table.RescaleTransferFunction(*limits)
    if logarithmic:
        table.MapControlPointsToLogSpace()
        table.UseLogScale = 1
        lowest, highest = (math.log10(limit) for limit in limits)
        ticks = [10.0**power for power in range(math.ceil(lowest), math.floor(highest) + 1)]
    else:
        ticks = nice_ticks(*limits)
    bar = simple.GetScalarBar(table, view)
    configure(bar, Title=title, ComponentTitle="", AutoOrient=0, Orientation="Vertical")
    configure(bar, ScalarBarThickness=round(14 * Drawing.zoom), ScalarBarLength=0.6)
    configure(bar, AddRangeLabels=0, AutomaticLabelFormat=0)
    configure(bar, LabelFormat=number_format(bar.LabelFormat, "%.0e" if logarithmic else f"%.{decimals(ticks)}f"))
    configure(bar, UseCustomLabels=1, CustomLabels=ticks, Visibility=1)
    set_font(bar, "number", ["Title", "Label"])
    place(bar, [left, 0.2])


def new_view(layout, hint, flat):
    view = simple.CreateView("RenderView")
    simple.AssignViewToLayout(view=view, layout=layout, hint=hint)
    configure(view, UseColorPaletteForBackground=0, BackgroundColorMode="Single Color", Background=WHITE)
    configure(view, OrientationAxesVisibility=0, CenterAxesVisibility=0, UseFXAA=1, CameraParallelProjection=1)
    if flat:
        configure(view, InteractionMode="2D")
    return view


# ------------------------------------------------------------------------------------------------------------- views


class DensityView:
    """Density in colour; its current as flow texture and arrows; loops between which equal fluxes run."""

    # What is left around the plane, in fractions of the view.
    left, right, bottom, top = 0.11, 0.17, 0.12, 0.09

    @classmethod
    def aspect(cls, size):
        """Width over height of what the plane fills of a view of this size."""
        return size[0] * (1 - cls.left - cls.right) / (size[1] * (1 - cls.bottom - cls.top))

    def __init__(self, view, plane, source, loops, current, flow, title):
        self.view, self.plane, self.source, self.current = view, plane, source, current
        drawn = plane.drawn(source)
        surface = simple.Show(drawn, view)
        limits = (LOWEST_DENSITY * plane.peak, plane.peak)
        color_by(surface, view, "density", "Inferno (matplotlib)", limits, True, "density")
        configure(surface, Ambient=1.0, Diffuse=0.0)
        if current:
            if flow == "lic" or (flow == "auto" and "Surface LIC" in surface.GetProperty("Representation").Available):
                self.texture(surface)
            else:
                self.lines(drawn)
            self.arrows()
        if loops:
            paint(simple.Show(loops, view), WHITE, [0.0, 0.0, 0.002], width=1.5, opacity=0.6)
        label_axes(view, plane)
        write(view, simple.Text(registrationName="title", Text=title), [self.left, 0.935])
        self.fit_camera()

    def texture(self, surface):
        # Multiplied, it goes dark with the density: where nothing flows, no direction is seen.
        surface.SetRepresentationType("Surface LIC")
        configure(surface, SelectInputVectors=["POINTS", self.current], NormalizeVectors=1)
        configure(surface, NumberOfSteps=40, StepSize=0.3)
        configure(surface, ColorMode="Multiply", MapModeBias=0.5, EnhanceContrast="Off", AntiAlias=1)

    def lines(self, drawn):
        visible = at_least(drawn, "density", LOWEST_DENSITY * self.plane.peak, "POINTS")
        seeds = simple.MaskPoints(Input=visible, MaximumNumberofPoints=170, RandomSampling=1)
        configure(seeds, RandomSamplingMode="Spatially Stratified Random Sampling", OnRatio=1)
        lines = simple.StreamTracerWithCustomSource(Input=visible, SeedSource=seeds, Vectors=["POINTS", self.current])
        configure(lines, MaximumStreamlineLength=0.1, IntegrationDirection="BOTH", TerminalSpeed=1e-300)
        paint(simple.Show(lines, self.view), WHITE, [0.0, 0.0, 0.001], opacity=0.35)

    def arrows(self):
        lattice = self.plane.lattice(self.source, ARROWS_PER_HEIGHT)
        # The longest arrow is equally long in every frame.
        relative = simple.PythonCalculator(Input=lattice, ArrayAssociation="Point Data", ArrayName="arrow")
        relative.Expression = f"{self.current} / (max(mag({self.current})) + 1e-30)"
        arrows = simple.Glyph(registrationName="arrows", Input=relative, GlyphType="Arrow", GlyphMode="All Points")
        configure(arrows.GlyphType, TipLength=0.35, TipRadius=0.12, TipResolution=12, ShaftRadius=0.028)
        configure(arrows.GlyphTransform, Translate=[-0.5, 0.0, 0.0])
        configure(arrows, OrientationArray=["POINTS", "arrow"], ScaleArray=["POINTS", "arrow"])
        configure(arrows, VectorScaleMode="Scale by Magnitude", ScaleFactor=1.7 / ARROWS_PER_HEIGHT)
        paint(simple.Show(arrows, self.view), WHITE, [0.0, 0.0, 0.05])

    def show_time(self):
        clock = simple.AnnotateTimeFilter(registrationName="time", Input=self.source)
        clock.Format = "t = {time:.2f}" if "{" in clock.Format else "t = %.2f"
        # In a corner of the plane, which is dark.
        write(self.view, clock, [self.left + 0.02, 1 - self.top - 0.06], WHITE)

    def fit_camera(self):
        plane = self.plane
        height, width = 1.0 / (1 - self.bottom - self.top), plane.aspect / (1 - self.left - self.right)
        x = plane.center[0] + 0.5 * (self.right - self.left) * width
        y = plane.center[1] + 0.5 * (self.top - self.bottom) * height
        configure(self.view, CameraFocalPoint=[x, y, 0.0], CameraPosition=[x, y, 10.0], CameraViewUp=[0.0, 1.0, 0.0])
        configure(self.view, CameraParallelScale=0.5 * height)


class Landscape:
    """The modified loss as a surface (or the density, where there is none), seen from above its rim."""

    elevation, azimuth = math.radians(34), math.radians(-62)

    def __init__(self, view, plane, source, array, limits, titles):
        self.view, self.plane, self.array, self.limits = view, plane, array, limits
        self.scale = LANDSCAPE_HEIGHT / (limits[1] - limits[0])
        if array == "density":
            self.ground = plane.drawn(source)
        else:
            # Cut at the height that corresponds to the lowest density shown.
            ground = plane.drawn_where_meaningful(source)
            self.ground = simple.Clip(Input=ground, ClipType="Scalar", Scalars=["POINTS", array], Invert=1)
            self.ground.Value = limits[1]
        raised = simple.ExtractSurface(Input=self.raised(self.ground))
        # Log scales do not bear the range from 0 that ParaView proposes first.
        simple.GetColorTransferFunction(array).UseLogScale = 0
        normals = simple.SurfaceNormals if hasattr(simple, "SurfaceNormals") else simple.GenerateSurfaceNormals
        shown = simple.Show(normals(registrationName="landscape", Input=raised), view)
        configure(shown, Specular=0.15, SpecularPower=40.0, Ambient=0.3, Diffuse=0.75)
        if array == "density":
            low = LOWEST_DENSITY * limits[1]
            color_by(shown, view, array, "Inferno (matplotlib)", (low, limits[1]), True, array, 0.9)
        else:
            color_by(shown, view, array, "Viridis (matplotlib)", limits, False, titles[1], 0.9)
            # The wall between the eye and the valley is left out; its rim is drawn instead.
            configure(shown, BackfaceRepresentation="Cull Backface")
            rim = simple.Contour(Input=self.ground, ContourBy=["POINTS", array], ComputeScalars=1)
            rim.Isosurfaces = [limits[1] - 1e-3 * (limits[1] - limits[0])]
            paint(simple.Show(self.raised(rim), view), INK, self.toward_eye(0.01), width=1.5)
        label_axes(view, plane, limits, self.scale)
        write(view, simple.Text(registrationName="title of the landscape", Text=titles[0]), [0.06, 0.935])
        self.fit_camera()

    def raised(self, source):
        return simple.WarpByScalar(Input=source, Scalars=["POINTS", self.array], ScaleFactor=self.scale)

    def lay(self, curves, color, width, lift):
        """Draws curves of the plane, which carry the array, on the surface."""
        paint(simple.Show(self.raised(curves), self.view), color, self.toward_eye(lift), width)

    def lay_packet(self, frames, stationary):
        """Where the density of the frame is: its contours at one, two and three standard deviations of a Gaussian."""
        if frames.GetDataInformation().GetBounds() != stationary.GetDataInformation().GetBounds():
            return  # a stationary state on a box of its own
        density = simple.PassArrays(Input=frames, CellDataArrays=["density"])
        ground = simple.PassArrays(Input=stationary, CellDataArrays=[self.array])
        drawn = self.plane.drawn(simple.AppendAttributes(Input=[density, ground]))
        relative = simple.PythonCalculator(Input=drawn, ArrayAssociation="Point Data", ArrayName="relative_density")
        relative.Expression = "density / max(density)"
        contours = simple.Contour(Input=relative, ContourBy=["POINTS", "relative_density"])
        contours.Isosurfaces = [math.exp(-0.5 * deviations**2) for deviations in (1, 2, 3)]
        inside = simple.Clip(registrationName="packet", Input=contours, ClipType="Scalar", Invert=1)
        configure(inside, Scalars=["POINTS", self.array], Value=self.limits[1])
        self.lay(inside, PACKET, 2.5, 0.02)

    def fit_camera(self):
        middle = [*self.plane.center, 0.5 * sum(self.limits) * self.scale]
        east, north = math.cos(self.azimuth), math.sin(self.azimuth)
        focus = [middle[0] - 0.06 * north, middle[1] + 0.06 * east, middle[2]]  # aside, to make room for the bar
        position = [focus[axis] + self.toward_eye(5.0)[axis] for axis in range(3)]
        configure(self.view, CameraFocalPoint=focus, CameraPosition=position, CameraViewUp=[0.0, 0.0, 1.0])
        configure(self.view, CameraParallelScale=max(0.8, 0.85 / self.plane.view_aspect))
        configure(self.view, CenterOfRotation=middle)

    @classmethod
    def toward_eye(cls, length):
        level = length * math.cos(cls.elevation)
        return [level * math.cos(cls.azimuth), level * math.sin(cls.azimuth), length * math.sin(cls.elevation)]


def current_shown(source, part):
    """Name of the array, None if there is none to show."""
    name = f"current_{part}" if part else "current"
    if name in cell_arrays(source):
        return name
    if part:
        raise Problem(f'there is no {name} in the files\n  to fix: add "{name}" to fields of [output] in the spec')
    return None


def contours_of_flux(plane, source, times):
    """Curves along which the stream function is constant; between neighbours the same probability flows per time."""
    if not source or "stream_function" not in cell_arrays(source):
        return None
    low, high = range_where_dense(source, "stream_function", times[-1:] or [0.0])
    if not high > low:
        return None
    drawn = plane.drawn_where_meaningful(source)
    loops = simple.Contour(registrationName="loops", Input=drawn, ContourBy=["POINTS", "stream_function"])
    loops.Isosurfaces = [low + (k + 0.5) * (high - low) / LOOPS for k in range(LOOPS)]
    return loops


def show_landscape(view, plane, frames, stationary, times, loops):
    name = spelled("Ψ", "Psi")
    if stationary and "modified_loss" in cell_arrays(stationary):
        limits = range_where_dense(stationary, "modified_loss", [0.0])
        titles = (spelled("modified loss Ψ = −κ⁻¹ ln pₛₛ", "modified loss"), name)
        landscape = Landscape(view, plane, stationary, "modified_loss", limits, titles)
        if loops:
            landscape.lay(loops, WHITE, 1.8, 0.015)
        if frames:
            landscape.lay_packet(frames, stationary)
    elif frames and "modified_loss" in cell_arrays(frames):
        limits = range_where_dense(frames, "modified_loss", sampled(times))
        titles = (spelled("−κ⁻¹ ln p at time t", "-ln p / kappa at time t"), name)
        Landscape(view, plane, frames, "modified_loss", limits, titles)
    else:
        Landscape(view, plane, frames or stationary, "density", (0.0, plane.peak), ("density", "p"))


# ----------------------------------------------------------------------------------------------------------- the whole


def show(run, options, size=None):
    """Builds both views; size is that of the picture, or None to take what the window has."""
    simple._DisableFirstRenderCameraReset()
    if options.stationary:
        if not run.stationary:
            raise Problem(f"{run.directory} has no stationary.vti\n  to fix: leave --stationary out")
        run.frames = []
    if run.frames and not -len(run.times) <= options.frame < len(run.times):
        raise Problem(f"there is no frame {options.frame}\n  to fix: the frames are 0 to {len(run.times) - 1}")
    if options.animation and not run.frames:
        raise Problem("a stationary state does not move\n  to fix: leave --animation out")
    frames, stationary = open_frames(run), open_stationary(run)
    layout = simple.CreateLayout(name="underdamp")
    left = new_view(layout, 0, flat=True)
    layout.SplitHorizontal(0, 0.5)
    right = new_view(layout, 2, flat=False)
    if size:
        layout.SetSize(*size)
        view_size = [0.5 * size[0], size[1]]
    else:
        simple.Render(left)
        view_size = left.ViewSize
    Drawing.zoom, Drawing.in_window = min(view_size[0] / 960, view_size[1] / 900), size is None
    times = run.times if frames else [0.0]
    plane = Plane(frames, stationary, times, view_size)
    loops = contours_of_flux(plane, stationary, [0.0]) if stationary else contours_of_flux(plane, frames, times)
    current = current_shown(frames or stationary, options.part)
    words = [run.title, "" if frames else "stationary state", f"{options.part} current" if options.part else ""]
    title = ", ".join(word for word in words if word)
    density = DensityView(left, plane, frames or stationary, loops, current, options.flow, title)
    show_landscape(right, plane, frames, stationary, times, loops)
    if frames:
        density.show_time()
        scene = simple.GetAnimationScene()
        scene.UpdateAnimationUsingDataTimeSteps()
        scene.PlayMode = "Snap To TimeSteps"
        scene.AnimationTime = times[options.frame]
    simple.Render(left)
    simple.Render(right)
    return layout


def save(layout, run, options):
    if options.output or not options.animation:
        file = os.path.abspath(options.output or os.path.join(run.directory, "currents.png"))
        make_folder(os.path.dirname(file))
        simple.SaveScreenshot(file, layout, ImageResolution=options.size)
        if not os.path.isfile(file):
            raise Problem(f"{file} cannot be written\n  to fix: check its ending (.png, .jpg), space and permissions")
        print(f"picture: {file}")
    if options.animation:
        file = os.path.abspath(options.animation)
        if not os.path.splitext(file)[1]:
            file = os.path.join(file, "frame.png")
        make_folder(os.path.dirname(file))
        window = [0, len(run.times) - 1]
        simple.SaveAnimation(file, layout, ImageResolution=options.size, FrameRate=options.rate, FrameWindow=window)
        where = os.path.dirname(file) if file.endswith(".png") else file
        print(f"animation: {len(run.times)} frames in {where}")


def make_folder(folder):
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise Problem(f"{folder} cannot be made: {error.strerror}\n  to fix: choose another place") from error


def size_in_pixels(text):
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) >= 200 and int(height) >= 100):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 1920x900")
    return [int(width), int(height)]


def parse(arguments):
    parser = argparse.ArgumentParser(prog="currents.py", description="Pictures of an output directory of underdamp.")
    add = parser.add_argument
    add("directory", help="output directory of 'underdamp run', or a mode_NN in it")
    add("--output", metavar="FILE", help="picture to write; default: currents.png in the directory")
    add("--animation", metavar="WHERE", help="folder for one picture per frame, or a file .avi")
    add("--frame", type=int, default=-1, metavar="N", help="frame of the picture, from 0; default: the last")
    add("--stationary", action="store_true", help="show stationary.vti though there are frames")
    add("--mode", type=int, metavar="N", help="plane of a batch")
    add("--size", type=size_in_pixels, default=[1920, 900], metavar="WxH", help="in pixels; default: 1920x900")
    add("--rate", type=int, default=12, metavar="N", help="frames per second of a film; default: 12")
    parts = ["reversible", "irreversible"]
    add("--part", choices=parts, help="show this part of the current; default: all of it")
    flow_help = "direction of the current: a texture (lic) or lines; default: lic if this ParaView has it"
    add("--flow", choices=["auto", "lic", "lines"], default="auto", help=flow_help)
    return parser.parse_args(arguments)


def directory_in_window():
    """Of the active source's file, else what UNDERDAMP_OUTPUT says."""
    source = simple.GetActiveSource()
    while source is not None:
        for name in ("FileName", "FileNames"):
            if name in source.ListProperties():
                file = source.GetPropertyValue(name)
                return os.path.dirname(str(file if isinstance(file, str) else list(file)[0]))
        source = getattr(source, "Input", None)
    if os.environ.get("UNDERDAMP_OUTPUT"):
        return os.environ["UNDERDAMP_OUTPUT"]
    raise Problem(
        "which run?\n  to fix: open its density.pvd or stationary.vti, click it in the pipeline browser and run the\n"
        "  macro again; or start ParaView with the environment variable UNDERDAMP_OUTPUT set to its directory"
    )


def main():
    process = servermanager.vtkProcessModule
    batch = len(sys.argv) > 1 or process.GetProcessType() == process.PROCESS_BATCH
    try:
        if importlib.util.find_spec("numpy") is None:
            raise Problem("ParaView's Python has no numpy\n  to fix: install it (Debian: python3-numpy)")
        if batch:
            options = parse(sys.argv[1:])
            run = Run(options.directory, options.mode)
            layout = show(run, options, options.size)
            save(layout, run, options)
        else:
            options = parse([directory_in_window()])
            show(Run(options.directory), options)
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        if batch:
            # Not sys.exit: once something was drawn, ParaView cannot leave in the middle without an error of its own.
            sys.stderr.flush()
            sys.stdout.flush()
            os._exit(2)


main()
