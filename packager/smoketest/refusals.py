"""Sends requests that no model can answer: each has to be refused, and the server has to survive it."""

from __future__ import annotations

from dataclasses import replace

from packager.contract import Sample
from packager.errors import RequestError
from packager.progress import Report, say, silent
from packager.smoketest.grpc_model import GrpcModel
from packager.smoketest.rest import RestModel

_NONSENSE = {
    "a body that is no JSON": b'{"instances": [',
    "a request without inputs": b"{}",
    "a signature that is not there": b'{"signature_name": "no such signature", "instances": [0]}',
    "an input that is not there": b'{"inputs": {"no such input": [0]}}',
}


def check_refusals(
    rest: RestModel, grpc: GrpcModel | None, sample: Sample, *, report: Report = silent
) -> None:
    """Raise RequestError unless nonsense is refused as the client's fault and the version stays AVAILABLE.

    Over gRPC the nonsense is ``sample`` with another signature.
    """
    say(report, "sending requests that have to be refused")
    for what, body in _NONSENSE.items():
        reply = rest.reply(body)
        if not 400 <= reply.status_code < 500:
            raise RequestError(
                f"{what} is answered with HTTP {reply.status_code}, where clients count on 4xx",
                hint="another server does better: packager build models/NAME --tag REF --base embedded",
            )
    if grpc is not None and not grpc.refuses(grpc.request(replace(sample, signature="no such signature"))):
        raise RequestError(
            "a signature that is not there is answered over gRPC, not refused",
            hint="another server does better: packager build models/NAME --tag REF --base embedded",
        )
    status = rest.status()
    if status is None or status.state != "AVAILABLE":
        raise RequestError(f"the version is gone after requests that were refused: {status or 'no answer'}")
