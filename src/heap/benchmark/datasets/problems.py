"""Problems of data sets, with their places."""

from dataclasses import dataclass

from heap.base.errors import InputError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a data set."""

    place: str
    """The file, and what in it: a line, an object, the id of an annotation."""
    what: str

    def __str__(self) -> str:
        # File names come from the data: none may break the line or steer the terminal.
        return "".join(
            letter if letter.isprintable() else ascii(letter)[1:-1]
            for letter in f"{self.place}: {self.what}"
        )


class DataError(InputError):
    """A data set, or one annotation of it, that cannot be used; it names the first problem."""

    def __init__(self, *problems: Problem) -> None:
        # As the arguments of the exception, so that it survives pickling.
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        more = len(self.problems) - 1
        rest = f" (and {more} more; `heap datasets check` lists them)" if more else ""
        return f"{self.problems[0]}{rest}"


def refuse_problems(problems: list[Problem]) -> None:
    """Raise the problems, if there are any.

    Raises:
        DataError: with all of them.
    """
    if problems:
        raise DataError(*problems)
