"""Spoils a file as somebody would who knows what it is: its structure stays sound, and what it says is not.

`merprep.bench.mutations` turns bits of any file; here HDF5 files get links, types, shapes and attributes that nothing
of merprep's writes, archives get bombs, tables and JSON get values that go wrong, and a file may become a pipe.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from merprep.bench.mutations import mutated

# What stands in place of a text: ways out of a folder, escape sequences, markup, formulas, odd letters, long ones.
TEXTS = (
    "", " ", ".", "..", "../../../../merprep-was-here", "/merprep-was-here", "C:\\x", "\\\\host\\share\\x", "a/b/c/d",
    "casme2/../../x", "a\nb", "a\r\nb", "a\0b", "\0", "\x1b]0;owned\x07\x1b[2J", "\x9b31m",
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{ 7*7 }}", "{% for x in y %}",
    "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)",
    "\t=1", "'=1", "\u202eabc", "\u2066", "\ufeffx", "\ud800", "\U0010ffff", "e\u0301" * 50, "NaN", "nan", "inf",
    "-inf", "1e999", "-1", "0", "00", "1" * 400, "1e400", "0x10", "1_000", "١٢٣", "²", "½", "true", "None", "null",
    "%s%s%n", "${HOME}", "`id`", "; rm -rf /", "CON", "nul.txt", "~", "~root", "-rf", "--help", ",", ";", '"', "'", "#",
    "a" * 255, "a" * 300, "x" * 100_000, "/" * 300, "../" * 100, "🙂" * 100,
)  # fmt: skip
NUMBERS = (
    0, -0.0, -1, 1, 2, 255, 256, 65536, 2**31 - 1, -(2**31), 2**31, 2**32, 2**53, 2**63 - 1, -(2**63), 2**63, 2**64,
    10**30, 10**400, 1e-320, 1e308, -1e308, float("nan"), float("inf"), float("-inf"), 0.1, 1e10, True, False,
)  # fmt: skip
_BOMB = 1 << 28  # bytes, of zeros: a quarter of a megabyte in an archive
_DEEP = 3000
_SPARSE = 1 << 36


def spoil(path: Path, rng: random.Random, *, text: bool = False) -> str:
    r"""Spoil a file where it stands, and say how.

    Parameters
    ----------
    path : Path
    rng : random.Random
        Equal states, equal changes.
    text : bool
        Whether it is text, see `merprep.bench.mutations.mutated`.

    Examples
    --------
    >>> import tempfile
    >>> table = Path(tempfile.mkdtemp()) / "x.csv"
    >>> _ = table.write_text("id,label\na,1\n")
    >>> spoil(table, random.Random(1)), table.read_text() != "id,label\na,1\n"
    ('table', True)
    """
    chance = rng.random()
    if chance < 0.05:
        return _replaced(path, rng)
    kind = _KINDS.get(path.suffix.lower())
    if kind is not None and chance < 0.7:
        name, change = kind
        try:
            for _ in range(rng.choice((1, 1, 2, 4))):
                change(path, rng)
        except _IMPOSSIBLE:  # some changes do not go together, and nothing is lost by that
            pass
        return name
    path.write_bytes(mutated(path.read_bytes(), rng, text=text))
    return "bytes"


def _replaced(path: Path, rng: random.Random) -> str:
    """Put something else in a file's place: a pipe, a folder, a device, a link, a socket, a file without an end."""
    kind = rng.choice(("pipe", "folder", "device", "link", "loop", "dangling", "socket", "sparse", "empty"))
    path.unlink()
    targets = {"device": "/dev/zero", "link": "/etc/passwd", "loop": path.name, "dangling": "not there"}
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        (path / "in").mkdir(parents=True)
    elif kind == "socket":
        _socket(path)
    elif kind in targets:
        path.symlink_to(targets[kind])
    else:
        with path.open("wb") as stream:
            stream.truncate(_SPARSE if kind == "sparse" else 0)
    return kind


def _socket(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFSOCK | 0o600)
    except OSError:
        path.touch()


def nasty(rng: random.Random) -> Any:
    """Return a plain value that JSON can say, of any kind."""
    deep: Any = 0
    for _ in range(rng.choice((1, 5, 400))):
        deep = [deep]
    return rng.choice((rng.choice(TEXTS), rng.choice(NUMBERS), None, [], {}, [None], {"": {}}, deep, [1, "a", None]))


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)


