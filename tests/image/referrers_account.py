"""What registries of the distribution specification 1.1 do about referrers, before one that does not."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

from registry_proxy import Proxy

INDEX = "application/vnd.oci.image.index.v1+json"


class Account:
    """Descriptors of what refers to a manifest, by its digest, kept and told as the specification has it."""

    def __init__(self) -> None:
        self.referrers: dict[str, dict[str, dict[str, Any]]] = {}
        self.asked: list[str] = []
        self._subject = threading.local()

    def take(self, proxy: Proxy) -> bool:
        """Answer for referrers; of a manifest with a subject keep account, and let the registry have it."""
        self._subject.digest = None
        kind, _, name = proxy.path.partition("?")[0].rpartition("/")
        if proxy.command == "GET" and kind.endswith("/referrers"):
            self.asked.append(name)
            manifests = list(self.referrers.get(name, {}).values())
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
            proxy.send(200, json.dumps(index).encode(), {"Content-Type": INDEX})
            return True
        if proxy.command == "PUT" and kind.endswith("/manifests"):
            content = proxy.keep_body()
            manifest = json.loads(content)
            if subject := manifest.get("subject"):
                digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
                entry = {key: manifest[key] for key in ("mediaType", "artifactType", "annotations")}
                described = self.referrers.setdefault(subject["digest"], {})
                described[digest] = {**entry, "digest": digest, "size": len(content)}
                self._subject.digest = subject["digest"]
        return False

    def bend(self, _: str, headers: dict[str, str]) -> dict[str, str]:
        """Tell that account was kept."""
        return headers | ({"OCI-Subject": self._subject.digest} if self._subject.digest else {})
