"""The SavedModel: made beside its place, compared with its source, and put there in one step."""

from packager.savedmodel.versions import VersionSlot, list_versions, new_version

__all__ = ["VersionSlot", "list_versions", "new_version"]
