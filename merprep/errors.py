"""The errors that users can cause, in one family.

Every message answers the same five questions: what is wrong, where, what was expected, what was found, and how to
mend it. The command line prints them as one panel; in Python they are ordinary exceptions under `MerprepError`.
"""

from __future__ import annotations


class MerprepError(Exception):
    """The root of every error that a user's input, files or machine can cause.

    Parameters
    ----------
    what : str
        What is wrong, in one sentence.
    where : str, optional
        The file, row, cell or option concerned.
    expected, found : str, optional
        What the program looked for, and what it met instead.
    mend : str, optional
        What the user can do about it.

    Examples
    --------
    >>> print(MerprepError("No frames", where="sub01/EP02_01f", mend="check the download"))
    No frames
      where: sub01/EP02_01f
      mend: check the download
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        mend: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.found = found
        self.mend = mend
        super().__init__(what)

    def details(self) -> dict[str, str]:
        """Return the parts of the message that were given, in the order in which they are printed."""
        parts = {"where": self.where, "expected": self.expected, "found": self.found, "mend": self.mend}
        return {name: text for name, text in parts.items() if text}

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"  {name}: {text}" for name, text in self.details().items())])

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders by pickle, which would lose keyword-only arguments.
        return _rebuild, (type(self), self.what, self.where, self.expected, self.found, self.mend)


def _rebuild(
    kind: type[MerprepError], what: str, where: str | None, expected: str | None, found: str | None, mend: str | None
) -> MerprepError:
    return kind(what, where=where, expected=expected, found=found, mend=mend)


class UsageError(MerprepError):
    """A command or function was called with values that make no sense."""


class UnknownNameError(UsageError):
    """A database, scheme, method, model or preset of that name does not exist."""

    @classmethod
    def among(cls, kind: str, name: str, known: list[str]) -> UnknownNameError:
        """Build the error for `name`, listing what there is and the nearest spelling.

        Examples
        --------
        >>> print(UnknownNameError.among("database", "casmeii", ["casme2", "samm"]))
        There is no database named 'casmeii'
          expected: one of casme2, samm
          mend: did you mean 'casme2'?
        """
        import difflib

        near = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.4)
        return cls(
            f"There is no {kind} named {name!r}",
            expected="one of " + ", ".join(known),
            mend=f"did you mean {near[0]!r}?" if near else None,
        )


class ConfigError(UsageError):
    """A configuration value is missing, misspelt or out of range."""


class DatabaseError(MerprepError):
    """A raw database on disk is not what its description says."""


class RootNotFoundError(DatabaseError):
    """No known layout of the database was found under the given folder."""


class SheetError(DatabaseError):
    """A coding sheet is missing, unreadable or lacks columns."""


class ImageError(MerprepError):
    """An image cannot be read, or has a size or type that the step cannot use."""


class FaceError(MerprepError):
    """No face, or no usable face, was found in an image."""


class WeightsError(MerprepError):
    """A file of network weights is missing, could not be fetched or is not the published one."""


class FlowError(MerprepError):
    """Optical flow was asked of images that it cannot be computed from."""


class DeviceError(MerprepError):
    """The device asked for is not there, or ran out of memory."""


class StoreError(MerprepError):
    """A workspace, manifest or feature file is missing, damaged, locked or of another version."""


class ModelError(MerprepError):
    """A network or its weights do not fit the configuration or the input."""


class TrainingError(MerprepError):
    """Training cannot be started or went wrong."""


class LeakError(TrainingError):
    """Test persons or their statistics would reach the training side."""


class MissingDependencyError(MerprepError):
    """An optional library is not installed."""

    @classmethod
    def of(cls, library: str, needed_for: str, install: str) -> MissingDependencyError:
        """Build the error that names the install line.

        Examples
        --------
        >>> print(MissingDependencyError.of("torchvision", "RAFT", "pip install torchvision"))
        RAFT needs torchvision, which is not installed
          mend: pip install torchvision
        """
        return cls(f"{needed_for} needs {library}, which is not installed", mend=install)
