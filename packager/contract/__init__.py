"""The contract of a served model: what clients may send, what comes back, and all that follows from it."""

from packager.contract.calls import LIMIT, ExampleCall, example_calls
from packager.contract.contract import (
    FILE,
    FILES,
    FOLDER,
    Contract,
    contract_digest,
    read_contract,
    read_contract_file,
    write_contract,
)
from packager.contract.recorded import answers_apart
from packager.contract.samples import DAMAGED, Arrays, Sample

__all__ = [
    "DAMAGED",
    "FOLDER",
    "FILE",
    "FILES",
    "LIMIT",
    "Arrays",
    "Sample",
    "Contract",
    "ExampleCall",
    "answers_apart",
    "example_calls",
    "write_contract",
    "read_contract",
    "read_contract_file",
    "contract_digest",
]
