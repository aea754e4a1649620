"""The generated pictures: made at the first look after the task's end, signed afresh at every look."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from unified_train.sandbox import pictures
from unified_train.sandbox.novita import facts

if TYPE_CHECKING:
    from unified_train.sandbox.novita.jobs import Generation
    from unified_train.sandbox.world import World


class Gallery:
    """Pictures of finished generations, in the object store."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.reset()

    def reset(self) -> None:
        """Forget which pictures were made."""
        self._making: dict[str, asyncio.Task[list[str]]] = {}

    async def urls(self, generation: Generation, *, expires: int) -> list[str]:
        """A presigned URL for each picture, good for `expires` seconds."""
        if generation.id not in self._making:
            self._making[generation.id] = asyncio.create_task(self._make(generation))
        # Shielded, since a client that hangs up must not stop a picture that another waits for.
        keys = await asyncio.shield(self._making[generation.id])
        store = self._world.objects
        return [store.presign("GET", facts.OUTPUT_BUCKET, key, expires=expires) for key in keys]

    async def _make(self, generation: Generation) -> list[str]:
        return [await self._picture(generation, index) for index in range(generation.ask.count)]

    async def _picture(self, generation: Generation, index: int) -> str:
        """Image number k has the seed plus k, so that a batch shows as many pictures."""
        ask = generation.ask
        media_type = f"image/{ask.image_type}"
        data = await asyncio.to_thread(
            pictures.compose,
            generation.photos,
            prompt=ask.prompt,
            seed=ask.seed + index,
            width=ask.width,
            height=ask.height,
            look="novita",
            media_type=media_type,
            faithful=generation.faithful,
        )
        key = f"prod/{generation.id}/{index}.{ask.image_type}"
        self._world.objects.put(facts.OUTPUT_BUCKET, key, data, media_type)
        return key
