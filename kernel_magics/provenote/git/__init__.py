"""Git plumbing: commands, snapshots, trees and refs. Knows no run, no data, no promotion."""
