"""Step 6: have nginx serve what was published, and look at it as a client would."""

from msgspec import Struct

from pypi_mirror.mirror import Mirror
from pypi_mirror.publishing.site import tidy_layout
from pypi_mirror.webserver.probe import Sample, probe
from pypi_mirror.webserver.reload import reload_site


class Reloaded(Struct, frozen=True, kw_only=True):
    """``reloaded`` says whether nginx took up a new configuration, ``probed`` what was tried on the site."""

    reloaded: bool
    probed: tuple[str, ...]


def reload_nginx(mirror: Mirror, run_id: int | None = None) -> Reloaded:
    """Render the configuration, reload nginx if it changed, and probe the live server.

    With ``[site] enabled = false`` another web server serves the tree and nothing happens here. ``run_id`` is
    the run that this is a step of. Raises WebServerError when nginx refuses the configuration or serves
    something else than it should, and LeaseLost when another run has taken the mirror over.
    """
    if run_id is not None:
        mirror.ledger.lease.renew(mirror.ledger.runs.get(run_id).request.label)
    settings = mirror.settings
    if not settings.site.enabled:
        tidy_layout(mirror)
        return Reloaded(reloaded=False, probed=())
    site = reload_site(settings)
    probed = probe(settings, _sample(mirror), fingerprint=site.fingerprint)
    tidy_layout(mirror)
    return Reloaded(reloaded=site.reloaded, probed=probed)


def _sample(mirror: Mirror) -> Sample | None:
    found = mirror.ledger.projects.sample()
    if found is None:
        return None
    project, file = found
    if file is None or not mirror.settings.release_files:
        return Sample(project=project.project, display_name=project.display_name)
    return Sample(
        project=project.project,
        display_name=project.display_name,
        file=file.path,
        metadata=file.metadata_sha256 is not None,
        provenance=file.provenance,
    )
