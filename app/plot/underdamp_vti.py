"""Reads the pictures of a run, density_NNNN.vti and stationary.vti, with nothing but numpy.

    from underdamp_vti import read_vti

    theta, v, arrays = read_vti("out/oscillator/density_0010.vti")
    density = arrays["density"]                 # density[i, j] at theta[i], v[j]
    mean = (theta[:, None] * density).sum() / density.sum()

Vectors such as `current` have a third axis with three components (theta, v, 0). What VTK calls XML ImageData is read
in all its forms: text, base64 or raw bytes, in place or appended, compressed by LZ4, zlib or LZMA or not at all.
"""
import base64
import lzma
import re
import xml.etree.ElementTree as ElementTree
import zlib

import numpy as np

TYPES = {"Float32": "f4", "Float64": "f8", "Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4",
         "UInt32": "u4", "Int64": "i8", "UInt64": "u8"}


def lz4_decompress(raw):
    """One block of LZ4: each sequence is some bytes as they are, then a copy of earlier ones."""
    result = bytearray()
    try:
        position = 0
        while True:
            token = raw[position]
            literals, position = lz4_length(raw, position + 1, token >> 4)
            result += raw[position:position + literals]
            position += literals
            if position == len(raw):
                return bytes(result)
            begin = len(result) - (raw[position] | raw[position + 1] << 8)
            copied, position = lz4_length(raw, position + 2, token & 15)
            copied += 4
            if not 0 <= begin < len(result):
                raise IndexError
            repeated = result[begin:begin + copied]
            while len(repeated) < copied:  # the copy reaches into itself
                repeated += repeated[:copied - len(repeated)]
            result += repeated
    except IndexError:
        raise ValueError("its LZ4 data are damaged") from None


def lz4_length(raw, position, nibble):
    """A length that begins with four bits, and where what follows it stands."""
    length = nibble
    byte = 255 if nibble == 15 else 0
    while byte == 255:
        byte = raw[position]
        position += 1
        length += byte
    return length, position


COMPRESSORS = {"vtkLZ4DataCompressor": lz4_decompress, "vtkZLibDataCompressor": zlib.decompress,
               "vtkLZMADataCompressor": lzma.decompress}


class Payload:
    """How the numbers of a file are stored."""

    def __init__(self, root, path):
        self.order = "<" if root.get("byte_order", "LittleEndian") == "LittleEndian" else ">"
        self.header = np.dtype(self.order + TYPES[root.get("header_type", "UInt32")])
        name = root.get("compressor")
        if name and name not in COMPRESSORS:
            raise ValueError(f"{path}: {name} is not known")
        self.decompress = COMPRESSORS.get(name)

    def numbers(self, raw, count):
        return np.frombuffer(raw, self.header, count).astype(int)

    def from_base64(self, text):
        """One block of base64, whose header is encoded apart from what follows where its padding says so."""
        text = b"".join(text.split())

        def header(count):
            size = 4 * -(-count * self.header.itemsize // 3)
            return base64.b64decode(text[:size]), size

        if self.decompress is None:
            first, size = header(1)
            length = self.numbers(first, 1)[0]
            apart = text[:size].endswith(b"=")
            raw = base64.b64decode(text[size:] if apart else text)
            begin = 0 if apart else self.header.itemsize
            return raw[begin:begin + length]
        blocks = self.numbers(header(1)[0], 1)[0]
        first, size = header(3 + blocks)
        return self.joined(self.numbers(first, 3 + blocks)[3:], base64.b64decode(text[size:]))

    def from_bytes(self, raw):
        if self.decompress is None:
            return raw[self.header.itemsize:self.header.itemsize + self.numbers(raw, 1)[0]]
        blocks = self.numbers(raw, 1)[0]
        return self.joined(self.numbers(raw, 3 + blocks)[3:], raw[(3 + blocks) * self.header.itemsize:])

    def joined(self, sizes, raw):
        ends = np.cumsum(sizes)
        return b"".join(self.decompress(raw[end - size:end]) for size, end in zip(sizes, ends))


def take_appended(content):
    """The XML without its appended data, which need not be XML; these data; whether they are base64."""
    match = re.search(rb"<AppendedData([^>]*)>\s*_", content)
    if match is None:
        return content, b"", True
    end = content.rindex(b"</AppendedData>")
    return content[:match.start()] + content[end + len(b"</AppendedData>"):], content[match.end():end], b"base64" in match[1]


def read_vti(path, names=None):
    """Cell centres along theta and v, and the cell arrays of a picture by name: all of them, or those of `names`.

    Raises ValueError if the file is none."""
    with open(path, "rb") as stream:
        content, appended, in_base64 = take_appended(stream.read())
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as problem:
        raise ValueError(f"{path} is no picture: {problem}") from problem
    image = root.find("ImageData")
    if image is None:
        raise ValueError(f"{path} is no picture: it holds no ImageData")
    extent = [int(word) for word in image.get("WholeExtent").split()]
    cells = (extent[1] - extent[0], extent[3] - extent[2])
    origin, spacing = ([float(word) for word in image.get(key).split()] for key in ("Origin", "Spacing"))
    payload = Payload(root, path)
    arrays = {}
    for entry in image.findall("Piece/CellData/DataArray"):
        if names is not None and entry.get("Name") not in names:
            continue
        dtype = np.dtype(payload.order + TYPES[entry.get("type")])
        if entry.get("format") == "appended":
            rest = appended[int(entry.get("offset")):]
            raw = payload.from_base64(base64_word(rest)) if in_base64 else payload.from_bytes(rest)
            values = np.frombuffer(raw, dtype)
        elif entry.get("format") == "ascii":
            values = np.array(entry.text.split(), dtype)
        else:
            values = np.frombuffer(payload.from_base64((entry.text or "").encode()), dtype)
        parts = int(entry.get("NumberOfComponents", 1))
        values = values.reshape(cells[1], cells[0], parts).swapaxes(0, 1)  # VTK runs theta fastest
        arrays[entry.get("Name")] = values[:, :, 0] if parts == 1 else values
    theta, v = (origin[k] + (extent[2 * k] + 0.5 + np.arange(cells[k])) * spacing[k] for k in (0, 1))
    return theta, v, arrays


def base64_word(text):
    """What is base64 at the beginning of `text`, both parts if the header is padded."""
    return re.match(rb"[A-Za-z0-9+/\s]*={0,2}[A-Za-z0-9+/\s]*={0,2}", text)[0]
