"""A stand-in for Alibaba Cloud AiContent, personalized text-to-image, version 20240611."""

from __future__ import annotations

from unified_train.sandbox.alibaba.routes import AlibabaSandbox

__all__ = ["AlibabaSandbox"]
