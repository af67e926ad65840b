"""Elements of SVG drawings, every text in them escaped."""

from __future__ import annotations

from itertools import count

from markupsafe import Markup, escape

# Hues that read on white and on near-black paper, and apart for most colour-blind eyes (after Okabe and Ito).
HONEST, OPTIMISTIC, PUBLISHED, FLAG = "#2574b5", "#d3761a", "#7a8288", "#c2418f"
INK = "currentColor"
_numbers = count(1)


def tag(name: str, *inner: str | Markup, **attributes: object) -> Markup:
    """Write an element; ``_`` in an attribute's name stands for ``-``, None leaves it out.

    Examples
    --------
    >>> str(tag("text", "a < b", x=1.50, text_anchor="end"))
    '<text x="1.5" text-anchor="end">a &lt; b</text>'
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is not None:
            parts.append(f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"')
    content = Markup("").join(escape(part) for part in inner)
    return Markup("".join(parts) + (f">{content}</{name}>" if inner else "/>"))  # noqa: S704 - all parts are escaped


def text(
    x: float, y: float, content: object, *, size: float = 11, anchor: str = "start", **attributes: object
) -> Markup:
    """Write a line of text at its baseline."""
    given: dict[str, object] = {"fill": INK, "font_size": size, "text_anchor": anchor, **attributes}
    return tag("text", str(content), x=x, y=y, **given)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: object) -> Markup:
    """Draw a thin line."""
    given: dict[str, object] = {"stroke": INK, "stroke_width": 1, **attributes}
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, **given)


def rect(x: float, y: float, width: float, height: float, **attributes: object) -> Markup:
    """Draw a rectangle."""
    return tag("rect", x=x, y=y, width=width, height=height, **attributes)


def drawing(width: float, height: float, title: str, description: str, *inner: Markup) -> Markup:
    """Put elements together as one drawing that a screen reader can read out.

    Parameters
    ----------
    width, height : float
        In user units, about CSS pixels.
    title, description : str
        What it is, and what is to be seen in it.
    """
    number = next(_numbers)
    title_id, description_id = f"svg{number}-title", f"svg{number}-desc"
    return tag(
        "svg",
        tag("title", title, id=title_id),
        tag("desc", description, id=description_id),
        *inner,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_number(width)} {_number(height)}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{title_id} {description_id}",
        font_family="system-ui, sans-serif",
    )


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
