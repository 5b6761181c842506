"""Load with a meaning: a pharmacy's honest day, and the attack of March 2022, as traffic through sockets.

- `people`: who is asked about. `client`: how. `credentials`: with what proof.
- `answers`, `needs`: what a client reads out of an answer, for the attacker and for the dispensation.
- `day`, `attack`: the two replays. `report`: their figures, for people and for machines.
- `scene`, `processes`, `clock`: the stage that the demo plays them on.

Every figure is counted here, by the clients, from the bytes they received. The proxy is not asked what it did.
"""
