"""Something that is done in a thread, with its result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Task(threading.Thread, Generic[T]):
    """Runs at once. The process does not wait for it when it ends."""

    def __init__(self, action: Callable[[], T]) -> None:
        super().__init__(daemon=True)
        self.action = action
        self.values: list[T] = []
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.values.append(self.action())
        except BaseException as error:
            self.error = error

    def result(self, seconds: float | None = None) -> T:
        """What the action returned, or raises what it raised. Raises TimeoutError."""
        self.join(seconds)
        if self.error is not None:
            raise self.error
        if not self.values:
            raise TimeoutError
        return self.values[0]
