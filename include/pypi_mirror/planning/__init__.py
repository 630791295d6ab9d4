"""What a run is going to do: the reading list, the plan, what it takes of it, and the guard."""
