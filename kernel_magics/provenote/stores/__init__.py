"""The stores: runs (Git refs), live runs, bytes (DVC cache), ledger and index. Each knows one place."""
