"""How people see a run: terminal, JSON and HTML. Reads a Result; decides nothing."""
