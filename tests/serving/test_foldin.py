from __future__ import annotations

import numpy as np


def test_folding_in_a_training_user_reproduces_its_embedding(trained) -> None:
    rec = trained.recommender
    for d, domain in enumerate(rec.domains):
        ids = rec.user_ids(domain)
        rows = [list(rec.bundle.domains[d].user_ids).index(i) for i in ids]
        found = np.stack([rec.embedding(rec.user(id=i), domain) for i in ids])
        np.testing.assert_allclose(found, trained.encoded[d].users[rows].numpy(), atol=1e-5)
