"""A laboratory: the reference lookup API, a token issuer, and 33 million people who do not exist.

For the demo, the tests and the benchmarks. Nothing here protects anything: the API discloses far too much on purpose,
and the issuer signs whatever it is asked to sign. Neither belongs on a network that real people use.

- `population` and what it stands on (`permutation`, `places`, `births`, `names`, `families`, `identifiers`, `rights`,
  `practitioners`): computed from a seed, never stored.
- `documents_*`: one file per format of answer. `operations`, `routes` and `api`: the HTTP server.
- `tokens`, `proofs`, `issuer`: access tokens and DPoP proofs.
"""
