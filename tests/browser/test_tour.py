"""Notebook 00 in a real browser: its figures are there, the training as one picture, redrawn."""

from playwright.sync_api import expect

NOTEBOOK = "00_tour.ipynb"
SHOWN = ("problem-film", "idea", "figure-1", "figure-2", "training", "answer")
"""Cells that end in a picture, by their ids."""
IDS = "() => window.jupyterapp.shell.currentWidget.content.widgets.map((cell) => cell.model.id)"


def test_every_picture_of_the_tour_is_shown(seen):
    cells, ids = seen.page.locator(".jp-Notebook .jp-Cell"), seen.page.evaluate(IDS)
    for name in SHOWN:
        cell = cells.nth(ids.index(name))
        cell.scroll_into_view_if_needed()
        pictures = cell.locator(".jp-OutputArea-output img")
        expect(pictures).to_have_count(1)
        pictures.scroll_into_view_if_needed()
        seen.shot(f"tour_{name}")
