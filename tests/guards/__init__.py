"""Does every guard of the verifier matter? Each is disabled in turn, and some attack must succeed then.

`sites` finds the guards in the sources as they are installed and lets each be switched off; `attacks` are the
tests of the ledger, the policy, the hook and the load gate, as plain functions; `equivalent` names the guards
that can be taken away without harm, and why. Run it: `python -m tests.guards`.
"""
