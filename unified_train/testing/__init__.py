"""What every provider must keep, as tests that a plugin's author runs by subclassing one class.

    from unified_train.testing import ProviderContract

    class TestEcho(ProviderContract):
        @pytest.fixture
        def provider(self):
            return Echo(EchoSettings())

        @pytest.fixture
        def dataset(self):
            return Dataset.from_folder("photos", trigger="ohwx", class_word="cat")

`provider` is an instance that is ready to talk to something that costs nothing: a server of yours that plays the
vendor, the sandbox, or nothing at all. Needs pytest; with hypothesis installed more answers are tried.
"""

from __future__ import annotations

from unified_train.testing.contract import ProviderContract
from unified_train.testing.journey import Journey

__all__ = ["Journey", "ProviderContract"]
