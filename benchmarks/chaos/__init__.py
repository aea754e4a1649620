"""The machine that proves at most one paid submission: real processes that are killed, stopped and taken over.

A worker (`worker`) is forked by a nursery (`nursery`) and lives against a sandbox until the place where it is doomed to
end (`dooms`). A round (`rounds`) lets one worker after another carry the same work on, and is judged by what the
sandbox has accepted and what lies on the disk (`verdict`).
"""
