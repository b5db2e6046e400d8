"""Text files as tools of all systems write them: UTF-8 or UTF-16, any line ends."""

import json
from pathlib import Path

LARGEST = 2**28
"""Bytes; the list of MARS's 680,000 test images takes 13 million."""


def read_text(path: Path, *, newline: str | None = None) -> str:
    """A text file without its byte-order mark.

    Args:
        path: of the file.
        newline: None to give each line end as a single newline, "" to keep them, as `open` does.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no text in UTF-8 or UTF-16, or far too large; names it.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    try:
        if len(content) > LARGEST:
            raise ValueError(f"more than {LARGEST} bytes")
        text = content.decode(json.detect_encoding(content))
    except ValueError as error:
        raise ValueError(
            f"{path}: expected a text in UTF-8, got something else ({error}); save it as UTF-8"
        ) from None
    return text if newline == "" else text.replace("\r\n", "\n").replace("\r", "\n")
