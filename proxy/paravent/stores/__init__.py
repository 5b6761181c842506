"""Where budgets and replay memory are kept: implementations of `paravent.ports.Ledger`.

`memory` is the reference: slow, obvious, one process, nothing survives it. `sqlite` is the embedded default. One
contract suite runs over all of them.
"""
