"""Every difference between what we send and what a vendor's SDK sends, and why it is meant."""

from __future__ import annotations

from dataclasses import dataclass

ABSENT = "(absent)"


@dataclass(frozen=True)
class Row:
    """What they send at a place, what we send there, and why."""

    theirs: object
    ours: object
    why: str


def unset(*places: str, sent: object = None) -> dict[str, Row]:
    """Fields that the SDK sends although nobody set them."""
    why = "nobody set it: left out, so that the vendor's documented default counts and not the SDK's idea of one"
    return {place: Row(sent, ABSENT, why) for place in places}


_CHARSET = Row(
    "application/json",
    "application/json; charset=utf-8",
    "one vendor signs the content type with the charset, and the bytes are UTF-8: all get the same header",
)
_EXPERT = "body.expert_setting."
_REQUEST = "body.request."
_NOVITA_EXTRA = {
    **unset("body.extra.custom_storage", "body.extra.enterprise_plan", sent={}),
    **unset("body.extra.enable_nsfw_detection", sent=False),
    **unset("body.extra.nsfw_detection_level", sent=0),
}

DIFFERENCES: dict[tuple[str, str], dict[str, Row]] = {
    ("scenario", "*"): {"content-type": _CHARSET},
    ("scenario", "training.detach"): {
        "content-type": Row("application/json", "none", "a DELETE has no body, so that there is nothing to name")
    },
    ("novita", "*"): {"content-type": _CHARSET},
    ("novita", "training.start (style)"): unset(
        _EXPERT + "class_prompt",
        _EXPERT + "instance_prompt",
        _EXPERT + "lora_alpha",
        _EXPERT + "lora_r",
        _EXPERT + "lora_text_encoder_alpha",
        _EXPERT + "lora_text_encoder_r",
        _EXPERT + "prior_loss_weight",
        _EXPERT + "with_prior_preservation",
    ),
    ("novita", "training.start (subject)"): unset(
        _EXPERT + "lora_alpha",
        _EXPERT + "lora_text_encoder_alpha",
        _EXPERT + "lora_text_encoder_r",
        _EXPERT + "lr_scheduler",
        _EXPERT + "prior_loss_weight",
        _EXPERT + "with_prior_preservation",
    ),
    ("novita", "training.list"): {
        "query.pagination.limit": Row(ABSENT, "100", "the SDK reads the first page only; we read all, in large pages")
    },
    ("novita", "generation.start"): {
        **_NOVITA_EXTRA,
        **unset(_REQUEST + "embeddings", _REQUEST + "hires_fix", _REQUEST + "refiner", _REQUEST + "sd_vae"),
    },
    ("novita", "generation.start-from-image"): {
        **_NOVITA_EXTRA,
        **unset(_REQUEST + "controlnet", _REQUEST + "embeddings", _REQUEST + "sd_vae"),
        **unset(_REQUEST + "extra", sent={}),
    },
    ("novita", "model.list"): {
        "query.filter.is_inpainting": Row("False", "false", "JSON's word, as documented; the SDK sends Python's"),
        "query.filter.is_sdxl": Row("False", "false", "JSON's word, as documented; the SDK sends Python's"),
        "query.filter.type": Row("lora", ABSENT, "the documented name is filter.types"),
        "query.filter.types": Row(ABSENT, "lora", "the documented name; the SDK sends filter.type"),
    },
}
"""By vendor and operation, `*` for any, and then by place: `body.…`, `query.…`, `auth`, `content-type`."""
