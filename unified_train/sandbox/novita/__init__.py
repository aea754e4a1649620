"""A local server that speaks the protocol of Novita's training and generation."""

from unified_train.sandbox.novita.routes import API_KEY, NovitaSandbox

__all__ = ["API_KEY", "NovitaSandbox"]
