"""From the items of a dataset that say little to descriptions that a model writes of them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from micrec_core.data.generated import FILE, Answers, content_of, read_answers
from micrec_core.data.picture_files import load_image
from micrec_core.data.progress import Progress, silent
from micrec_core.data.types import Dataset
from micrec_core.enriching.asking import Endpoint, Reply
from micrec_core.enriching.judging import fault, plain
from micrec_core.errors import ConfigError, DataError
from micrec_core.locks import FolderLock

PROMPT = Path(__file__).with_name("prompt.txt")
# Assumed where nothing was measured: English has about four characters a token; a picture of this
# size is counted as some hundreds of them; an answer takes this long on a small local server.
CHARACTERS_A_TOKEN, TOKENS_A_PICTURE, SECONDS_AN_ANSWER = 4, 800, 3.0
SIDE = 512
_GIVEN = 2_000


@dataclass(frozen=True)
class Asked:
    """How items are asked about.

    Attributes
    ----------
    model : as the endpoint calls it
    prompt : what the model is told to do
    thin : items whose description has fewer characters are asked about; all of them below 0
    pictures : show the model the item's picture too
    max_tokens : of an answer
    prices : of a million tokens in and out, in whatever currency; None where they are not known
    """

    model: str
    prompt: str
    thin: int = 40
    pictures: bool = False
    max_tokens: int = 200
    prices: tuple[float, float] | None = None

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """Of so many tokens; None where prices are not known."""
        if self.prices is None:
            return None
        return (tokens_in * self.prices[0] + tokens_out * self.prices[1]) / 1e6


@dataclass(frozen=True)
class Question:
    """One item to be asked about; ``key`` is the hash of all that the model would be given."""

    domain: str
    item_id: str
    said: str
    of: str
    picture: Path | None
    key: str

    def tokens(self, asked: Asked) -> int:
        """About how many the model would be given."""
        text = (len(asked.prompt) + len(self.said)) // CHARACTERS_A_TOKEN + 1
        return text + (TOKENS_A_PICTURE if self.picture else 0)


@dataclass(frozen=True)
class Estimate:
    """What asking takes, before anything is asked; tokens out and cost are upper bounds.

    ``kept`` items were asked about before. ``measured`` says whether ``seconds`` is by answers that
    came before, or assumed.
    """

    questions: int
    kept: int
    tokens_in: int
    tokens_out: int
    cost: float | None
    seconds: float
    measured: bool


@dataclass
class Outcome:
    """What came of it: items by why their answer is not used, and those ``left`` by the budget."""

    written: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    left: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None


def questions(dataset: Dataset, asked: Asked) -> list[Question]:
    """The items that say little, domain after domain.

    Raises
    ------
    DataError
        A picture that is to be shown cannot be read.
    """
    out = []
    for domain in dataset.domains:
        rows = zip(domain.item_ids, domain.titles, domain.descriptions, domain.images, strict=True)
        for item, title, description, image in rows:
            if 0 <= asked.thin <= len(description) or not (title or image):
                continue
            said = f"Shop: {domain.label}\nTitle: {title[:_GIVEN]}"
            said += f"\nDescription: {description[:_GIVEN]}" if description else ""
            picture = dataset.root / image if asked.pictures and image else None
            form = [asked.model, asked.prompt, said, asked.max_tokens]
            digest = hashlib.sha256(json.dumps(form).encode())
            digest.update(picture.read_bytes() if picture else b"")
            of = content_of(title, description)
            out.append(Question(domain.name, str(item), said, of, picture, digest.hexdigest()))
    return out


def estimate(found: list[Question], asked: Asked, kept: Answers, at_once: int) -> Estimate:
    """What it would take to ask all that was not asked yet."""
    ahead = list({q.key: q for q in found if q.key not in kept.by_key}.values())
    tokens_in = sum(q.tokens(asked) for q in ahead)
    tokens_out = len(ahead) * asked.max_tokens
    took = [r["seconds"] for r in kept.by_key.values() if r["model"] == asked.model]
    took = [float(s) for s in took if isinstance(s, int | float) and s > 0]
    each = sum(took) / len(took) if took else SECONDS_AN_ANSWER
    return Estimate(
        len(ahead), sum(q.key in kept.by_key for q in found), tokens_in, tokens_out,
        asked.cost(tokens_in, tokens_out), len(ahead) * each / at_once, bool(took),
    )  # fmt: skip


def enrich(
    dataset: Dataset,
    endpoint: Endpoint,
    asked: Asked,
    *,
    budget: int,
    at_once: int = 4,
    progress: Progress = silent,
) -> Outcome:
    """Ask about the items that say little, and keep each answer as it comes.

    What was asked in just this way before, and an item that says just what another does, is not
    asked again. Stopped at any time, it goes on where it was.

    Parameters
    ----------
    budget : no question is begun that could take more tokens, in and out, than that in all
    at_once : questions on their way

    Raises
    ------
    ConfigError
        The endpoint refuses the question, or somebody else enriches this dataset.
    DataError
        The endpoint does not answer, or what it says cannot be kept.
    """
    try:
        lock = FolderLock(dataset.root)
    except BlockingIOError:
        raise ConfigError(
            f"descriptions of '{dataset.name}' are being written already; wait for that to end"
        ) from None
    outcome = Outcome()
    try:
        kept = read_answers(dataset.root)
        ahead: dict[str, list[Question]] = {}
        for question in questions(dataset, asked):
            if (question.domain, question.item_id, question.key) not in kept.told:
                ahead.setdefault(question.key, []).append(question)
        with _appended(dataset.root / FILE) as keep, ThreadPoolExecutor(at_once) as pool:
            for key in ahead.keys() & kept.by_key.keys():  # another item was asked in these words
                again = kept.by_key[key] | {"tokens_in": 0, "tokens_out": 0}
                keep(_of_each(again, ahead.pop(key), outcome))
            turns = _answers([*ahead.values()], endpoint, asked, budget, at_once, pool, outcome)
            for same, reply in turns:
                keep(_of_each(_judged(same[0], reply, asked), same, outcome))
                told = outcome.written + sum(outcome.refused.values())
                progress("writing descriptions", told, told + outcome.left)
    finally:
        lock.release()
    outcome.cost = asked.cost(outcome.tokens_in, outcome.tokens_out)
    return outcome


def _answers(
    ahead: Sequence[list[Question]],
    endpoint: Endpoint,
    asked: Asked,
    budget: int,
    at_once: int,
    pool: ThreadPoolExecutor,
    outcome: Outcome,
) -> Iterator[tuple[list[Question], Reply]]:
    """Each question's answer as it comes, with the items that are asked about in its words.

    After an error no more is begun, what is on its way is still told, and then it is raised.
    """
    outcome.left = sum(len(same) for same in ahead)
    waiting, going = deque(ahead), dict[Future[Reply], list[Question]]()
    failed: BaseException | None = None
    reserved = 0
    while True:
        while waiting and len(going) < at_once and failed is None:
            most = waiting[0][0].tokens(asked) + asked.max_tokens
            if outcome.tokens_in + outcome.tokens_out + reserved + most > budget:
                waiting.clear()
                break
            same = waiting.popleft()
            reserved += most
            messages = _messages(same[0], asked)
            going[pool.submit(endpoint.ask, messages, asked.max_tokens)] = same
        if not going:
            break
        for future in wait(going, return_when=FIRST_COMPLETED).done:
            same = going.pop(future)
            reserved -= same[0].tokens(asked) + asked.max_tokens
            if future.exception() is not None:
                failed = failed or future.exception()
                continue
            reply = future.result()
            if not reply.tokens_in + reply.tokens_out:  # an endpoint that does not count
                counted = (same[0].tokens(asked), len(reply.text) // CHARACTERS_A_TOKEN + 1)
                reply = replace(reply, tokens_in=counted[0], tokens_out=counted[1])
            yield same, reply
    if failed is not None:
        raise failed


def _messages(question: Question, asked: Asked) -> list[dict[str, Any]]:
    content: Any = question.said
    if question.picture is not None:
        image = load_image(question.picture, size_hint=(SIDE, SIDE))
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=85)
        url = f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
        content = [
            {"type": "text", "text": question.said},
            {"type": "image_url", "image_url": {"url": url}},
        ]
    return [{"role": "system", "content": asked.prompt}, {"role": "user", "content": content}]


def _judged(question: Question, reply: Reply, asked: Asked) -> dict[str, Any]:
    """The record of an answer, as ``data.generated`` has it."""
    text = plain(reply.text)
    refused = reply.refused or fault(text, question.said)
    return {
        "key": question.key,
        "model": asked.model,
        "date": datetime.now(UTC).date().isoformat(),
        "description_generated": "" if refused else text,
        "refused": refused,
        "tokens_in": reply.tokens_in,
        "tokens_out": reply.tokens_out,
        "seconds": round(reply.seconds, 3),
    }


def _of_each(
    record: dict[str, Any], same: Sequence[Question], outcome: Outcome
) -> list[dict[str, Any]]:
    """The record for each item that is asked about in the same words; the first bears the cost."""
    outcome.tokens_in += record["tokens_in"]
    outcome.tokens_out += record["tokens_out"]
    out = []
    for question in same:
        of = {"domain": question.domain, "item_id": question.item_id, "of": question.of}
        out.append(record | of)
        record = record | {"tokens_in": 0, "tokens_out": 0}
    if record["refused"]:
        outcome.refused[record["refused"]] = outcome.refused.get(record["refused"], 0) + len(same)
    else:
        outcome.written += len(same)
    outcome.left = max(outcome.left - len(same), 0)
    return out


@contextmanager
def _appended(path: Path) -> Iterator[Callable[[list[dict[str, Any]]], None]]:
    """What adds records to a file, after its last whole line.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    try:
        with path.open("ab") as file:
            file.truncate(path.read_bytes().rfind(b"\n") + 1)

            def keep(records: list[dict[str, Any]]) -> None:
                lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
                file.write("".join(lines).encode("utf-8", "replace"))
                file.flush()

            yield keep
    except OSError as error:
        raise DataError(
            f"{path.name} cannot be written ({error.strerror}); copy the dataset to a folder that "
            "can be written"
        ) from error
