"""Notebook 09 in a real browser: its cells run, its slider moves, its points are kept."""

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

NOTEBOOK = "09_explore_and_annotate.ipynb"
FITS = """(width) => {
    const root = document.querySelector(".ssn3d-annotator");
    const [box, picture] = [root, root.querySelector("img")].map((x) => x.getBoundingClientRect());
    return root.scrollWidth <= root.clientWidth && box.right <= width && picture.right <= box.right
        && picture.height === 2 * picture.width;
}"""
"""Whether the annotator lies within a window, and its picture keeps the proportions of its file."""
PARTS = ["head", "hand", "knee 1", "knee 2", "foot 1", "foot 2"]


def settle(page: Page) -> None:
    """Wait until Python has answered the annotator and its picture is loaded."""
    expect(page.locator(".ssn3d-annotator")).to_have_attribute("aria-busy", "false")


def marks(data: Path) -> dict[str, list[Any]]:
    """What the file says of each picture: for every part x, y in 0..1, "hidden" or None."""
    [file] = data.glob("generated/*-by-hand/labels.json")
    document = json.loads(file.read_text())
    images = {image["id"]: image for image in document["images"]}
    found: dict[str, list[Any]] = {}
    for entry in document["annotations"]:
        image, numbers = images[entry["image_id"]], entry["keypoints"]
        places = [
            (round(x / image["width"], 2), round(y / image["height"], 2)) if v else None
            for x, y, v in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
        ]
        found[image["file_name"]] = [
            "hidden" if part in entry["not_visible"] else place
            for part, place in zip(PARTS, places, strict=True)
        ]
    return found


def drawn(page: Page) -> list[Any]:
    """What the annotator shows, in the same words, when nothing changes any more."""
    settle(page)
    found: list[Any] = []
    states = page.locator(".ssn3d-annotator .parts .state").all_text_contents()
    for state, mark in zip(states, page.locator(".ssn3d-annotator .mark").all(), strict=True):
        x, y = mark.evaluate("(mark) => [mark.style.left, mark.style.top].map(parseFloat)")
        place = (round(x / 100, 2), round(y / 100, 2)) if mark.is_visible() else None
        found.append("hidden" if state == "not visible" else place)
    return found


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """A place of the picture, on the page."""
    box = page.locator(".ssn3d-annotator img").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def test_every_cell_runs(seen):
    expect(seen.page.locator(".ssn3d-annotator .mark")).to_have_count(len(PARTS))
    seen.command("notebook:move-cursor-down")
    seen.shot("notebook")


def test_the_slider_changes_the_picture(seen):
    picture = seen.page.locator("img.widget-image")
    picture.scroll_into_view_if_needed()
    before = picture.get_attribute("src")
    seen.shot("explorer")
    handle = seen.page.locator(".widget-slider", has_text="frame").locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowRight")
    handle.press("ArrowRight")
    expect(picture).not_to_have_attribute("src", before)
    picture.evaluate("(image) => image.decode()")
    seen.shot("explorer_later")


def test_points_are_kept_and_found_again(seen, lab):
    page = seen.page
    page.locator(".ssn3d-annotator .stage").scroll_into_view_if_needed()
    settle(page)
    name = page.locator(".ssn3d-annotator .name")
    first = name.text_content()
    cells = page.locator(".jp-Cell").count()

    def kept() -> list[Any]:
        """What the page shows of the picture, found in the file as well."""
        shown = drawn(page)
        assert marks(lab.data)[name.text_content()] == shown
        return shown

    for place in ((0.5, 0.1), (0.25, 0.5)):  # head, hand: the next part is chosen by itself
        page.mouse.click(*at(page, *place))
    assert kept() == [(0.5, 0.1), (0.25, 0.5), None, None, None, None]

    page.mouse.move(*at(page, 0.25, 0.5))  # drag the hand
    page.mouse.down()
    page.mouse.move(*at(page, 0.3, 0.55), steps=3)
    page.mouse.move(*at(page, 0.35, 0.6), steps=3)
    page.mouse.up()
    assert kept() == [(0.5, 0.1), (0.35, 0.6), None, None, None, None]

    page.mouse.move(*at(page, 0.35, 0.6))  # a click on it chooses it and leaves it where it is
    page.mouse.down()
    page.mouse.move(*at(page, 0.355, 0.6))
    page.mouse.up()
    page.keyboard.press("5")
    page.mouse.click(*at(page, 0.4, 0.9))
    assert kept() == [(0.5, 0.1), (0.35, 0.6), None, None, (0.4, 0.9), None]
    page.keyboard.press("u")
    assert kept() == [(0.5, 0.1), (0.35, 0.6), None, None, None, None]
    page.keyboard.press("3")
    page.keyboard.press("x")  # and not JupyterLab's: cut this cell
    for _ in range(10):  # knee 2, which comes next, from the middle
        page.keyboard.press("Shift+ArrowRight")
    half = [(0.5, 0.1), (0.35, 0.6), "hidden", (0.6, 0.5), None, None]
    assert kept() == half
    seen.shot("annotator")

    page.keyboard.press("x")
    page.keyboard.press("Control+z")
    assert kept() == half
    for digit in "56":
        page.keyboard.press(digit)
        page.keyboard.press("x")
    whole = [*half[:4], "hidden", "hidden"]
    assert kept() == whole
    page.keyboard.press("ArrowRight")
    assert drawn(page) == [None] * len(PARTS)
    second = name.text_content()
    assert second != first
    assert "1 of 8 labelled" in page.locator(".ssn3d-annotator .count").text_content()
    page.mouse.click(*at(page, 0.5, 0.2))
    assert kept() == [(0.5, 0.2), *[None] * 5]
    assert page.locator(".jp-Cell").count() == cells

    seen.command("docmanager:save")
    page.reload()
    seen.ready()
    page.locator(".ssn3d-annotator .stage").scroll_into_view_if_needed()
    assert drawn(page)[0] == (0.5, 0.2)
    assert name.text_content() == second
    page.locator(".ssn3d-annotator").focus()
    page.keyboard.press("ArrowLeft")
    assert drawn(page) == whole

    seen.run_all()
    settle(page)
    assert name.text_content() == second  # the first that is not finished
    page.locator(".ssn3d-annotator").focus()
    page.keyboard.press("ArrowLeft")
    assert drawn(page) == whole
    expect(page.get_by_text("2 pictures labelled by you")).to_be_visible()
    page.locator(".jp-RenderedImage").last.scroll_into_view_if_needed()
    seen.shot("learned")


def test_it_fits_a_narrow_window_and_a_dark_theme(seen):
    page = seen.page
    annotator = page.locator(".ssn3d-annotator")
    light = annotator.evaluate("(root) => getComputedStyle(root).backgroundColor")
    page.set_viewport_size({"width": 560, "height": 900})
    seen.command("application:toggle-left-area")
    seen.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    expect(annotator).not_to_have_css("background-color", light)
    annotator.scroll_into_view_if_needed()
    settle(page)
    page.wait_for_function(FITS, arg=560)
    seen.shot("annotator_narrow_dark")
