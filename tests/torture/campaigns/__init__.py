"""The campaigns, in the order of the table."""

from tests.torture.campaign import Campaign
from tests.torture.campaigns import (
    bad_disks,
    early_listing,
    following_kills,
    hostile_upstream,
    planted_damage,
    random_kills,
    reader_hammer,
    request_faults,
    resolvers,
)

CAMPAIGNS: tuple[Campaign, ...] = (
    random_kills.CAMPAIGN,
    following_kills.CAMPAIGN,
    request_faults.CAMPAIGN,
    reader_hammer.CAMPAIGN,
    hostile_upstream.CAMPAIGN,
    bad_disks.CAMPAIGN,
    planted_damage.CAMPAIGN,
    early_listing.CAMPAIGN,
    resolvers.CAMPAIGN,
)
