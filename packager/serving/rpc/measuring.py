"""Counts and times gRPC requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from packager.serving.metrics import Metrics
from packager.serving.status import Code, StatusError

_MEASURED = frozenset(("Predict", "Classify", "Regress"))


@dataclass(frozen=True, slots=True)
class Measured:
    """A service whose requests for answers of models are noted."""

    service: object
    metrics: Metrics

    def __getattr__(self, name: str) -> Callable[[Any, int], Any]:
        answer: Callable[[Any, int], Any] = getattr(self.service, name)
        return self._measured(name, answer) if name in _MEASURED else answer

    def _measured(self, api: str, answer: Callable[[Any, int], Any]) -> Callable[[Any, int], Any]:
        def answer_measured(request: Any, timeout_ms: int) -> Any:
            began = time.perf_counter()
            code = Code.INTERNAL
            try:
                response = answer(request, timeout_ms)
                code = Code.OK
                return response
            except StatusError as error:
                code = error.code
                raise
            finally:
                spent = time.perf_counter() - began
                self.metrics.note_request(request.model_spec.name, api, "GRPC", code, spent)

        return answer_measured
