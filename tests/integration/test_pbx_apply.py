"""`hotline pbx apply` on a running line: what changed comes into force and no call notices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from harness import COUNSELLOR, Actors, Pbx

from callcenter.asterisk.provision.apply import apply, pending
from callcenter.asterisk.provision.flows import site_flows
from callcenter.asterisk.provision.plan import PbxPlan, plan_from
from callcenter.demo.runner import until
from callcenter.demo.sipp import SECOND
from callcenter.domain.users import PhoneKind, User

pytestmark = pytest.mark.asterisk

NEW = User(code="c099", name="周新", roles=COUNSELLOR, phone=PhoneKind.SIP, escalation_rank=3)


@pytest.fixture(scope="module")
def _session_pbx(new_pbx: Callable[..., Pbx]) -> Pbx:
    """A line of our own, since these tests change its files."""
    pbx = new_pbx()
    pbx.start()
    apply(plan_of(pbx), pbx.process)
    return pbx


def plan_of(pbx: Pbx, *more: User) -> PbxPlan:
    flows = site_flows(pbx.settings)
    journal = pbx.process.program.journal
    return plan_from(pbx.settings, pbx.keys, (*pbx.users, *more), flows=flows, journal=journal)


def test_a_new_counsellor_comes_and_goes_while_a_call_is_up(pbx: Pbx, actors: Actors) -> None:
    actors.phone("c001")
    pbx.on_duty("c001")
    caller = actors.caller(talk=8 * SECOND)
    until(lambda: "PJSIP/c001" in pbx.console("core show channels"), what="the talk")
    done = apply(plan_of(pbx, NEW), pbx.process)
    assert done.running
    assert done.changed == {"pjsip.conf", "extensions.conf"}
    assert done.restart == frozenset()
    assert "c099/c099" in pbx.console("pjsip show endpoint c099")
    assert "c099" in pbx.console("dialplan show hotline-escalate")
    assert apply(plan_of(pbx), pbx.process).changed == {"pjsip.conf", "extensions.conf"}
    assert "c099" not in pbx.console("pjsip show endpoints")
    assert "c099" not in pbx.console("dialplan show")
    timing = caller.wait()
    assert timing.talk is not None
    assert timing.talk >= 7 * SECOND


def test_the_queue_keeps_its_members_and_takes_its_new_settings(pbx: Pbx) -> None:
    pbx.on_duty("c001", "c004")
    done = apply(replace(plan_of(pbx), queue_strategy="fewestcalls"), pbx.process)
    assert done.changed == {"queues.conf"}
    assert "'fewestcalls'" in pbx.console("queue show hotline")
    assert len(pbx.members()) == 2
    apply(plan_of(pbx), pbx.process)


def test_applying_again_changes_nothing(pbx: Pbx) -> None:
    assert pending(plan_of(pbx)) == frozenset()
    assert apply(plan_of(pbx), pbx.process).changed == frozenset()


def test_a_new_address_is_said_to_need_a_restart(pbx: Pbx) -> None:
    plan = replace(plan_of(pbx), ami_port=plan_of(pbx).ami_port + 1)
    assert pending(plan) == {"manager.conf"}
    assert apply(plan, pbx.process).restart == {"manager.conf"}
    apply(plan_of(pbx), pbx.process)


def test_globals_follow_too(pbx: Pbx) -> None:
    apply(replace(plan_of(pbx), salt="A" * 32), pbx.process)
    assert f"HOTLINE_SALT={'A' * 32}" in pbx.console("dialplan show globals")
    apply(plan_of(pbx), pbx.process)
    assert "AAAA" not in pbx.console("dialplan show globals")
