"""``[allowlist]`` and ``[blocklist] packages``: which projects are mirrored."""

from collections.abc import Set as AbstractSet

from packaging.utils import NormalizedName


class ProjectFilter:
    """An empty allowlist admits every project; the blocklist wins over the allowlist, as in bandersnatch."""

    def __init__(self, *, allowed: AbstractSet[NormalizedName], blocked: AbstractSet[NormalizedName]) -> None:
        self._allowed = allowed
        self._blocked = blocked

    def reason_to_drop(self, project: NormalizedName) -> str | None:
        """Why ``project`` is not mirrored; None when it is."""
        if project in self._blocked:
            return f"[blocklist] packages has {project}"
        if self._allowed and project not in self._allowed:
            return f"[allowlist] packages does not have {project}"
        return None

    def reason_to_keep(self, project: NormalizedName) -> str:
        """Why a ``project`` is mirrored that nothing drops."""
        if self._allowed:
            return f"[allowlist] packages has {project}"
        return "[allowlist] packages is empty, which lets every project in"
