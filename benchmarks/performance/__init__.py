"""What it costs: start, polls, submissions, many jobs, uploads, the sandbox; ours and others', on loopback."""
