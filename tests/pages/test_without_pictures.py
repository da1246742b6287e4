"""A run whose items have no pictures: pages keep no places for them and do not speak of them."""

import pytest

from micrec_core.ui.cards import NO_PICTURE
from tests.pages.conftest import healthy, words


@pytest.mark.parametrize("page", ["cold_start", "recommendations", "low_degree"])
@pytest.mark.parametrize("pictures", [True, False])
def test_places_for_pictures_are_where_there_are_any(app, written, page, pictures):
    test = app(written("bare" if not pictures else "tiny", pictures=pictures), page)
    healthy(test)
    drawn = [image.url for found in test.get("image") for image in found.proto.imgs]
    seen = [url for url in drawn if url.startswith("data:image/webp") or url == NO_PICTURE]
    columns = [c for table in test.dataframe for c in table.value.columns]
    assert bool(seen or "picture" in columns) == pictures
    if not pictures:
        assert "picture" not in words(test)
