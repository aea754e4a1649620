"""Bringing images to a vendor, or to the image host for a vendor that fetches them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unified_train import checks
from unified_train.config import environment
from unified_train.errors import ConfigurationError, UnsupportedCapability
from unified_train.http import Request
from unified_train.images import Image
from unified_train.workflows.vendors import Vendors

if TYPE_CHECKING:
    from unified_train.dataset import UploadedImage
    from unified_train.flow import Workflow
    from unified_train.hosting import ImageHost
    from unified_train.policy import Conversation


class Uploading(Vendors):
    """Images on their way."""

    def upload_image(self, source: object, *, caption: str | None, provider: str | None) -> Workflow[UploadedImage]:
        """Check one image and bring it to a vendor."""
        talk = self._talk(provider)
        image = Image.of(source, caption=caption)
        checks.check_image(talk.provider, image, hosted=self.image_host is not None)
        return (yield from self._upload(talk, image))

    def _upload(self, talk: Conversation, image: Image) -> Workflow[UploadedImage]:
        takes = talk.provider.capabilities.images.takes
        if takes == "url" and not image.remote:
            return (yield from self._hosted(talk, image))
        if takes == "bytes" and image.remote:
            image = yield from self._fetched(talk, image)
            checks.check_image(talk.provider, image, hosted=False)
        return (yield from talk.run(talk.provider.upload(image)))

    def _hosted(self, talk: Conversation, image: Image) -> Workflow[UploadedImage]:
        """Put a local image on the image host, for a vendor that takes URLs only."""
        hosted = yield from talk.run(self._host().put(image, talk.moment()))
        public = Image(name=image.name, url=hosted.url, caption=image.caption)
        uploaded = yield from talk.run(talk.provider.upload(public))
        known = {"sha256": image.sha256, "hosted": hosted.key, "expires_at": hosted.expires_at}
        return uploaded.model_copy(update=known)

    def delete_image(self, image: UploadedImage) -> Workflow[None]:
        """Remove an image from the image host."""
        if image.hosted is None:
            raise UnsupportedCapability(f"{image.name} is on no image host; {image.provider} keeps what was uploaded")
        talk = self._talk(image.provider)
        yield from talk.run(self._host().delete(image.hosted, talk.moment()))

    def _host(self) -> ImageHost:
        if self.image_host is None:
            raise ConfigurationError(f"no image host: set {environment.IMAGE_HOST}")
        return self.image_host

    def _fetched(self, talk: Conversation, image: Image) -> Workflow[Image]:
        """An image that is only a URL, with its bytes, for a vendor that takes no URLs."""
        response = yield from talk.send(Request("GET", image.url or "", "image.fetch", signed=False))
        return Image(name=image.name, data=response.content, caption=image.caption)