def _json(path: Path, rng: random.Random) -> None:
    """Change one value of a JSON document, its name, or how deep it lies."""
    values = json.loads(path.read_text(encoding="utf-8"))
    places = list(_places(values))
    holder, key = rng.choice(places)
    change = rng.randrange(6)
    if change == 0:
        del holder[key]
    elif change == 1 and isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = holder.pop(key)
    elif change == 2:
        other, name = rng.choice(places)
        holder[key] = json.loads(_json_text(other[name]))
    else:
        holder[key] = nasty(rng)
    text = _json_text(values)
    if rng.random() < 0.03:
        text = rng.choice(("[" * 100_000, '{"a":' * 100_000, "9" * 5000, text + text, "[]", "0", '"x"', "null", ""))
    path.write_text(text, encoding="utf-8")


def _places(values: Any) -> Any:
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in list(items):
        yield values, key
        yield from _places(value)


def _table(path: Path, rng: random.Random) -> None:
    """Change cells, columns or rows of a table with commas."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    row, column = rng.randrange(len(rows)), rng.randrange(len(rows[0]))
    change = rng.randrange(10)
    if change == 0:
        rows.append(list(rows[row]))
    elif change == 1:
        del rows[row]
    elif change == 2:
        rows = [[cell for place, cell in enumerate(each) if place != column] for each in rows]
    elif change == 3:
        rows[0][column] = rng.choice((*TEXTS, *rows[0]))
    elif change == 4:
        rows[row] += ["x"] * rng.choice((1, 1000, 1_000_000))
    elif change == 5 and rng.random() < 0.2:
        rows = [[*each, *(f"c{n}" for n in range(1_000_000))] for each in rows[:2]]
    else:
        rows[row][column % len(rows[row])] = rng.choice((*TEXTS, *map(str, NUMBERS[:-3])))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=rng.choice(("\n", "\n", "\r\n", "\r"))).writerows(rows)
    path.write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))


_XML = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
    ) + b"]><x>&j;</x>",
    b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    b"<a>" * 200_000, b"", b"<", b"\0" * 1000,
)  # fmt: skip
_CELLS = (
    b'r="XFD1048576"', b'r="A99999999999"', b'r=""', b'r="1A"', b'r="A0"', b'ref="A1:XFD1048576"', b't="s"', b't="e"',
    b"<v>999999999</v>", b"<v>-1</v>", b"<v>1e999</v>", b"<f>1/0</f>", b'Target="../../../etc/passwd"', b'Target="/"',
    b'TargetMode="External"', b'count="4294967295"', b'uniqueCount="99999999999"', b'spans="1:16384"', b'sheetId="-1"',
)  # fmt: skip


def _archive(path: Path, rng: random.Random) -> None:
    """Change a member of an archive, its name, its method, or add a bomb."""
    with zipfile.ZipFile(path) as book:
        members = [(part.filename, book.read(part)) for part in book.infolist()]
    place = rng.randrange(len(members))
    name, content = members[place]
    change = rng.randrange(9)
    if change == 0:
        members[place] = (rng.choice(("../../x", "/x", "x" * 300, name + "/", "")), content)
    elif change == 1:
        members.append((name, mutated(content, rng) if content else b""))
    elif change == 2:
        del members[place]
    elif change == 3:
        members[place] = (name, bytes(_BOMB))
    elif name.endswith(".npy"):
        members[place] = (name, _npy(content, rng))
    elif change == 4:
        members[place] = (name, rng.choice(_XML))
    elif change in (5, 6):
        members[place] = (name, _exchanged(content, rng))
    else:
        members[place] = (name, mutated(content, rng, text=True) if content else b"x")
    with zipfile.ZipFile(path, "w", rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))) as made:
        for each, data in members:
            made.writestr(zipfile.ZipInfo(each), data, made.compression)


def _exchanged(content: bytes, rng: random.Random) -> bytes:
    """Put an attribute of a sheet's XML in place of another."""
    parts = content.split(b" ")
    parts[rng.randrange(len(parts))] = rng.choice(_CELLS)
    return b" ".join(parts)


def _npy(content: bytes, rng: random.Random) -> bytes:
    """Let an array say another type or shape than it has."""
    descr = rng.choice(
        ("<f8", "<U9", "|O", "|V8", "<M8[ns]", "<U99999999", "[('a', '<f4')]", "<f2", "|S0", "|b1", ">i8")
    )
    told = descr if descr.startswith("[") else repr(descr)
    shape = rng.choice(("()", "(0,)", "(99999999999,)", "(-1,)", "(2, 3, 4)", "(1,)", "(1048576, 1048576)", "'x'"))
    header = f"{{'descr': {told}, 'fortran_order': {rng.choice(('True', 'False', '0'))}, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    body = content[10 + struct.unpack_from("<H", content, 8)[0] :] if len(content) > 10 else b""
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode() + body


