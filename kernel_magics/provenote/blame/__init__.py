"""Why two runs differ in a metric: what differs between them, crossed, run again and split exactly.

`halves` reads the two runs, `factors` says in what they differ, `states` makes and runs any mixture of both,
`shapley` splits the jump, `inside` looks into the factor that made most of it, `journey` walks through it.
"""
