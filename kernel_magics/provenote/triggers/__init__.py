"""Jobs that start by themselves: rules in ``provenote.rules.yaml``, fired by whatever timer calls ``tick``.

There is no scheduler process. `ticking.tick` looks at every rule, and what is due is claimed by moving a ref
of Git from the value that was seen: of any number of timers, on any number of machines, one wins.
"""
