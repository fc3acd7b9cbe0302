"""Reading Keras ``.h5`` files with h5py alone: what they are, and whether they are safe. Executes nothing."""

from packager.h5.admission import admit, unsafe_lambdas
from packager.h5.chaining import suggest_spec
from packager.h5.gate import require_loadable
from packager.h5.inspection import inspect_file, read_model_config
from packager.h5.lambdas import lambda_hint
from packager.h5.rules import RULES, Rule
from packager.h5.sarif import sarif_of_failure, sarif_of_inspection, write_sarif

__all__ = [
    "admit",
    "inspect_file",
    "lambda_hint",
    "read_model_config",
    "require_loadable",
    "suggest_spec",
    "unsafe_lambdas",
    "sarif_of_failure",
    "sarif_of_inspection",
    "write_sarif",
    "RULES",
    "Rule",
]
