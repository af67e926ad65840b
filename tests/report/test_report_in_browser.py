"""The report in a real browser: silent, sorted, filtered, saved, printed, and open to everybody."""

import json
from importlib.resources import files
from xml.etree import ElementTree

import pytest
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def opened(chromium, page):
    """Open the report; gives the page and what it said and asked for."""
    contexts = []

    def open_(**options):
        context = chromium.new_context(**{"viewport": DESKTOP, **options})
        contexts.append(context)
        tab = context.new_page()
        heard = {"console": [], "requests": []}
        tab.on("console", lambda message: heard["console"].append(message.text))
        tab.on("pageerror", lambda error: heard["console"].append(str(error)))
        tab.on("request", lambda request: heard["requests"].append(request.url))
        tab.goto(page.as_uri())
        return tab, heard

    yield open_
    for context in contexts:
        context.close()


def table(tab, caption):
    return tab.locator("[data-table]", has=tab.locator("caption", has_text=caption)).first


def column(box, number):
    return box.locator("tbody tr:not([hidden])").locator(f":nth-child({number})").all_inner_texts()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_without_a_message_and_asks_for_nothing_but_itself(opened, page, scheme):
    tab, heard = opened(color_scheme=scheme)
    tab.wait_for_load_state("networkidle")
    assert heard["console"] == []
    assert [url for url in heard["requests"] if not url.startswith("data:")] == [page.as_uri()]
    assert tab.title().startswith("merprep report")


def test_a_click_on_a_head_sorts_numbers_as_numbers_and_a_second_click_turns_them_round(opened):
    tab, _ = opened()
    tab.locator("summary", has_text="Strength of every clip").click()
    box = table(tab, "Strength by clip")
    head = box.locator("thead th").nth(2)
    head.get_by_role("button").click()
    values = [float(value) for value in column(box, 3)]
    assert values == sorted(values)
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    assert [float(value) for value in column(box, 3)] == values[::-1]
    assert head.get_attribute("aria-sort") == "descending"
    assert box.locator("th[aria-sort]").count() == 1


def test_the_keyboard_sorts_names_with_their_numbers_in_order(opened):
    tab, _ = opened()
    tab.locator("summary", has_text="Strength of every clip").click()
    box = table(tab, "Strength by clip")
    box.locator("thead th").nth(0).get_by_role("button").focus()
    tab.keyboard.press("Enter")
    names = column(box, 1)
    assert names[0].startswith("casme2/")
    assert names[-1].startswith("smic/")
    assert "ascending" in tab.locator("#announcer").inner_text()


def test_the_filter_keeps_the_rows_with_all_its_words_and_counts_them(opened):
    tab, _ = opened()
    tab.locator("summary", has_text="Strength of every clip").click()
    box = table(tab, "Strength by clip")
    total = box.locator("tbody tr").count()
    box.get_by_label("Filter").fill("SMIC surprise")
    shown = column(box, 1)
    assert 0 < len(shown) < total
    assert all(name.startswith("smic/") for name in shown)
    assert box.locator("output").inner_text() == f"{len(shown)} of {total} rows"
    box.get_by_label("Filter").fill("")
    assert len(column(box, 1)) == total


@pytest.mark.parametrize(
    "options", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": PHONE, "color_scheme": "dark"}]
)
def test_axe_finds_no_violation_be_it_minor_or_serious(opened, options):
    # Only the audit's own styles need the policy to be put aside.
    tab, _ = opened(bypass_csp=True, **options)
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    tab.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    result = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    found = [(one["impact"], one["id"], one["nodes"][0]["html"][:200]) for one in result["violations"]]
    assert found == [], json.dumps(found, indent=2)
    assert len(result["passes"]) > 10


def test_nothing_is_wider_than_a_phone(opened):
    tab, _ = opened(viewport=PHONE, is_mobile=True, has_touch=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_sections_are_reached_by_the_keyboard(opened):
    tab, _ = opened()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the report"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"


def test_a_figure_is_saved_as_svg_and_as_a_picture_for_print(opened, tmp_path):
    tab, heard = opened(color_scheme="dark")
    figure = tab.locator("figure", has_text="mean over").first
    for kind in ("svg", "png"):
        with tab.expect_download() as waiting:
            figure.locator(f"[data-save={kind}]").click()
        waiting.value.save_as(tmp_path / f"figure.{kind}")
    drawn = ElementTree.parse(tmp_path / "figure.svg").getroot()
    assert drawn.tag.endswith("svg")
    picture = Image.open(tmp_path / "figure.png").convert("RGB")
    assert picture.size[0] == 2126
    assert picture.getpixel((picture.size[0] - 1, 0)) == (255, 255, 255)
    assert heard["console"] == []


def test_it_prints_on_white_without_controls(opened):
    tab, _ = opened(color_scheme="dark")
    tab.emulate_media(media="print", color_scheme="light")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not tab.locator(".contents").is_visible()
    assert not tab.locator(".save").first.is_visible()
    assert tab.pdf(format="A4").startswith(b"%PDF")
