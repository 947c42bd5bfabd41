"""What several tests need: no test lives here."""
