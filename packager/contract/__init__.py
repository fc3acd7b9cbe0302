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
from packager.contract.samples import Arrays, Sample

__all__ = [
    "FOLDER",
    "FILE",
    "FILES",
    "LIMIT",
    "Arrays",
    "Sample",
    "Contract",
    "ExampleCall",
    "example_calls",
    "write_contract",
    "read_contract",
    "read_contract_file",
    "contract_digest",
]
