"""Write which operations the installed TensorFlow knows: what an audit judges graphs by.

python scripts/ops.py            write packager/savedmodel/ops.txt
python scripts/ops.py --check    fail where that is not what TensorFlow knows, by its version

The first line is TensorFlow's version. Then there is an operation a line, followed by a dash where it has no
kernel for processors (``CudnnRNNV3 -``): whether it has one for GPUs is for each build of TensorFlow to say.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

from packager.protocol import message
from packager.serving.native.library import Buffer, Status, c_api

TABLE = Path(__file__).resolve().parents[1] / "packager" / "savedmodel" / "ops.txt"


def main() -> int:
    text = table()
    if "--check" in sys.argv[1:]:
        if not agree(TABLE.read_text(encoding="ascii"), text):
            print(f"{TABLE} is not what TensorFlow says: run scripts/ops.py", file=sys.stderr)
            return 1
        return 0
    TABLE.write_text(text, encoding="ascii")
    return 0


def agree(written: str, now: str) -> bool:
    """Tell whether the tables are the same; a later version has more operations, and none less."""
    older, newer = sorted((written.splitlines(), now.splitlines()), key=lambda lines: minor(lines[0]))
    if older[0] == newer[0]:
        return older == newer
    return {line.split()[0] for line in older[1:]} <= {line.split()[0] for line in newer[1:]}


def minor(version: str) -> list[int]:
    return [int(number) for number in version.split(".")[:2]]


def table() -> str:
    api = c_api()
    api.TF_GetAllOpList.restype = ctypes.POINTER(Buffer)
    api.TF_GetAllRegisteredKernels.restype = ctypes.POINTER(Buffer)
    api.TF_GetAllRegisteredKernels.argtypes = (ctypes.c_void_p,)
    with Status() as status:
        kernels = api.TF_GetAllRegisteredKernels(status)
    found = parsed("KernelList", kernels).kernel
    runnable = {kernel.op for kernel in found if kernel.device_type in ("CPU", "DEFAULT")}
    names = sorted(op.name for op in parsed("OpList", api.TF_GetAllOpList()).op)
    lines = [name if name in runnable else f"{name} -" for name in names if not name.startswith("_")]
    return "\n".join([api.TF_Version().decode(), *lines]) + "\n"


def parsed(name: str, buffer: Any) -> Any:
    content = ctypes.string_at(buffer.contents.data, buffer.contents.length)
    c_api().TF_DeleteBuffer(buffer)
    return message(name).FromString(content)


if __name__ == "__main__":
    sys.exit(main())
