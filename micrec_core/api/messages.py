"""What is asked over HTTP and what is answered; the OpenAPI page is made from these.

Everything has a limit, because nobody vouches for what comes in.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, create_model

from micrec_core.data.picture_files import MAX_BYTES
from micrec_core.modalities.registry import spoken_to
from micrec_core.runs import DatasetInfo

MAX_LIST, MAX_LIKES, MAX_PEOPLE, MAX_SENTENCE = 1000, 10_000, 256, 20_000
# Up to so many likes a list costs what it costs for one.
_FEW = 100

Id = Annotated[str, Field(min_length=1, max_length=512)]
Length = Annotated[int, Field(ge=1, le=MAX_LIST, description="Length of the list.")]
Domain = Annotated[str, Field(min_length=1, max_length=128, description="Where to recommend.")]

_SAYS = {
    "sentence": (
        Annotated[str, Field(max_length=MAX_SENTENCE)] | None,
        Field(None, description="What they say, in words."),
    ),
    "values": (
        Annotated[str, Field(max_length=MAX_SENTENCE)] | None,
        Field(None, description="Values of columns, such as brand=Acme; price=3..8."),
    ),
    "picture": (
        Base64Bytes | None,
        Field(
            None,
            description=f"A picture file (JPEG, PNG, WebP, ...) of at most {MAX_BYTES >> 20} MB, "
            "base64.",
        ),
    ),
}
# A field for each modality in which someone new can say something.
_SAID: dict[str, Any] = {m.name: _SAYS[m.asks] for m in spoken_to() if m.asks}


class Message(BaseModel):
    """A body that takes no more than it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Saying: Any = create_model("Saying", __base__=Message, **_SAID)


class Said(Saying):
    """Whatever somebody says or shows, by modality."""

    def documents(self) -> dict[str, Any]:
        """Modality -> what they say or show in it, or None."""
        return {name: getattr(self, name) for name in _SAID}


class Person(Said):
    """Anyone: a user of the run, someone made up, or both at once; nobody gets what is popular."""

    user: Id | None = Field(None, description="A user id of the run; brings the history along.")
    likes: dict[str, Annotated[list[Id], Field(max_length=MAX_LIKES)]] = Field(
        default_factory=dict, description="Domain -> item ids, added to the history.", max_length=64
    )

    @property
    def is_quick(self) -> bool:
        """Whether a list for them is a matter of few milliseconds: little liked, nothing said."""
        likes = sum(map(len, self.likes.values()))
        return likes <= _FEW and all(said is None for said in self.documents().values())


class ListRequest(Person):
    """Whom to recommend to, and what."""

    domain: Domain
    k: Length = 10
    exclude: Annotated[list[Id], Field(max_length=MAX_LIKES)] = Field(default=[])

    @property
    def is_quick(self) -> bool:
        """As of the person; and little is left out."""
        return super().is_quick and len(self.exclude) <= _FEW

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"domain": "food", "user": "u0000", "k": 5},
                {"domain": "food", "likes": {"food": ["food-0001", "food-0206"]}, "k": 5},
                {"domain": "kitchen", "likes": {"food": ["food-0001", "food-0206"]}, "k": 5},
                {"domain": "kitchen", "text": "a charcoal pot with stripes", "k": 5},
            ]
        }
    )


class BatchRequest(Message):
    """One list for each of several people; each counts as one request to the rate limit."""

    domain: Domain
    k: Length = 10
    people: Annotated[list[Person], Field(min_length=1, max_length=MAX_PEOPLE)]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"domain": "food", "k": 3, "people": [{"user": "u0000"}, {"text": "tea"}]}]
        }
    )


class ReasonsRequest(Person):
    """Whose score of which item to take apart."""

    domain: Domain
    item: Id
    most: Annotated[int, Field(ge=1, le=MAX_LIST, description="Reasons told one by one.")] = 20

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"domain": "food", "user": "u0000", "item": "food-0001", "most": 5}]
        }
    )


class SimilarRequest(Message):
    """Which item others are to be like."""

    domain: Domain
    item: Id
    k: Length = 10
    modality: Id | None = Field(None, description="Compare by it; by embeddings when not given.")

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"domain": "food", "item": "food-0001", "k": 5}]}
    )


class NewItemRequest(Said):
    """An item that is not in the catalogue, and for whom it is to be placed."""

    domain: Domain
    users: Annotated[list[Id], Field(max_length=MAX_LIKES)] = Field(
        default=[], description="Users who took it already."
    )
    k: Length = 10
    person: Person | None = Field(None, description="In whose list to place it.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "domain": "food",
                    "text": "A smoky Moroccan spice blend",
                    "person": {"user": "u0000"},
                    "k": 5,
                }
            ]
        }
    )


class SwapRequest(Message):
    """Which run is to answer from now on."""

    run: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="The name of a run in the folder of the one that answers now."
    )

    model_config = ConfigDict(json_schema_extra={"examples": [{"run": "sample"}]})


# Answers -----------------------------------------------------------------------------------------


class Problem(BaseModel):
    """One sentence on what went wrong and what would mend it."""

    detail: str


class Listed(BaseModel):
    """An item of a list; the parts add up to the score."""

    item_id: str
    title: str
    score: float
    parts: dict[str, float]


class ListAnswer(BaseModel):
    """A list, best first."""

    domain: str
    kind: str = Field(description="hot, warm or cold: how much of this user is known here")
    note: str = Field(description="What could not be used, or why the list is not personal.")
    milliseconds: float
    items: list[Listed]


class BatchAnswer(BaseModel):
    """A list or a problem for each person, in their order."""

    answers: list[ListAnswer | Problem]


class Reason(BaseModel):
    """What one contributor brings to a score."""

    source: str
    via: str
    contributor_id: str
    title: str
    contribution: float
    side: str
    domain: str
    why: str = Field("", description="What the two items have in common, where there are words.")


class ReasonsAnswer(BaseModel):
    """A score taken apart: reasons and the rest add up to it, and so do the parts."""

    domain: str
    item: str
    score: float
    note: str
    parts: dict[str, float]
    reasons: list[Reason]
    rest: float


class Like(BaseModel):
    """An item that is like the one asked about."""

    item_id: str
    title: str
    similarity: float = Field(description="Cosine.")


class SimilarAnswer(BaseModel):
    """Items alike, nearest first."""

    domain: str
    items: list[Like]


class Place(BaseModel):
    """Where an item would stand in someone's list."""

    rank: int
    score: float
    of: int


class NewItemAnswer(BaseModel):
    """What a new item is like, and its place where a person is given."""

    domain: str
    weights: dict[str, float] = Field(description="Modality -> its weight for this item.")
    similar: list[Like]
    place: Place | None


class DomainCounts(BaseModel):
    """How many there are."""

    name: str
    label: str
    users: int
    items: int
    interactions: int


class RunAnswer(BaseModel):
    """A run that answers."""

    name: str = Field(description="Its name in addresses.")
    run: str = Field(description="The run behind it, which a swap replaces.")
    key: str = Field(description="SHA-256 of its manifest.")
    model: str
    created: str
    modalities: list[str]
    domains: list[DomainCounts]
    dataset: DatasetInfo | None
    update: dict[str, Any] = Field(description="What an update added and how far it has drifted.")


class Health(BaseModel):
    """Whether it answers, and with which runs."""

    status: str
    version: str
    runs: list[str]
