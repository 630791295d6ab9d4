"""The catalogue: upstream's project pages as last read, so that deciding asks upstream for nothing."""

from pypi_mirror.catalogue.encoding import ENCODING, EncodedPage, decode_page, encode_page
from pypi_mirror.catalogue.entry import Entry, EntryState

__all__ = ["ENCODING", "EncodedPage", "Entry", "EntryState", "decode_page", "encode_page"]
