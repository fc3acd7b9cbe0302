"""What can be asked and changed over gRPC about the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from packager.protocol import message
from packager.serving.log import log
from packager.serving.models.catalog import Catalog
from packager.serving.models.config import models_of
from packager.serving.native.profiler import Profiler
from packager.serving.rpc.specs import spec_of
from packager.serving.status import Code, StatusError, invalid_argument


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelService:
    """What can be asked, and changed, about which models there are."""

    catalog: Catalog

    def GetModelStatus(self, request: Any, timeout_ms: int) -> Any:  # noqa: N802, ARG002
        """Tell the state of one version, or of all versions of a model."""
        spec = spec_of(request)
        response = message("GetModelStatusResponse")()
        for status in self.catalog.statuses(spec.name, spec.version):
            added = response.model_version_status.add(version=status.version, state=status.state)
            added.status.SetInParent()
            if status.error:
                added.status.error_code = status.error.code
                added.status.error_message = status.error.message
        return response

    def HandleReloadConfigRequest(self, request: Any, timeout_ms: int) -> Any:  # noqa: N802
        """Serve other models from now on."""
        try:
            if request.config.WhichOneof("choice") != "model_config_list":
                raise invalid_argument(
                    "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                    "Only ModelConfigList is currently supported"
                )
            for index, model in enumerate(request.config.model_config_list.config):
                log.info(
                    "\nConfig entry\n\tindex : %d\n\tpath : %s\n\tname : %s\n\tplatform : %s",
                    *(index, model.base_path, model.name, model.model_platform),
                )
            seconds = timeout_ms / 1000 if timeout_ms else None
            self.catalog.reload(models_of(request.config), seconds=seconds)
        except StatusError as error:
            log.error("ReloadConfig failed: %s", error.message)
            raise
        response = message("ReloadConfigResponse")()
        response.status.SetInParent()
        return response


class ProfilerService:
    """TensorFlow's own service for traces, as TensorBoard and ``tf.profiler`` ask for them."""

    def __init__(self) -> None:
        self._profiler = Profiler()

    def Profile(self, request: Any, timeout_ms: int) -> Any:  # noqa: N802
        """Trace what is run for a while.

        Where TensorFlow writes the trace to a folder that the client names, this returns it: clients then
        write it themselves.
        """
        milliseconds = min(request.duration_ms, timeout_ms) if timeout_ms else request.duration_ms
        trace, happened = self._profiler.trace(milliseconds / 1000, host=request.host_name)
        response = message("ProfileResponse")(empty_trace=not happened)
        response.tool_data.add(name="xplane.pb", data=trace)
        return response

    def Terminate(self, request: Any, timeout_ms: int) -> Any:  # noqa: N802, ARG002
        """End a trace before its time."""
        self._profiler.stop()
        return message("TerminateResponse")()

    def Monitor(self, request: Any, timeout_ms: int) -> Any:  # noqa: N802, ARG002
        """Refuse, as TensorFlow does."""
        raise StatusError(Code.UNIMPLEMENTED, "unimplemented.")

    def end(self) -> None:
        """Let nobody wait for a trace any longer."""
        self._profiler.stop()