def _tensors(path: Path, rng: random.Random) -> None:
    """Change what the header of a safetensors file says."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    own = rng.choice(list(header))
    change = rng.randrange(6)
    if change == 0:
        del header[own]
    elif change == 1:
        header[rng.choice(TEXTS)] = header.pop(own)
    elif change == 2 and isinstance(header.get("__metadata__"), dict):
        about = header["__metadata__"]
        key = rng.choice(list(about))
        about[key] = rng.choice(("[" * 100_000, "{}", "null", "NaN", "[]", *TEXTS, _within(about[key], rng)))
    elif change == 3:
        holder, key = rng.choice(list(_places(header)))
        holder[key] = nasty(rng)
    elif change == 4:
        length = rng.choice((0, 1, 2**40, 2**63, 2**64 - 1))
    text = json.dumps(header).encode()
    told = len(text) if change != 4 else length
    body = data[8 + struct.unpack_from("<Q", data)[0] :]
    if change == 5:
        body = bytes([rng.choice((0xFF, 0x7F, 0))]) * len(body)
    path.write_bytes(struct.pack("<Q", told) + text + body)


def _within(text: str, rng: random.Random) -> str:
    """Change one value of a JSON document that is a text; a seal, which an attacker would make anew, is left out."""
    values = json.loads(text)
    if isinstance(values, dict):
        values.pop("seal", None)
    holder, key = rng.choice(list(_places(values)))
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = nasty(rng)
    return json.dumps(values)


def _hdf5(path: Path, rng: random.Random) -> None:
    import h5py

    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        names: list[str] = []
        file.visit(names.append)
        rng.choice(_OF_HDF5)(file, names, rng)


def _value_of(file: Any, names: list[str], rng: random.Random) -> None:
    """Put values that go wrong into a dataset."""
    import h5py
    import numpy as np

    data = file[rng.choice([name for name in names if isinstance(file[name], h5py.Dataset)])]
    kind = data.dtype.kind
    where: Any = rng.choice((Ellipsis, (0,) * data.ndim))
    if kind == "O":
        data[rng.randrange(len(data))] = rng.choice((*(t.encode("utf-8", "surrogatepass") for t in TEXTS), b"\xff\xfe"))
    elif kind == "f":
        data[where] = rng.choice((np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-45, 0.0))
    elif kind == "i":
        data[where] = rng.choice((0, -1, -2, 2**62, -(2**62), 2**31, 7))
    else:
        data[where] = 255


def _another(file: Any, names: list[str], rng: random.Random) -> None:
    """Put a dataset of another type, shape, filter or place of its values in place of one."""
    import h5py
    import numpy as np

    name = rng.choice([name for name in names if isinstance(file[name], h5py.Dataset)])
    old = file[name]
    attributes, values, shape = dict(old.attrs), old[()], old.shape
    del file[name]
    types = ("f2", "f8", "i1", "u8", "S7", "S0", "c8", "?", h5py.string_dtype("ascii"), h5py.string_dtype("utf-8", 3),
             [("a", "f4"), ("b", "S3")], h5py.ref_dtype, h5py.vlen_dtype("f4"), h5py.enum_dtype({"A": 1}), "V8", ">f4",
             h5py.opaque_dtype("M8[s]"), np.dtype(("f4", (3,))))  # fmt: skip
    shapes = ((), (0,), (1,), (*shape, 1), shape[:-1], shape[::-1], (0, *shape[1:]), (shape[0] + 1, *shape[1:]),
              (2**40, *shape[1:]), (2**20, 2**20), shape[:1], (*shape[:1], 2**33))  # fmt: skip
    kind = rng.randrange(8)
    if kind < 2:
        made = file.create_dataset(name, shape, dtype=rng.choice(types))
    elif kind < 4:
        other = rng.choice(shapes)
        dtype = old_type(values)
        made = file.create_dataset(name, other, dtype=dtype, chunks=tuple(min(n, 64) or 1 for n in other) or None)
    elif kind == 4:
        made = file.create_dataset(name, (2**28,), "u1", chunks=(2**20,), compression="gzip")
    elif kind == 5:
        made = file.create_dataset(name, (1000,), "f4", external=[("/etc/passwd", 0, 4000)])
    elif kind == 6:
        layout = h5py.VirtualLayout(shape or (1,), "f4")
        source = rng.choice(("/etc/passwd", ".", "not-there.h5", file.filename))
        layout[...] = h5py.VirtualSource(source, rng.choice(("x", name)), shape or (1,))
        made = file.create_virtual_dataset(name, layout)
    else:
        made = file.create_dataset(name, data=h5py.Empty("f4"))
    for key, value in attributes.items():
        made.attrs[key] = value


def old_type(values: Any) -> Any:
    """Return the type to make a dataset of such values with."""
    import h5py
    import numpy as np

    dtype = np.asarray(values).dtype
    return h5py.string_dtype("utf-8") if dtype.kind == "O" else dtype


def _linked(file: Any, names: list[str], rng: random.Random) -> None:
    """Put a link in place of a member, or a circle of groups."""
    import h5py

    name = rng.choice(names)
    kind = rng.randrange(7)
    parent = name.rpartition("/")[0] or "/"
    if kind < 5:
        del file[name]
    if kind == 0:
        file[name] = h5py.SoftLink(rng.choice((f"/{name}", "/", "/nowhere", parent, "/clips/id")))
    elif kind == 1:
        file[name] = h5py.ExternalLink(rng.choice(("/etc/passwd", "/dev/zero", "x.h5", file.filename)), "/clips")
    elif kind == 2:
        file[name] = file[parent]
    elif kind == 3:
        file[name] = file[rng.choice(names)]
    elif kind == 4:
        file.create_group(name)
    elif kind == 5:
        file.create_group("/".join(["d"] * _DEEP))
    else:
        file.create_group(f"{parent}/{rng.choice(TEXTS).replace(chr(0), '')[:200] or 'x'}")


def _told(file: Any, names: list[str], rng: random.Random) -> None:
    """Change, remove or add attributes."""
    import h5py
    import numpy as np

    item = file[rng.choice(["/", "/", "/", *names])]
    known = list(item.attrs) or ["x"]
    key = rng.choice(known)
    kind = rng.randrange(10)
    if kind == 0:
        item.attrs.pop(key, None)
    elif kind == 1:
        for number in range(2000):
            item.attrs[f"n{number}"] = number
    elif kind == 2:
        item.attrs[key] = rng.choice(
            (h5py.Empty("f4"), np.zeros(0), np.zeros((50, 50)), np.array([b"a", b"b"]), np.nan)
        )
    elif kind == 3:
        item.attrs[key] = json.dumps(nasty(rng))
    elif kind == 4:
        item.attrs[key] = rng.choice(("[" * 50_000, '{"a":' * 9000, "{}", "[]", "null", "NaN", '{"a": NaN}'))
    elif kind == 5 and isinstance(item.attrs.get(key), str) and item.attrs[key][:1] in "[{":
        item.attrs[key] = _within(item.attrs[key], rng)
    elif kind == 6:
        item.attrs.create(key, rng.choice((2**63 - 1, -1, 10**9, 0)), dtype="i8")
    elif kind == 7:
        item.attrs[key] = list(TEXTS[:7])
    else:
        text = rng.choice(TEXTS).encode("utf-8", "surrogatepass").replace(b"\0", b"")
        item.attrs[key] = np.bytes_(text) if rng.random() < 0.3 else text.decode("utf-8", "replace")


def _gone(file: Any, names: list[str], rng: random.Random) -> None:
    del file[rng.choice(names)]


_OF_HDF5: tuple[Callable[[Any, list[str], random.Random], None], ...] = (
    _value_of, _value_of, _value_of, _another, _another, _linked, _linked, _told, _told, _told, _gone,
)  # fmt: skip
_KINDS: dict[str, tuple[str, Callable[[Path, random.Random], None]]] = {
    ".h5": ("HDF5", _hdf5),
    ".json": ("JSON", _json),
    ".jsonl": ("JSON", _json),
    ".csv": ("table", _table),
    ".xlsx": ("archive", _archive),
    ".npz": ("archive", _archive),
    ".safetensors": ("tensors", _tensors),
}
_IMPOSSIBLE = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, OSError, RuntimeError, NotImplementedError,
    OverflowError, struct.error, zipfile.BadZipFile, RecursionError, MemoryError,
)  # fmt: skip
