"""The generated sample dataset: a latent world, told in words and pictures, written as tables.

It is synthetic and says so. What it is for: each mechanism of the method has something to find in
it (see ``world``). A dataset folder gets ``interactions``, ``items``, ``relations``, ``images/``,
``dataset.toml`` and ``personas.json``; the same seed and sizes give the same bytes
again (pictures: with the same version of Pillow).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from micrec_core.data.folders import new_folder
from micrec_core.data.progress import Progress
from micrec_core.data.schema import RELATIONS
from micrec_core.data.write import TEXT, constant, table_writer
from micrec_core.errors import ConfigError
from micrec_core.sample.choices import Choices, make_choices
from micrec_core.sample.makers import made_by, prices, relations
from micrec_core.sample.personas import make_personas
from micrec_core.sample.pictures import draw_picture, encode_picture
from micrec_core.sample.words import write_texts
from micrec_core.sample.world import (
    ATTRIBUTES,
    MEMBERSHIP,
    PICTURE,
    RARER,
    World,
    make_world,
    stream,
)

# What the sample that comes with the app is made of: enough to tell differences on every page, of
# rare items too.
USERS, ITEMS, SHARES, OWN_RARER, SEED = 3720, (1200, 760), (0.575, 0.205, 0.22), 7.5, 7
MIN_USERS, MAX_USERS = 40, 10_000_000
MIN_ITEMS, MAX_ITEMS = 24, 1_000_000
# With more items than looks, those of one look share a picture; else each has its own.
_LOOKS = ATTRIBUTES["category"] * ATTRIBUTES["palette"] * ATTRIBUTES["pattern"]
_LICENCE = "CC0-1.0"
FORMATS = ("csv", "parquet")
_BLOCK = 1 << 18  # rows, so that millions of them fit in memory


def generate_sample(
    out: str | Path,
    *,
    users: int,
    items: int | tuple[int, int] | None = None,
    seed: int = SEED,
    membership: Sequence[float] = MEMBERSHIP,
    rarer: float = RARER,
    pictures: bool = True,
    format: str = "csv",
    picture_size: int = 192,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a sample dataset.

    Parameters
    ----------
    out : a folder that does not exist or is empty
    users : users in all
    items : items per domain, one number or one for each; by default 5/8 of the users in food and
        half of them in kitchen, from 200 to 100,000
    seed : the same seed and sizes give the same dataset
    membership : shares of users in both domains, only in food and only in kitchen
    rarer : how many times rarer the rarest third of the items is than by a power law
    pictures : draw them; without, no item has an image
    format : of the tables, ``csv`` or ``parquet`` (for millions of interactions)
    picture_size : side in pixels
    progress : told (what, done, of how many) now and then

    Returns
    -------
    Counts per domain, the overlap, ``sha256`` of all that was written, ``seconds``.

    Raises
    ------
    ConfigError
        An option is out of range.
    DataError
        ``out`` is not an empty folder, or cannot be written.
    """
    sizes = _sizes(users, items, seed)
    if format not in FORMATS:
        raise ConfigError(f"the format is '{format}'; use {' or '.join(FORMATS)}")
    if len(membership) != 3 or min(membership) < 0 or abs(sum(membership) - 1) > 1e-9:
        given = ", ".join(f"{share:g}" for share in membership)
        raise ConfigError(
            f"the shares of users are {given}; give three that add up to 1: in both domains, only "
            "in food and only in kitchen"
        )
    if not 1 <= rarer <= 1000:
        raise ConfigError(f"the rarest items are {rarer:g} times rarer; give 1 to 1000")
    if not 32 <= picture_size <= 1024:
        raise ConfigError(f"the picture size is {picture_size}; give 32 to 1024 pixels")
    started = time.perf_counter()
    target = Path(out)
    with new_folder(target, "the sample") as work:
        world = make_world(users, sizes, seed, membership=membership, rarer=rarer)
        choices = tuple(make_choices(world, d) for d in range(len(world.domains)))
        images = [_images(work, world, d, pictures, picture_size, progress) for d in range(2)]
        texts = [write_texts(world, d) for d in range(2)]
        _write_items(work, world, texts, images, format)
        _write_relations(work, world, format)
        _write_interactions(work, world, choices, format, progress)
        _write_about(work, world, items, membership, rarer, pictures)
        personas = make_personas(world, choices)
        (work / "personas.json").write_bytes((json.dumps(personas, indent=1) + "\n").encode())
        summary = _summary(world, choices, images)
        summary["sha256"] = folder_hash(work)
    return {"out": str(target), **summary, "seconds": round(time.perf_counter() - started, 3)}


