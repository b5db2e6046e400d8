"""Widgets for notebooks, which train nothing; they need the extra `notebooks`.

`explorer.Explorer` shows where trained networks find the parts of a person, frame by frame.
`annotator.Annotator` takes labels of body points by click.
"""
