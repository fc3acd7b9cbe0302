"""The TensorFlow C API by ctypes: where the shared library is, and the types of its functions.

The declarations are those of ``tensorflow/c/c_api.h``, ``tf_tensor.h`` and ``tf_tstring.h``.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import sys
import threading
from contextlib import suppress
from ctypes import POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any, ClassVar

from packager.serving.status import Code, StatusError

FOLDER_VARIABLE = "PACKAGER_TENSORFLOW_DIR"
"""Names the folder of the tensorflow package where Python would not find the right one."""


class Output(Structure):
    """``TF_Output``: one output of an operation of a graph."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


class Buffer(Structure):
    """``TF_Buffer``: bytes, here always a serialised protobuf message."""

    _fields_ = (("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p))


_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_Version": (c_char_p, ()),
    "TF_NewStatus": (c_void_p, ()),
    "TF_DeleteStatus": (None, (c_void_p,)),
    "TF_GetCode": (c_int, (c_void_p,)),
    "TF_Message": (c_char_p, (c_void_p,)),
    "TF_NewBuffer": (POINTER(Buffer), ()),
    "TF_NewBufferFromString": (POINTER(Buffer), (c_char_p, c_size_t)),
    "TF_DeleteBuffer": (None, (POINTER(Buffer),)),
    "TF_AllocateTensor": (c_void_p, (c_int, POINTER(c_int64), c_int, c_size_t)),
    "TF_DeleteTensor": (None, (c_void_p,)),
    "TF_TensorFromProto": (None, (POINTER(Buffer), c_void_p, c_void_p)),
    "TF_TensorType": (c_int, (c_void_p,)),
    "TF_NumDims": (c_int, (c_void_p,)),
    "TF_Dim": (c_int64, (c_void_p, c_int)),
    "TF_TensorByteSize": (c_size_t, (c_void_p,)),
    "TF_TensorData": (c_void_p, (c_void_p,)),
    "TF_StringInit": (None, (c_void_p,)),
    "TF_StringCopy": (None, (c_void_p, c_char_p, c_size_t)),
    "TF_StringGetDataPointer": (c_void_p, (c_void_p,)),
    "TF_StringGetSize": (c_size_t, (c_void_p,)),
    "TF_StringDealloc": (None, (c_void_p,)),
    "TF_NewGraph": (c_void_p, ()),
    "TF_DeleteGraph": (None, (c_void_p,)),
    "TF_GraphOperationByName": (c_void_p, (c_void_p, c_char_p)),
    "TF_NewOperation": (c_void_p, (c_void_p, c_char_p, c_char_p)),
    "TF_SetAttrType": (None, (c_void_p, c_char_p, c_int)),
    "TF_AddInput": (None, (c_void_p, Output)),
    "TF_FinishOperation": (c_void_p, (c_void_p, c_void_p)),
    "TF_NewSession": (c_void_p, (c_void_p, c_void_p, c_void_p)),
    "TF_NewSessionOptions": (c_void_p, ()),
    "TF_DeleteSessionOptions": (None, (c_void_p,)),
    "TF_SetConfig": (None, (c_void_p, c_char_p, c_size_t, c_void_p)),
    "TF_LoadSessionFromSavedModel": (
        c_void_p,
        (
            c_void_p,  # session options
            POINTER(Buffer),  # run options
            c_char_p,
            POINTER(c_char_p),
            c_int,
            c_void_p,  # graph
            POINTER(Buffer),  # MetaGraphDef, written
            c_void_p,
        ),
    ),
    "TF_CloseSession": (None, (c_void_p, c_void_p)),
    "TF_DeleteSession": (None, (c_void_p, c_void_p)),
    "TF_SessionRun": (
        None,
        (
            c_void_p,
            POINTER(Buffer),  # run options
            POINTER(Output),
            POINTER(c_void_p),
            c_int,
            POINTER(Output),
            POINTER(c_void_p),
            c_int,
            POINTER(c_void_p),  # targets
            c_int,
            POINTER(Buffer),  # run metadata
            c_void_p,
        ),
    ),
}

STRING_SIZE = 24
"""Bytes of a ``TF_TString``, the element of a string tensor."""


@functools.cache
def tensorflow_folder() -> Path:
    """Return the folder of the tensorflow package; it need not be importable, nor complete."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen)
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise StatusError(Code.UNAVAILABLE, f"tensorflow is not installed, and {FOLDER_VARIABLE} is not set")
    return Path(next(iter(spec.submodule_search_locations)))


@functools.cache
def c_api() -> Any:
    """Load the TensorFlow C API, once. It takes about 0.4 s.

    The library's symbols stay its own (RTLD_LOCAL): shared with the process they clash with those of
    the extension modules of Python that link the same libraries in other versions.
    """
    name = "libtensorflow_cc.2.dylib" if sys.platform == "darwin" else "libtensorflow_cc.so.2"
    try:
        library = ctypes.CDLL(str(tensorflow_folder() / name), mode=ctypes.RTLD_LOCAL)
    except OSError as error:
        raise StatusError(Code.UNAVAILABLE, f"TensorFlow's library cannot be loaded: {error}") from error
    for function, (result, arguments) in _PROTOTYPES.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library


def preload() -> None:
    """Begin to load the library in a thread, to have it sooner: the interpreter is not held up by it."""

    def load() -> None:
        with suppress(StatusError):  # raised again to whoever needs the library
            c_api()

    threading.Thread(target=load, daemon=True).start()


class Status:
    """A ``TF_Status`` for one call: raises what the call left in it on leaving a ``with``."""

    __slots__ = ("handle",)

    _unused: ClassVar[list[int]] = []
    """Those that nothing was left in, to be used again; as many as there were threads at once."""

    def __enter__(self) -> int:
        try:
            self.handle = self._unused.pop()
        except IndexError:
            self.handle = c_api().TF_NewStatus()
        return self.handle

    def __exit__(self, *exception: object) -> None:
        api = c_api()
        code = api.TF_GetCode(self.handle)
        if not code:
            self._unused.append(self.handle)
            return
        message = api.TF_Message(self.handle)
        api.TF_DeleteStatus(self.handle)
        raise StatusError(Code(code), message.decode("utf-8", "replace"))
