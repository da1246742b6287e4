"""RecBole's atomic files: tabs between fields, and a header whose fields carry types.

Source: recbole.io, "Atomic Files". ``.inter`` needs a user and an item and may have a rating and a
time; ``.item`` needs an item and a title. What the fields are called is the dataset's choice
(``USER_ID_FIELD`` and its like). Quotes have no meaning.
"""

from micrec_core.data.raw.separated import Separated

RECBOLE = Separated("RecBole atomic files", "\t", typed=True, quoted=False)