def folder_hash(root: Path) -> str:
    """SHA-256 (hex) over the relative paths and bytes of all files below ``root``."""
    digest = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        name = path.relative_to(root).as_posix().encode()
        digest.update(len(name).to_bytes(4, "big") + name)
        digest.update(path.stat().st_size.to_bytes(8, "big"))
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _sizes(users: int, items: int | tuple[int, int] | None, seed: int) -> tuple[int, int]:
    if not MIN_USERS <= users <= MAX_USERS:
        raise ConfigError(f"the number of users is {users}; give {MIN_USERS} to {MAX_USERS:,}")
    if seed < 0:
        raise ConfigError(f"the seed is {seed}; give a number from 0 on")
    if items is None:
        first, second = (min(max(n, 200), 100_000) for n in (users * 5 // 8, users // 2))
    else:
        first, second = (items, items) if isinstance(items, int) else items
    for n in (first, second):
        if not MIN_ITEMS <= n <= MAX_ITEMS:
            raise ConfigError(f"the number of items is {n}; give {MIN_ITEMS} to {MAX_ITEMS:,}")
    return first, second


def _images(
    work: Path, world: World, domain: int, pictures: bool, size: int, progress: Progress | None
) -> list[str]:
    """Draw the pictures of a domain; their paths below the dataset, empty where there is none."""
    part = world.domains[domain]
    if not pictures:
        return [""] * part.n_items
    (work / "images").mkdir(exist_ok=True)
    shared = part.n_items > _LOOKS
    ids = part.item_ids()
    attributes = [part.attributes[a] for a in ("category", "palette", "pattern")]
    done: set[str] = set()
    paths = []
    for row in range(part.n_items):
        if not part.has_image[row]:
            paths.append("")
            continue
        category, palette, pattern = (int(values[row]) for values in attributes)
        key = (category, palette, pattern) if shared else (row,)
        name = f"{part.name}-look-{'-'.join(map(str, key))}" if shared else ids[row]
        path = f"images/{name}.webp"
        paths.append(path)
        if path not in done:
            done.add(path)
            # A key per picture, so that leaving one out changes no other.
            rng = stream(world.seed, PICTURE, domain, *key)
            picture = draw_picture(domain, category, palette, pattern, rng, size)
            (work / path).write_bytes(encode_picture(picture))
        if progress and row % 16 == 0:
            progress(f"drawing {part.name}", row, part.n_items)
    if progress:
        progress(f"drawing {part.name}", part.n_items, part.n_items)
    return paths


def _write_items(
    root: Path,
    world: World,
    texts: Sequence[tuple[list[str], list[str]]],
    images: Sequence[list[str]],
    format: str,
) -> None:
    """Write the item table; a missing text or image is an empty field."""
    names = ("item_id", "domain", "title", "description", "maker", "price", "image")
    with table_writer(root / "items", dict.fromkeys(names, TEXT), f".{format}") as add:
        for d, part in enumerate(world.domains):
            told = [part.item_ids(), *texts[d], made_by(world, d), prices(world, d), images[d]]
            ids, *rest = (pa.array(said, TEXT) for said in told)
            add([ids, constant(part.name, part.n_items), *rest])


def _write_relations(root: Path, world: World, format: str) -> None:
    """Write what is known of items beside the two tables."""
    columns = dict.fromkeys(RELATIONS.required, TEXT)
    with table_writer(root / RELATIONS.stem, columns, f".{format}") as add:
        for heads, relation, tails in relations(world):
            add([pa.array(heads, TEXT), constant(relation, len(heads)), pa.array(tails, TEXT)])


def _write_interactions(
    root: Path,
    world: World,
    choices: Sequence[Choices],
    format: str,
    progress: Progress | None,
) -> None:
    """Write the interactions, domain by domain, by user and time."""
    names = pa.array(world.user_ids(), TEXT)
    columns = dict.fromkeys(("user_id", "item_id", "domain"), TEXT) | {"timestamp": pa.int64()}
    total, done = sum(len(c) for c in choices), 0
    with table_writer(root / "interactions", columns, f".{format}") as add:
        for part, chosen in zip(world.domains, choices, strict=True):
            items = pa.array(part.item_ids(), TEXT)
            for start in range(0, len(chosen), _BLOCK):
                rows = slice(start, start + _BLOCK)
                user = pa.array(part.users[chosen.user[rows]])
                item, times = pa.array(chosen.item[rows]), pa.array(chosen.timestamp[rows])
                add([names.take(user), items.take(item), constant(part.name, len(user)), times])
                done += len(user)
                if progress:
                    progress("writing interactions", done, total)


def _write_about(
    work: Path,
    world: World,
    items: int | tuple[int, int] | None,
    membership: Sequence[float],
    rarer: float,
    pictures: bool,
) -> None:
    """``dataset.toml``: that it is synthetic, and the command that makes it again."""
    command = f"python -m micrec_core sample --users {world.n_users} --seed {world.seed}"
    given = (items,) if isinstance(items, int) else items or ()
    command += " --items " + ",".join(map(str, given)) if given else ""
    if tuple(membership) != MEMBERSHIP:
        command += " --membership " + ",".join(f"{share:g}" for share in membership)
    command += f" --rarer {rarer:g}" if rarer != RARER else ""
    sizes = [d.n_items for d in world.domains]
    labels = "\n".join(f'{d.name} = "{d.label}"' for d in world.domains)
    made = "" if pictures else " without pictures"
    text = (
        f'name = "Food & Kitchen sample"\n'
        f"synthetic = true\n"
        f'source = "Generated{made} by `{command}`; no real users, products or brands."\n'
        f'licence = "{_LICENCE}"\n\n'
        f"[domains]\n{labels}\n\n"
        f"[generator]\nusers = {world.n_users}\nitems = {sizes}\nseed = {world.seed}\n"
        f"pictures = {str(pictures).lower()}\n"
    )
    (work / "dataset.toml").write_bytes(text.encode())


def _summary(world: World, choices: tuple[Choices, ...], images: list[list[str]]) -> dict[str, Any]:
    domains = {}
    for part, chosen, paths in zip(world.domains, choices, images, strict=True):
        degrees = np.bincount(chosen.item, minlength=part.n_items)
        domains[part.name] = {
            "users": len(part.users),
            "items": part.n_items,
            "interactions": len(chosen),
            "without_text": int((~part.has_text).sum()),
            "without_image": sum(not p for p in paths),
            "items_up_to_5": int((degrees <= 5).sum()),
        }
    overlap = np.intersect1d(world.domains[0].users, world.domains[1].users)
    return {
        "users": world.n_users,
        "overlap": len(overlap),
        "interactions": sum(len(c) for c in choices),
        "seed": world.seed,
        "domains": domains,
    }
