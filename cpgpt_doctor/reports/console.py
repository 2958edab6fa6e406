"""The console of all that is shown to readers."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from cpgpt_doctor.reports.stream import visible


class Clean(Console):
    """A console whose control characters are its own, never those of a text that it shows.

    An error's text may hold what clears a screen, or sets the title of a window.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        if isinstance(renderable, Text):  # before it is wrapped: the replacement takes a column
            renderable = renderable.copy()
            renderable.plain = visible(renderable.plain)
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))
