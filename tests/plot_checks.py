"""Checks of the figures' parts: plot_checks.py SCRIPTS RUN, with the folder of the scripts and a run that has frames.

The reader of pictures against marginals.csv, and against the same numbers in every form that VTK writes; where axes
end; what is said of a picture that cannot be read.
"""
import base64
import contextlib
import csv
import io
import struct
import sys
import tempfile
import zlib
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import numpy as np
import underdamp_plot as plot
from underdamp_vti import lz4_decompress, read_vti


def check(passed, what):
    if not passed:  # what is not a number has not passed
        sys.exit(f"error: {what}")


def marginals_of_a_picture(run):
    with open(run / "marginals.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    last = plot.last_frame(run)
    theta, v, arrays = read_vti(last)
    density = arrays["density"]
    check(arrays["current"].shape == density.shape + (3,), "a vector has three components")
    for name, position, marginal in (("theta", theta, density.sum(axis=1) * (v[1] - v[0])),
                                     ("v", v, density.sum(axis=0) * (theta[1] - theta[0]))):
        part = [row for row in rows if row["coordinate"] == name and row["t"] == rows[-1]["t"]]
        expected = np.array([[float(row["position"]), float(row["density"])] for row in part])
        check(np.abs(position - expected[:, 0]).max() < 1e-9, f"positions along {name}")
        check(np.abs(marginal - expected[:, 1]).max() < 1e-8 * marginal.max(), f"marginal of {name}")


# 3 × 2 cells, theta fastest; a vector beside the numbers.
NUMBERS = np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
VECTORS = np.arange(18.0)


def xml(arrays, attributes="", appended=b""):
    entries = "".join(f'<DataArray type="Float64" Name="{name}" NumberOfComponents="{parts}" {rest}>{text}</DataArray>'
                      for name, parts, rest, text in arrays)
    return (f'<VTKFile type="ImageData" byte_order="LittleEndian" {attributes}><ImageData WholeExtent="0 3 0 2 0 0" '
            f'Origin="-1 2 0" Spacing="0.5 0.25 1"><Piece Extent="0 3 0 2 0 0"><CellData>{entries}</CellData></Piece>'
            "</ImageData>").encode() + appended + b"</VTKFile>"


def compressed(values, header):
    blocks = [zlib.compress(part) for part in (values.tobytes()[:40], values.tobytes()[40:])]
    head = struct.pack("<" + header * (3 + len(blocks)), len(blocks), 40, len(values.tobytes()) - 40, *map(len, blocks))
    return base64.b64encode(head).decode() + base64.b64encode(b"".join(blocks)).decode()


def plain(values, apart):
    head, body = struct.pack("<I", values.nbytes), values.tobytes()
    encoded = base64.b64encode(head) + base64.b64encode(body) if apart else base64.b64encode(head + body)
    return encoded.decode()


def raw(values):
    return struct.pack("<I", values.nbytes) + values.tobytes()


def lz4_literals(content):
    """One block of LZ4 in which nothing is repeated."""
    if len(content) < 15:
        return bytes([len(content) << 4]) + content
    extra, rest = divmod(len(content) - 15, 255)
    return b"\xf0" + b"\xff" * extra + bytes([rest]) + content


def raw_lz4(values):
    content = values.tobytes()
    blocks = [lz4_literals(content[:40]), lz4_literals(content[40:])]
    return struct.pack("<5I", len(blocks), 40, len(content) - 40, *map(len, blocks)) + b"".join(blocks)


def every_form():
    text = " ".join(map(str, NUMBERS)), " ".join(map(str, VECTORS))
    both = (("density", 1, NUMBERS), ("current", 3, VECTORS))
    zlib_name = 'compressor="vtkZLibDataCompressor"'
    yield "ascii", xml([(n, p, 'format="ascii"', t) for (n, p, _), t in zip(both, text)])
    for apart in (True, False):
        yield "base64", xml([(n, p, 'format="binary"', plain(x, apart)) for n, p, x in both])
    for header, name in (("I", "UInt32"), ("Q", "UInt64")):
        yield "zlib " + name, xml([(n, p, 'format="binary"', compressed(x, header)) for n, p, x in both],
                                  f'{zlib_name} header_type="{name}"')
    for form, encoded, attribute in (("raw", raw, ""), ("raw LZ4", raw_lz4, 'compressor="vtkLZ4DataCompressor"')):
        offset = len(encoded(NUMBERS))
        appended = [("density", 1, 'format="appended" offset="0"', ""),
                    ("current", 3, f'format="appended" offset="{offset}"', "")]
        data = encoded(NUMBERS) + encoded(VECTORS)
        yield form, xml(appended, attribute, b'<AppendedData encoding="raw">\n _' + data + b"</AppendedData>")


def reader_knows_every_form(folder):
    for name, content in every_form():
        path = folder / "form.vti"
        path.write_bytes(content)
        theta, v, arrays = read_vti(path)
        check(np.abs(theta - [-0.75, -0.25, 0.25]).max() < 1e-15 and np.abs(v - [2.125, 2.375]).max() < 1e-15, name)
        check((arrays["density"] == [[0.5, 2.0], [1.0, 2.5], [1.5, 3.0]]).all(), name)
        check((arrays["current"][1, 1] == [12.0, 13.0, 14.0]).all(), name)
        check(list(read_vti(path, ("current",))[2]) == ["current"], name)


def lz4_by_hand():
    """Blocks as the description of the format has them: copies that reach into themselves, lengths of several bytes."""
    end = b"\x50" + b"12345"
    for name, block, content in (
            ("bytes as they are", end, b"12345"),
            ("a length of 15", b"\xf0\x00" + b"a" * 15, b"a" * 15),
            ("a length of 270", b"\xf0\xff\x00" + b"a" * 270, b"a" * 270),
            ("a copy", b"\x62abcdef\x06\x00" + end, b"abcdefabcdef12345"),
            ("a copy from the middle", b"\x80abcdefgh\x06\x00" + end, b"abcdefghcdef12345"),
            ("a copy into itself", b"\x3fabc\x03\x00\xff\x12" + end, b"abc" + b"abc" * 97 + b"a" + b"12345")):
        check(lz4_decompress(block) == content, f"LZ4: {name}")
    for name, block in (("empty", b""), ("cut", b"\x62abcdef\x06"), ("from before the beginning", b"\x22ab\x03\x00" + end),
                        ("from nowhere", b"\x22ab\x00\x00" + end), ("too short", b"\x5012")):
        try:
            check(lz4_decompress(block) is None, f"damaged LZ4 is refused: {name}")
        except ValueError:
            pass


def what_cannot_be_read_is_said(folder):
    damaged = struct.pack("<4I", 1, 48, 0, 3) + b"\x22ab"
    for name, content in (("cut", b"<VTKFile><ImageData"), ("other", b"<VTKFile/>"),
                          ("damaged", xml([("density", 1, 'format="appended" offset="0"', "")],
                                          'compressor="vtkLZ4DataCompressor"',
                                          b'<AppendedData encoding="raw">_' + damaged + b"</AppendedData>")),
                          ("codec", xml([], 'compressor="vtkZstd"'))):
        path = folder / f"{name}.vti"
        path.write_bytes(content)
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            check(plot.picture(path, ("density",)) is None, name)
        check(f"note: no figure of {path}: " in said.getvalue(), f"what is said of {name}: {said.getvalue()}")


def axes_end_where_the_density_does():
    x = np.linspace(-10, 10, 201)
    low, high = plot.extent(x, np.exp(-x ** 2 / 2), 1e-4)  # 4.29 standard deviations, and one cell more
    check(abs(low + 4.3) < 0.001 and abs(high - 4.3) < 0.001, f"[{low}, {high}]")
    check(plot.extent(x, np.full(201, np.nan), 1e-4) == (x[0], x[-1]), "where nothing is known, all is shown")


marginals_of_a_picture(Path(sys.argv[2]))
with tempfile.TemporaryDirectory() as name:
    reader_knows_every_form(Path(name))
    what_cannot_be_read_is_said(Path(name))
lz4_by_hand()
axes_end_where_the_density_does()
