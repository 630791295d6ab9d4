"""The campaigns, in the order of the table."""

from tests.torture.campaign import Campaign

CAMPAIGNS: tuple[Campaign, ...] = ()
