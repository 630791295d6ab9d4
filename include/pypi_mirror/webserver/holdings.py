"""What the mirror holds, by its filters, in plain English."""

from pypi_mirror.settings.values import Settings


def holdings(settings: Settings) -> tuple[str, ...]:
    """Return what the filters let in and keep out, a sentence each; one sentence if there are none."""
    sentences = list(settings.policy.sentences())
    if not settings.release_files:
        sentences.append("Pages only: files are not mirrored.")
    return tuple(sentences) or ("Every project and every file of upstream; nothing is filtered out.",)
