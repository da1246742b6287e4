"""The glossary: one sentence per word that a first-time visitor may not know."""

from __future__ import annotations

from micrec_core.modalities.registry import USUAL, listed

WORDS = {
    "domain": "A shop or category with its own items; a user may be known in one or in several.",
    "overlapping user": "A user with interactions in both domains of a pair.",
    "template": "A user or item that owns a trained vector; everyone else is built from templates.",
    "hot, warm, cold": "Hot: was in training. Warm: was not, but has interactions or features now. "
    "Cold: has nothing in this domain.",
    "modality": f"A kind of content: {listed(USUAL, 'or')}. "
    "Interactions (id) are set against them.",
    "neighbours": "The users or items of the same domain that are most alike in one modality.",
    "fold-in": "Computing a vector for someone new without changing a parameter of the model.",
    "degree": "The number of interactions a user or item has in the training data.",
    "run": "A folder with one trained model and everything needed to serve, explain and audit it.",
    "variant": "The full model with a named mechanism switched off, trained anew.",
    "interval": "95 % interval by resampling the users (bootstrap), unless said otherwise.",
    "NDCG": "How high the right items stand in the list; 1 is a perfect order.",
    "Recall": "The share of a user's held-out items that made it into the list.",
    "MRR": "Mean of 1 / place at which the right partner is found; 1 means always first.",
    "paired cosine": "Cosine between the two vectors of the same person, one from each domain.",
    "calibration": "Whether those who weigh a modality more are also better served by it.",
    "memory": "Exact counts of what was taken together in training, beside the vectors: how many "
    "people took both a liked item and this one, and how alike the two are by what they say.",
    "bridge": "What overlapping users who look alike in the other domain lend to a cold user.",
}


def word(name: str) -> str:
    """The sentence for one word of the glossary."""
    return WORDS[name]


def words(*names: str) -> str:
    """Several words as a short Markdown list, for a help bubble."""
    return "\n".join(f"- **{name}**: {WORDS[name]}" for name in names)
