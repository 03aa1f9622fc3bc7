"""Plan -> the text of every file. Pure: the same plan gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import jinja2

from callcenter.asterisk.provision.guard import check_values, compiled, safe
from callcenter.asterisk.provision.plan import PbxPlan
from callcenter.asterisk.tree import DSV_MODULE
from callcenter.errors import ConfigError

TEMPLATES = Path(__file__).with_name("templates")

#: Writes the journal as quoted dsv; an Asterisk without it has the legacy mapping instead.
DSV = DSV_MODULE.removesuffix(".so")
#: Writes a talk to a file: loaded only where the site records at all (R15).
TAPE = "app_mixmonitor"
#: Loaded besides the required ones; each is used by a context of ours, or another of them needs it.
MODULES = (
    # timing, sound files and the two codecs Chinese trunks and our prompts use
    *("res_timing_timerfd", "format_wav", "format_pcm", "codec_alaw"),
    # the journal, and orders that run on time by themselves
    *(DSV, "cel_custom", "pbx_spool"),
    # queue, dialling and speaking
    *(
        "app_queue",
        "res_musiconhold",
        "app_dial",
        "app_playback",
        "app_controlplayback",
        "app_originate",
        "app_chanspy",
        "app_waitforcond",
        "app_playtones",
        "app_read",
        "app_record",
        "app_stack",
        "chan_bridge_media",
    ),
    *("bridge_simple", "bridge_native_rtp", "bridge_holding", "bridge_builtin_features"),
    # functions of our contexts
    *("app_celgenuserevent", "app_exec", "func_callerid", "func_channel", "func_cut", "func_db"),
    *(
        "func_devstate",
        "func_dialplan",
        "func_hangupcause",
        "func_logic",
        "func_math",
        "func_module",
        "func_sha1",
        "func_strings",
        "func_timeout",
        "func_global",
        "func_groupcount",
    ),
    # SIP
    *("res_sorcery_config", "res_sorcery_memory", "res_sorcery_astdb", "res_pjproject", "res_pjsip"),
    *("res_geolocation", "res_statsd", "res_pjsip_pubsub"),
    *("res_pjsip_session", "res_rtp_asterisk", "res_pjsip_sdp_rtp", "res_pjsip_caller_id"),
    *("res_pjsip_endpoint_identifier_ip", "res_pjsip_endpoint_identifier_user"),
    *("res_pjsip_authenticator_digest", "res_pjsip_registrar", "res_pjsip_nat", "res_pjsip_rfc3326"),
    # a counsellor's phone hands a caller to a flow (REFER)
    *("res_pjsip_refer",),
)


def render(plan: PbxPlan) -> dict[str, str]:
    """Return file name -> text; raise `ConfigError` naming the field that does not fit a line."""
    check_values(plan)
    environment = _environment()
    return {
        name.removesuffix(".j2"): environment.get_template(name).render(plan=plan, modules=modules_of(plan))
        # a folder holds parts of a file, not files
        for name in sorted(
            environment.list_templates(filter_func=lambda name: name.endswith(".j2") and "/" not in name)
        )
    }


def modules_of(plan: PbxPlan) -> tuple[str, ...]:
    """Return what is loaded besides the required modules."""
    always = tuple(name for name in MODULES if plan.journal == "dsv" or name != DSV)
    return (*always, TAPE) if plan.recording else always


class _Checked(str):
    """Text that passed a guard of its own and may hold whole lines."""

    __slots__ = ()


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - not HTML: `finalize` refuses whatever could break a line
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["compiled"] = lambda flow: _Checked(compiled(flow))
    return environment


def _finalize(value: object) -> object:
    """Guard every expression of every template, also one that no field check knows of."""
    if isinstance(value, jinja2.Undefined | _Checked):
        return value
    if not isinstance(value, str | int | Path):
        raise ConfigError(f"a template prints a {type(value).__name__}; it may print text and whole numbers.")
    return safe(value, "a value in a template")
