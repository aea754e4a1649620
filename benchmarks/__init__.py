"""Long runs that are no tests: they measure, and they look for what only happens once in a thousand times."""
