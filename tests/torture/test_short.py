"""A short version of each campaign; `make torture` has the long ones."""

from pathlib import Path

import pytest

from tests.torture.campaign import Campaign
from tests.torture.campaigns import CAMPAIGNS
from tests.torture.runner import details, run_campaign

SHARE = 0.02


@pytest.mark.servers
@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda each: each.name)
def test_a_short_campaign_finds_nothing_wrong(campaign: Campaign, tmp_path: Path) -> None:
    ran = run_campaign(campaign, share=SHARE, seed=1, scratch=tmp_path)
    assert ran.passed, details(ran)
