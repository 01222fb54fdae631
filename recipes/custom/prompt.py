"""A prompt: a function `(question, meta, *, options) -> str`. `meta` holds every column that was not mapped."""

from collections.abc import Mapping
from typing import Any


def reading(question: str, meta: Mapping[str, Any], *, heading: str = "Text") -> str:
    """The passage, then the question."""
    return f"{heading}:\n{meta['passage']}\n\nQuestion: {question}"
