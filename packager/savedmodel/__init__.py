"""The SavedModel: made beside its place, compared with its source, and put there in one step."""

from packager.savedmodel.versions import VersionSlot, new_version, version_folders

__all__ = ["VersionSlot", "new_version", "version_folders"]
