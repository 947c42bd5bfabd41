"""Example apps: ordinary code that knows nothing of jobharness."""
