"""The web server: nginx's configuration, its reload and probe, and the page people see.

``render`` makes the configuration from the settings, ``reload`` tests it and brings it into effect, ``probe``
asks the live server what clients will ask. ``server`` runs an nginx of our own where there is none.
"""
