"""Rendering: the same plan gives the same bytes, and nothing hostile reaches a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.asterisk.provision.flows import site_flows, site_queue_keys
from callcenter.asterisk.provision.guard import FORBIDDEN, compiled
from callcenter.asterisk.provision.plan import (
    QUEUE_KEYS,
    MobileAgent,
    PbxPlan,
    SipAgent,
    dial_strings,
    plan_from,
)
from callcenter.asterisk.provision.render import MODULES, render
from callcenter.config import Outbound, Settings, Site, Transfers, Trunk
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import ConfigError
from callcenter.keys import KeyRing

KEYS = KeyRing(master=bytes(range(32)))
COUNSELLOR = frozenset({Role.COUNSELLOR})
USERS = (
    User(code="c001", name="沈先生", roles=COUNSELLOR, phone=PhoneKind.SIP),
    User(code="c002", name="王芳", roles=COUNSELLOR, phone=PhoneKind.SIP, escalation_rank=2),
    User(code="c021", name="李娜", roles=COUNSELLOR, phone=PhoneKind.MOBILE, mobile="+8613800138021"),
    User(
        code="s001",
        name="陈静",
        roles=frozenset({Role.SUPERVISOR}),
        phone=PhoneKind.MOBILE,
        mobile="13800138099",
        escalation_rank=1,
        alarm_rank=1,
    ),
    User(code="c009", name="离职", roles=COUNSELLOR, phone=PhoneKind.SIP, active=False, escalation_rank=3),
    User(code="a001", name="文员", roles=frozenset({Role.CLERK})),
)
SETTINGS = Settings(home=Path("/srv/hotline"))
FLOWS = site_flows(SETTINGS)
PLAN = plan_from(SETTINGS, KEYS, USERS, flows=FLOWS, journal="dsv")
FILES = render(PLAN)
#: What reaches people: a supervisor, and each colleague.
PEOPLE = {
    "*30": "hotline-handed,lead,1",
    "*32001": "hotline-handed,c001,1",
    "*32002": "hotline-handed,c002,1",
    "*32021": "hotline-handed,c021,1",
    "*37001": "hotline-handed,s001,1",
}

#: Fields that a person or a file outside can fill with text.
TEXTS = [f.name for f in fields(PbxPlan) if isinstance(getattr(PLAN, f.name), str)]
hostile = st.builds(
    lambda before, bad, after: before + bad + after,
    st.text(max_size=8),
    st.sampled_from(sorted(FORBIDDEN)),
    st.text(max_size=8),
)


def test_who_has_a_phone_is_an_agent_and_chains_follow_the_ranks() -> None:
    assert [a.code for a in PLAN.agents] == ["c001", "c002", "c021", "s001"]
    assert [a.code for a in PLAN.escalation] == ["s001", "c002"]
    assert [a.code for a in PLAN.alarm_chain] == ["s001"]
    assert PLAN.mobiles[0].dial == "PJSIP/13800138021@trunk"
    assert PLAN.mobiles[0].interface == "Local/c021@hotline-mobile/n"


def test_the_same_plan_gives_the_same_bytes() -> None:
    assert render(plan_from(SETTINGS, KEYS, USERS[::-1], flows=FLOWS, journal="dsv")) == FILES


def test_a_plan_shows_neither_secrets_nor_numbers() -> None:
    shown = repr(PLAN)
    assert PLAN.salt not in shown
    assert "13800138021" not in shown
    assert KEYS.password("sip:c001") not in shown


def test_the_trunk_may_not_share_the_phones_address() -> None:
    settings = SETTINGS.model_copy(update={"trunk": Trunk(host="127.0.0.1")})
    with pytest.raises(ConfigError, match=r"trunk\.host"):
        plan_from(settings, KEYS, USERS, flows=FLOWS, journal="dsv")


def test_journal_names_its_events_and_none_holds_a_digit() -> None:
    events = re.search(r"^events = (.*)$", FILES["cel.conf"], re.MULTILINE)
    assert events is not None
    assert "DTMF" not in events[1]
    assert "ALL" not in events[1].split(",")
    assert "USER_DEFINED" in events[1].split(",")


def test_the_bridge_has_no_right_that_means_a_shell() -> None:
    rights = re.findall(r"^(?:read|write) = (.*)$", FILES["manager.conf"], re.MULTILINE)
    granted = {right for line in rights for right in line.split(",")}
    assert not granted & {"system", "command", "config", "dialplan", "all"} - {"system"}
    assert "system" not in rights[1].split(",")
    assert "webenabled = no" in FILES["manager.conf"]


def test_nothing_is_removed_on_a_line_that_first_asks_whether_to() -> None:
    """Asterisk works out every `${}` of a line before it runs it: the branch not taken removes as well."""
    removing = [line for line in FILES["extensions.conf"].splitlines() if "DB_DELETE(" in line]
    assert len(removing) > 10
    assert [line for line in removing if "ExecIf(" in line or "${IF(" in line] == []


def test_a_call_is_sent_only_to_flows_the_line_has() -> None:
    few = {"inbound": FLOWS["inbound"]}
    text = render(plan_from(SETTINGS, KEYS, USERS, flows=few, journal="dsv"))["extensions.conf"]
    for name in ("return_call", "silent"):
        assert f"flow-{name}" in FILES["extensions.conf"]
        assert f"flow-{name}" not in text
    assert "Goto(flow-inbound,s,1)" in text


def dialled(files: dict[str, str], context: str) -> dict[str, str]:
    """Return whereto each code of a context leads."""
    text = files["extensions.conf"].partition(f"[{context}]\n")[2].partition("\n[")[0]
    return dict(re.findall(r"^exten => (\*\d+),1,Goto\(([^)]*)\)", text, re.MULTILINE))


def test_a_counsellor_hands_callers_to_the_flows_of_the_line_and_to_no_other() -> None:
    assert dialled(FILES, "hotline-transfer") == {
        "*21": "flow-silent,s,1",
        "*22": "flow-phq9,s,1",
        "*23": "flow-gad7,s,1",
        "*24": "flow-wellbeing,s,1",
        "*25": "flow-talks,s,1",
        **PEOPLE,
    }
    assert "include => hotline-transfer" in FILES["extensions.conf"]
    few = {name: FLOWS[name] for name in ("inbound", "gad7")}
    files = render(plan_from(SETTINGS, KEYS, USERS, flows=few, journal="dsv"))
    assert dialled(files, "hotline-transfer") == {"*23": "flow-gad7,s,1", **PEOPLE}


def test_colleagues_are_dialled_as_the_keypad_spells_them_and_never_by_a_spelling_of_two() -> None:
    users = (*USERS, User(code="a002", name="周静", roles=COUNSELLOR, phone=PhoneKind.SIP))
    files = render(plan_from(SETTINGS, KEYS, users, flows=FLOWS, journal="dsv"))
    assert {"*32001", "*32021", "*37001"} <= dialled(files, "hotline-transfer").keys()
    assert "*32002" not in dialled(files, "hotline-transfer")


def test_a_second_carrier_and_a_second_number_are_tried_in_turn() -> None:
    settings = Settings(
        home=SETTINGS.home,
        trunk=Trunk(fallback_host="127.0.0.3"),
        transfers=Transfers(mental_health_next=("051012356",)),
    )
    files = render(plan_from(settings, KEYS, USERS, flows=FLOWS, journal="dsv"))
    assert "contact = sip:127.0.0.3:5060" in files["pjsip.conf"]
    tried = re.findall(r"Gosub\(hotline-out,s,1\(([0-9]+),30,i\)\)", files["extensions.conf"])
    assert tried == ["110", "120", "12356", "051012356"]
    assert dial_strings(settings)["12356"] == "Local/12356@hotline-destination"
    assert "trunk2" not in FILES["pjsip.conf"] + FILES["extensions.conf"]


def test_each_of_our_numbers_has_its_own_way_out_and_a_call_to_it_is_a_ring_back() -> None:
    settings = Settings(
        home=SETTINGS.home,
        trunk=Trunk(fallback_host="127.0.0.3"),
        outbound=Outbound(numbers=("051085000977", "051085000988")),
    )
    files = render(plan_from(settings, KEYS, USERS, flows=FLOWS, journal="dsv"))
    shown = re.findall(
        r"^\[(trunk\w*)\]\ntype = endpoint\n(?:.+\n)+?from_user = (\d+)", files["pjsip.conf"], re.M
    )
    ours = (settings.site.outbound_number, *settings.outbound.numbers)
    assert dict(shown) == {
        f"{carrier}{way}": number
        for carrier in ("trunk", "trunk2")
        for way, number in zip(("", "n2", "n3"), ours, strict=True)
    }
    back = re.findall(r'HOTLINE_DIALLED:-\d+}" = "(\d+)"\]\?flow-return_call,s,1', files["extensions.conf"])
    assert back == [number.removeprefix("0") for number in ours]


@pytest.mark.parametrize("number", ["4000850966", "51085000966"])
def test_a_further_number_of_ours_stands_once(number: str) -> None:
    settings = Settings(home=SETTINGS.home, outbound=Outbound(numbers=(number,)))
    with pytest.raises(ConfigError, match=r"outbound\.numbers"):
        plan_from(settings, KEYS, USERS, flows=FLOWS, journal="dsv")


def test_a_second_carrier_needs_an_address_of_its_own() -> None:
    with pytest.raises(ConfigError, match=r"trunk.fallback_host"):
        plan_from(Settings(trunk=Trunk(fallback_host=Trunk().host)), KEYS, USERS, flows=FLOWS, journal="dsv")


def with_talks(number: str, flows: Mapping[str, str] = FLOWS) -> str:
    """Return the dialplan of a line with this number for talks."""
    settings = Settings(home=SETTINGS.home, site=Site(talks_number=number))
    return render(plan_from(settings, KEYS, USERS, flows=flows, journal="dsv"))["extensions.conf"]


def test_the_number_for_talks_leads_to_their_registration_if_the_line_has_one() -> None:
    assert "HOTLINE_DIALLED:-11}" in with_talks("+8651085000967")
    assert with_talks("+8651085000967").count("?flow-talks,s,1") == 1
    assert "?flow-talks" not in with_talks("")
    assert "flow-talks" not in with_talks("051085000967", {"inbound": FLOWS["inbound"]})


@pytest.mark.parametrize("number", ["4000850966", "+8651085000966", "51085000966", "0966", "966"])
def test_a_number_for_talks_that_another_of_ours_would_be_taken_for_is_refused(number: str) -> None:
    with pytest.raises(ConfigError, match=r"site\.talks_number"):
        with_talks(number)


def test_who_waits_first_is_spoken_to_as_well() -> None:
    assert "\nannounce-to-first-user = yes\n" in FILES["queues.conf"]


def test_the_queue_knows_exactly_the_keys_that_flows_offer() -> None:
    text = render(plan_from(SETTINGS, KEYS, USERS, flows=FLOWS, queue_keys=("4", "#"), journal="dsv"))
    keys = text["extensions.conf"].partition("[hotline-queue-keys]\n")[2].partition("\n[")[0]
    assert re.findall(r"^exten => (.),1,", keys, re.MULTILINE) == ["4", "#"]
    assert "context = hotline-queue-keys" in text["queues.conf"]
    with pytest.raises(ConfigError, match=r"queue_keys\[0\]"):
        render(plan_from(SETTINGS, KEYS, USERS, flows=FLOWS, queue_keys=("_X",), journal="dsv"))


def test_our_own_flows_offer_the_keys_the_queue_knows_by_itself() -> None:
    assert site_queue_keys(SETTINGS) == QUEUE_KEYS


def test_a_command_room_is_dialled_by_the_number_the_site_knows() -> None:
    rooms = Transfers(police="+8651082222110", ambulance="051085888120")
    assert dial_strings(SETTINGS.model_copy(update={"transfers": rooms})) == {
        "12356": "PJSIP/12356@trunk",
        "110": "PJSIP/051082222110@trunk",
        "120": "PJSIP/051085888120@trunk",
    }


def test_nothing_listens_beyond_the_planned_addresses() -> None:
    bound = re.findall(r"^(?:bind|bindaddr|media_address) = (.*)$", "\n".join(FILES.values()), re.MULTILINE)
    assert {address.partition(":")[0] for address in bound} == {"127.0.0.1"}
    assert "type = anonymous" not in FILES["pjsip.conf"]


def test_only_named_modules_load() -> None:
    assert "autoload = no" in FILES["modules.conf"]
    assert len(set(MODULES)) == len(MODULES)
    assert not {
        m for m in MODULES if m in ("app_system", "func_shell", "res_agi", "pbx_lua", "app_mixmonitor")
    }


def test_r15_only_a_site_that_records_has_what_writes_a_talk_to_a_file() -> None:
    recording = render(replace(PLAN, recording=True))
    for files, is_there in ((FILES, False), (recording, True)):
        assert ("load = app_mixmonitor.so" in files["modules.conf"]) == is_there
        assert ("[hotline-record]" in files["extensions.conf"]) == is_there
        assert ("*7,peer" in files["features.conf"]) == is_there
    # Its third argument would be a command for a shell.
    (written,) = re.findall(r"MixMonitor\((.*)\)$", recording["extensions.conf"], re.MULTILINE)[:1]
    assert written.count(",") == 2, written  # one in FILTER, one before the option


def test_a_mobile_member_is_rung_until_its_owner_can_have_pressed_the_key() -> None:
    assert PLAN.member_ring >= PLAN.queue_ring + PLAN.accept
    # A supervisor's mobile that only the chains ring makes no counsellor's phone ring longer.
    without = tuple(u for u in USERS if u.code != "c021")
    plan = plan_from(SETTINGS, KEYS, without, flows=FLOWS, journal="dsv")
    assert plan.mobiles
    assert plan.member_ring == PLAN.queue_ring


@pytest.mark.parametrize("field", TEXTS)
@given(value=hostile)
def test_a_value_that_could_break_a_line_is_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(ConfigError, match=field) as refusal:
        render(replace(PLAN, **{field: value}))
    assert value.strip() not in str(refusal.value) or len(value.strip()) < 2


@given(code=hostile)
def test_a_hostile_code_is_refused_by_its_place(code: str) -> None:
    agents = (*PLAN.agents, SipAgent(code=code, secret=KEYS.password("sip:x")))
    with pytest.raises(ConfigError, match=r"agents\[4\]\.code"):
        render(replace(PLAN, agents=agents))


@given(number=st.text(max_size=20) | st.from_regex(r"[0-9]{3,15}\n?", fullmatch=True))
def test_whatever_stands_as_a_number_adds_no_line(number: str) -> None:
    plan = replace(PLAN, escalation=(MobileAgent(code="c077", number=number),))
    if re.fullmatch(r"[0-9]{3,15}", number, re.ASCII):
        good = replace(PLAN, escalation=(MobileAgent(code="c077", number="13800138077"),))
        assert len(render(plan)["extensions.conf"].split("\n")) == len(
            render(good)["extensions.conf"].split("\n")
        )
        return
    with pytest.raises(ConfigError, match=r"escalation\[0\]\.number"):
        render(plan)


@pytest.mark.parametrize(
    "line",
    [
        "[hotline-phones]",
        "[flow-inbound-2](+)",
        "#include secrets.conf",
        '#exec "curl example.org"',
        "switch => Realtime/x",
        "exten => s,1,NoOp()\0",
    ],
)
def test_a_flow_may_not_reach_past_its_own_context(line: str) -> None:
    text = f"[flow-inbound]\nexten => s,1,Answer()\n{line}\n"
    with pytest.raises(ConfigError, match="flow inbound, line 3"):
        compiled(("inbound", text))


def test_a_flow_must_open_its_own_context() -> None:
    with pytest.raises(ConfigError, match=r"\[flow-inbound\]"):
        compiled(("inbound", "exten => s,1,Answer()\n"))


def test_r11_nothing_ends_a_talk_by_the_clock() -> None:
    text = FILES["extensions.conf"]
    limits = re.findall(r"TIMEOUT\(absolute\)=(\d+)", text)
    assert limits
    assert set(limits) == {"0"}
    # Dial's L(ms) and S(s) would cut a talk; its third argument holds the options.
    options = re.findall(r"\bDial\([^,\n]*,[^,\n]*,([^\n]*)\)$", text, re.MULTILINE)
    assert options
    assert not [one for one in options if re.search(r"[LS]\(", one)]
