"""What a page says beside its figures: how much was examined, what the shares add up to, whose axes are meant."""

from dataclasses import replace

import pytest


@pytest.mark.parametrize(("side", "said"), [(512, False), (2048, True)])
def test_a_page_says_beside_the_verdict_how_little_was_examined(write, examine, side, said):
    page = write(examine("real", enlarge=side // 512))
    assert ("% of the picture: the rest was not examined" in page) is said
    if said:
        assert page.index("of the picture: the rest was not examined") < page.index("Why: what speaks")


def test_a_page_says_what_the_shares_add_up_to(write, examine):
    measured = tuple(replace(one, contribution=0.25) for one in examine("ai").finding.analyzers)
    page = write(examine("ai", analyzers=measured, start=-0.5))
    assert f"All shares make {0.25 * len(measured):+.2f}; with the -0.50 that the model starts from" in page


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_page_says_whose_horizontal_is_meant_where_the_picture_was_turned(write, examine, orientation):
    page = write(examine("real", orientation=orientation))
    assert ("horizontal, vertical, across and down are those of the stored one" in page) is (orientation != 1)
