"""``enrich`` and ``missing``: items that say little, and what that costs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from micrec_core.cli.bringing import app  # with the commands that are there so far
from micrec_core.cli.commands import Changes, Data, Device, Json, Shares
from micrec_core.cli.output import Progress, aligned, answer
from micrec_core.cli.parsing import changes, numbers, shares_of
from micrec_core.errors import ConfigError
from micrec_core.names import EVERYONE, MICREC

__all__ = ["app"]


@app.command()
def enrich(
    path: Data,
    model: Annotated[str, typer.Option(help="As the endpoint calls it.")],
    endpoint: Annotated[
        str, typer.Option(help="OpenAI-compatible, such as http://localhost:8000/v1.")
    ],
    budget: Annotated[
        int, typer.Option(help="Tokens, in and out, at most; 0 only tells what it would take.")
    ] = 0,
    prompt: Annotated[Path | None, typer.Option(help="A text file, instead of ours.")] = None,
    thin: Annotated[
        int, typer.Option(help="Of items with shorter descriptions than so many characters.")
    ] = 40,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Show their pictures to the model too.")
    ] = False,
    max_tokens: Annotated[int, typer.Option(help="Of an answer.", min=16, max=4096)] = 200,
    prices: Annotated[
        str, typer.Option(metavar="IN,OUT", help="Of a million tokens, to tell the cost.")
    ] = "",
    at_once: Annotated[int, typer.Option(help="Questions on their way.", min=1, max=64)] = 4,
    as_json: Json = False,
) -> None:
    """Have a model describe items that say little; the tables stay as they are.

    What is written goes to generated.jsonl beside them, and train --descriptions generated or both
    uses it. A key comes from OPENAI_API_KEY.
    """
    from micrec_core.data import read_dataset
    from micrec_core.data.generated import read_answers
    from micrec_core.enriching import enrich as work
    from micrec_core.enriching.asking import Endpoint

    asked = work.Asked(
        model, _prompt(prompt or work.PROMPT), thin, pictures, max_tokens, _prices(prices)
    )
    with Endpoint(endpoint, model) as asking:
        with Progress() as progress:
            dataset = read_dataset(path, unknown_items="drop", progress=progress)
        found = work.questions(dataset, asked)
        ahead = work.estimate(found, asked, read_answers(dataset.root), at_once)
        told: dict[str, Any] = {"estimate": asdict(ahead), "outcome": None}
        lines = [_ahead(ahead)]
        if budget and found:
            with Progress() as progress:
                progress(_ahead(ahead), 0, 0)
                came = work.enrich(
                    dataset, asking, asked, budget=budget, at_once=at_once, progress=progress
                )
            told["outcome"] = asdict(came)
            lines = _came(came)
        elif ahead.questions:
            lines.append("Nothing was asked: say --budget TOKENS to have it done.")
    answer(as_json, told, lines)


def _prompt(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file.name} cannot be read ({error}); give a UTF-8 text file") from None
    if not text or len(text) > 20_000:
        raise ConfigError(f"{file.name} is empty or too long; write up to 20,000 characters")
    return text


def _prices(typed: str) -> tuple[float, float] | None:
    if not typed:
        return None
    try:
        low, high = (float(word) for word in typed.split(","))
    except ValueError:
        raise ConfigError(f"--prices is '{typed[:40]}'; write two numbers, 0.15,0.60") from None
    if not (0 <= low < 1e6 and 0 <= high < 1e6):
        raise ConfigError(f"--prices is '{typed[:40]}'; write two prices, 0.15,0.60")
    return low, high


def _ahead(ahead: Any) -> str:
    cost = "" if ahead.cost is None else f", at most {ahead.cost:.2f} by --prices"
    how = "as answers took so far" if ahead.measured else "if an answer takes 3 s"
    return (
        f"{ahead.questions:,} to ask and {ahead.kept:,} asked before: about {ahead.tokens_in:,} "
        f"tokens in and at most {ahead.tokens_out:,} out{cost}, {ahead.seconds / 60:.1f} minutes "
        f"{how}"
    )


def _came(came: Any) -> list[str]:
    lines = [f"{came.written:,} descriptions written, marked as a model's, in generated.jsonl"]
    lines += [f"{n:,} not used: {why}" for why, n in sorted(came.refused.items())]
    cost = "" if came.cost is None else f", {came.cost:.2f} by --prices"
    lines.append(f"{came.tokens_in:,} tokens in and {came.tokens_out:,} out{cost}")
    if came.left:
        lines.append(f"{came.left:,} left: the budget is used up; say the same again to go on")
    return lines


@app.command()
def missing(
    path: Data,
    out: Annotated[Path, typer.Option(help="Where trainings are kept, to go on with.")],
    shares: Shares = "",
    seeds: Annotated[str, typer.Option(help="Such as 0,1,2.")] = "0",
    model: Annotated[str, typer.Option(help="micrec, or a baseline that reads features.")] = MICREC,
    set_: Changes = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure what missing texts and pictures cost, masked and imputed from neighbours.

    A share of the items without each modality, and each domain without it.
    """
    from micrec_core.comparing.missing import study
    from micrec_core.running.settings import run_settings
    from micrec_core.training.prepare import cache_folder

    settings = run_settings({"model": {"name": model}}, changes(set_))
    with Progress() as progress:
        found = study(
            path, out, settings, shares=shares_of(shares), seeds=numbers(seeds), device=device,
            progress=progress, cache=cache_folder(),
        )  # fmt: skip
    columns = ["what", "within", "share", "protocol", "domain", "n", "masked", "imputed", "gain"]
    shown = found[found["scope"] == EVERYONE][[*columns, "p_holm"]]
    lines = aligned([list(shown.columns), *shown.itertuples(index=False, name=None)])
    answer(as_json, {"rows": found.to_dict("records")}, lines)
