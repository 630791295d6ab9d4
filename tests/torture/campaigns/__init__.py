"""The campaigns, in the order of the table."""

from tests.torture.campaign import Campaign
from tests.torture.campaigns import reader_hammer, request_faults

CAMPAIGNS: tuple[Campaign, ...] = (request_faults.CAMPAIGN, reader_hammer.CAMPAIGN)
