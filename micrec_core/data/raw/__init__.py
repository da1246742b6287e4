"""Raw files of public datasets (Amazon Reviews, RecBole) to the tables that ``read_dataset`` reads.

A file is read a line at a time, ids are kept as codes and texts on disk: what is in memory grows
with the number of interactions (some tens of bytes each) and of distinct ids, not with the length
of reviews and descriptions.
"""

from micrec_core.data.raw.formats import FORMATS
from micrec_core.data.raw.preparing import Options, Source, prepare

__all__ = ["FORMATS", "Options", "Source", "prepare"]
