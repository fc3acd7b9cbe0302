"""Every failure packager can name: one tree, one exit code a class, a message and a hint each.

::

    PackagerError                      exit
    ├── UsageError                        2   an argument that cannot be right
    ├── ModelFileError                   10   the file cannot be read as a model
    │   ├── WeightsOnlyError             11   weights without the architecture they belong to
    │   ├── UnsafeFileError              12   the file holds code, or reaches outside itself
    │   └── ModelLoadError               13   the architecture or its weights cannot be rebuilt
    ├── ExportError                      14   the SavedModel cannot be made
    │   ├── SignatureError               15   a name or shape the signature cannot have
    │   ├── OutputError                  16   the output cannot be written
    │   ├── VersionExistsError           17   that version is there already
    │   ├── ParityError                  18   the SavedModel does not answer as its source does
    │   └── BreakingChangeError          19   clients of the older contract would break
    ├── EngineError                      20   the container engine failed
    │   ├── EngineUnavailableError       21   no container engine answers
    │   ├── BaseUnavailableError         22   the base image cannot be had
    │   ├── BuildError                   23   the image cannot be built
    │   ├── ImageNotFoundError           24   no such image, or no such model folder
    │   ├── AuditError                   25   the server on that base cannot run the model's graph
    │   └── EngineFullError              26   the container engine's disk is full
    ├── SmokeError                       30   the smoke test failed
    │   ├── ServerStartError             31   the server or its container did not start, or died
    │   ├── NotReadyError                32   the version did not become AVAILABLE in time
    │   ├── ServableLoadError            33   the server could not load the version
    │   │   └── MissingOpError           60   the server lacks an op of the model's graph
    │   ├── RequestError                 34   a request was answered amiss
    │   │   └── OtherSignatureError      61   a signature is missing, or another than was promised
    │   ├── WrongAnswerError             35   an answer differs from the source model's
    │   │   └── NotANumberError          62   an answer is NaN where the source model's is a number
    │   ├── PortTakenError               36   the port is in use
    │   ├── OutOfMemoryError             37   the server ran out of memory
    │   ├── BudgetError                  38   right, but slower or larger than was allowed
    │   └── LeftoverError                39   the server did not end, or something was left behind
    ├── RegistryError                    40   the registry failed
    │   ├── RegistryUnreachableError     41   no registry answers at that address
    │   ├── RegistryAuthError            42   the registry wants other credentials
    │   ├── DigestMismatchError          43   the registry holds other bytes than were pushed
    │   └── ProvenanceError              44   what should prove an image's origin is missing or does not fit
    └── ReproductionError                50   made again, a SavedModel comes out as other bytes

Exit code 0 is success, 1 a bug of packager's own (the only case with a traceback), 130 and 143 an
interruption by SIGINT and SIGTERM.
"""

from __future__ import annotations

from typing import ClassVar


class PackagerError(Exception):
    """A failure with a message for people (lower case, quoting what was wrong) and a hint they can type."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None, details: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        #: Text worth showing below the message: a server's log, a build's last lines.
        self.details = details

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments are lost by Exception's own pickling; errors cross process borders.
        return (_rebuild, (type(self), self.message, self.hint, self.details))


def _rebuild(cls: type[PackagerError], message: str, hint: str | None, details: str | None) -> PackagerError:
    return cls(message, hint=hint, details=details)


class UsageError(PackagerError):
    """An argument that cannot be right, whatever the files say."""

    exit_code = 2


class ModelFileError(PackagerError):
    """The file is missing, truncated, or not an HDF5 model file at all."""

    exit_code = 10


class WeightsOnlyError(ModelFileError):
    """The file holds weights and no architecture to put them into."""

    exit_code = 11


class UnsafeFileError(ModelFileError):
    """The file holds code that would run, or reaches for data outside itself."""

    exit_code = 12


class ModelLoadError(ModelFileError):
    """The architecture or its weights cannot be rebuilt from the file."""

    exit_code = 13


class ExportError(PackagerError):
    """The SavedModel cannot be made from the loaded model."""

    exit_code = 14


class SignatureError(ExportError):
    """A name, dtype or shape that the serving signature cannot have."""

    exit_code = 15


class OutputError(ExportError):
    """The output cannot be written where it was asked for."""

    exit_code = 16


class VersionExistsError(ExportError):
    """A version folder of that number exists, and replacing it was not asked for."""

    exit_code = 17


class ParityError(ExportError):
    """The SavedModel answers otherwise than the model it was made from, or than was expected."""

    exit_code = 18


class BreakingChangeError(ExportError):
    """A client that was written for the older contract would break."""

    exit_code = 19


class EngineError(PackagerError):
    """The container engine answered with a failure."""

    exit_code = 20


class EngineUnavailableError(EngineError):
    """No container engine answers, or it refuses this user or client."""

    exit_code = 21


class BaseUnavailableError(EngineError):
    """The base image is neither here nor obtainable."""

    exit_code = 22


class BuildError(EngineError):
    """The image cannot be built."""

    exit_code = 23


class ImageNotFoundError(EngineError):
    """The image or model folder named as a target does not exist."""

    exit_code = 24


class AuditError(EngineError):
    """The server on that base lacks what the model's graph needs, or the graph lacks what it needs itself."""

    exit_code = 25


class EngineFullError(EngineError):
    """The container engine has no room left on its disk."""

    exit_code = 26


class SmokeError(PackagerError):
    """The smoke test failed."""

    exit_code = 30


class ServerStartError(SmokeError):
    """The server or its container did not start, or died before it was ready."""

    exit_code = 31


class NotReadyError(SmokeError):
    """The wanted version did not report AVAILABLE in time."""

    exit_code = 32


class ServableLoadError(SmokeError):
    """The server reported that it cannot load the wanted version."""

    exit_code = 33


class MissingOpError(ServableLoadError):
    """The server cannot load the wanted version because it lacks an op, or lacks it for its processor."""

    exit_code = 60


class RequestError(SmokeError):
    """A valid request was refused or dropped, or an invalid one taken."""

    exit_code = 34


class OtherSignatureError(RequestError):
    """A signature is missing, or another than the contract promises."""

    exit_code = 61


class WrongAnswerError(SmokeError):
    """The server's answer differs from what the source model answers."""

    exit_code = 35


class NotANumberError(WrongAnswerError):
    """The server's answer is not a number where the source model's is one."""

    exit_code = 62


class PortTakenError(SmokeError):
    """The wanted port is in use."""

    exit_code = 36


class OutOfMemoryError(SmokeError):
    """The kernel killed the server, or a process of it, for want of memory."""

    exit_code = 37


class BudgetError(SmokeError):
    """The answers are right, but slower or at the cost of more memory than was allowed."""

    exit_code = 38


class LeftoverError(SmokeError):
    """The server did not end when it was asked to, or something of the run was left behind."""

    exit_code = 39


class RegistryError(PackagerError):
    """The registry answered with a failure."""

    exit_code = 40


class RegistryUnreachableError(RegistryError):
    """No registry answers at the reference's address."""

    exit_code = 41


class RegistryAuthError(RegistryError):
    """The registry wants credentials, or other ones."""

    exit_code = 42


class DigestMismatchError(RegistryError):
    """The registry holds other bytes than were pushed."""

    exit_code = 43


class ProvenanceError(RegistryError):
    """What should prove an image's origin is missing, or does not fit the image."""

    exit_code = 44


class ReproductionError(PackagerError):
    """A SavedModel is not, to the byte, what its source and these options give."""

    exit_code = 50
