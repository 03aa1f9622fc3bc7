"""What the queue's screen reads and has done: the same services as the plain commands."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from callcenter.bootstrap import App
from callcenter.cli.duty_time import parse_moment
from callcenter.cli.queue_screen.model import Act, Item, Shelf, Verb
from callcenter.cli.queue_words import overdue_for, remark
from callcenter.domain.ledger import Decision
from callcenter.domain.levels import Level
from callcenter.ports import UnitOfWork
from callcenter.service.followup import debt_rows, handled, handling, pausing, waiving
from callcenter.service.followup.case_contacts import unwritten
from callcenter.service.followup.debt_views import DebtView, who_may_dial
from callcenter.service.followup.debts import (
    LineFacts,
    done_by_call,
    done_by_visit,
    line_facts,
    rules_of,
    sweep,
)
from callcenter.service.followup.dispatch import DebtRound
from callcenter.service.followup.mine import mine
from callcenter.service.followup.sweeping import PEEK
from callcenter.words import DECISION_WORDS, KIND_WORDS, LEVEL_WORDS, RESULT_WORDS
from scheduler.ladder import Why
from scheduler.obligations import URGENT_PRIORITY, Attempt, Result

#: Debts read at once; who needs those behind them works from the front.
PAGE = 200
_LATER = re.compile(r"\+([0-9]{1,3})(m|h)")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3])[::]([0-5][0-9])")
_VISIT = re.compile(r"(?:走访|家访|visit)[::\s]*(.+)", re.IGNORECASE)

#: What is heard most comes first.
_OFTEN = (Result.NO_ANSWER, Result.BUSY, Result.DECLINED, Result.REACHED_OTHER, Result.POWERED_OFF)


def _how_often(result: Result) -> tuple[int, str]:
    return (_OFTEN.index(result) if result in _OFTEN else len(_OFTEN)), result.value


#: What may be answered where an act offers choices, in the order in which it is heard most.
CHOICES: Mapping[Verb, tuple[tuple[str, str], ...]] = {
    Verb.OUTCOME: tuple((r.value, RESULT_WORDS[r]) for r in sorted(handling.HEARD, key=_how_often)),
    Verb.DECIDE: tuple((decision.value, DECISION_WORDS[decision]) for decision in Decision),
}


@dataclass(frozen=True, slots=True)
class Desk:
    """One person's queue. Every method is a unit of work of its own, and blocks."""

    app: App
    actor: str

    def items(self, shelf: Shelf) -> tuple[tuple[Item, ...], int]:
        """Return what stands on a shelf, and how many more stand behind it; raise `Forbidden`."""
        every, today = shelf is Shelf.ALL, shelf is Shelf.TODAY
        with self.app.store() as work:
            facts = self._facts(work)
            if shelf is Shelf.MINE:
                return tuple(_item(view, facts.now) for view in mine(work, facts, actor=self.actor)), 0
            found = debt_rows.queue(work, facts, actor=self.actor, all_of_them=every, today=today, limit=PAGE)
            more = debt_rows.queue_behind(
                work, facts, len(found), actor=self.actor, all_of_them=every, today=today
            )
        return tuple(_item(view, facts.now) for view in found), more

    def dialler(self) -> str:
        """Say whether a machine dials now."""
        with self.app.store() as work:
            paused = pausing.standing(work, self.app.clock())
        off = self.app.settings.outbound.paused or paused is not None
        return "自动拨打:停" if off else "自动拨打:开"

    def explain(self, obligation: str) -> tuple[str, ...]:
        """Return a debt's whole chain of reasons and what was done with it; raise `NotFound`."""
        with self.app.store() as work:
            facts = self._facts(work)
            view = debt_rows.one_debt(work, obligation, facts, actor=self.actor)
            chain = debt_rows.why(work, view, facts, actor=self.actor)
            acts = handled.acts_on(work, obligation, actor=self.actor)
        told = (handled.act_words(event, zone=facts.rules.windows.zone) for event in acts)
        head = (f"{KIND_WORDS[view.obligation.kind]}  {view.who}  {view.phone}", remark(view))
        return (*filter(None, head), "", *chain, who_may_dial(view), "", *told)

    def do(self, act: Act) -> str:
        """Have it done; return what to say. Raises what the service raises."""
        return _ACTS[act.verb](self, act.obligation, *act.answers)

    def moment(self, text: str) -> datetime:
        """Read `+2h`, `15:30` (the next) or a date and time; raise `Refused`."""
        now, zone = self.app.clock(), self.app.settings.site.zone
        if found := _LATER.fullmatch(text):
            amount = int(found[1])
            return now + (timedelta(hours=amount) if found[2] == "h" else timedelta(minutes=amount))
        if found := _CLOCK.fullmatch(text):
            wall = now.astimezone(zone)
            then = wall.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
            return then if then > wall else then + timedelta(days=1)
        return parse_moment(text, zone)

    def _facts(self, work: UnitOfWork) -> LineFacts:
        return line_facts(work, self.app.clock(), None, rules_of(self.app.settings))

    def _claim(self, obligation: str) -> str:
        with self.app.store() as work:
            handling.claim(work, obligation, actor=self.actor, now=self.app.clock())
            work.commit()
        return f"{obligation} 由您负责。"

    def _release(self, obligation: str) -> str:
        with self.app.store() as work:
            handling.release(work, obligation, actor=self.actor, now=self.app.clock())
            work.commit()
        return f"{obligation} 已放回。"

    def _assign(self, obligation: str, to: str, reason: str) -> str:
        with self.app.store() as work:
            handling.assign(work, obligation, to, reason=reason, actor=self.actor, now=self.app.clock())
            work.commit()
        return f"{obligation} 已交给 {to}。"

    def _snooze(self, obligation: str, until: str, reason: str) -> str:
        now, hour = self.app.clock(), self.moment(until)
        with self.app.store() as work:
            rules = rules_of(self.app.settings)
            handling.snooze(work, obligation, hour, reason=reason, actor=self.actor, now=now, rules=rules)
            work.commit()
        return f"推迟到 {hour.astimezone(self.app.settings.site.zone):%m-%d %H:%M}，仍然欠着。"

    def _wake(self, obligation: str) -> str:
        with self.app.store() as work:
            handling.wake(work, obligation, actor=self.actor, now=self.app.clock())
            work.commit()
        return f"{obligation} 回到队列。"

    def _escalate(self, obligation: str, reason: str) -> str:
        with self.app.store() as work:
            handling.escalate(work, obligation, reason=reason, actor=self.actor, now=self.app.clock())
            work.commit()
        return f"{obligation} 已上报督导。"

    def _decide(self, obligation: str, what: str, reason: str) -> str:
        with self.app.store() as work:
            handling.decide(work, obligation, what, reason=reason, actor=self.actor, now=self.app.clock())
            work.commit()
        return "决定已记下，这一件仍然欠着。"

    def _outcome(self, obligation: str, result: str, told: str) -> str:
        with self.app.store() as work:
            last = next(reversed(work.debts.attempts(obligation)), None)
            handling.outcome(
                work,
                obligation,
                result,
                call=last.id if last is not None and _waits_for_word(last) else None,
                note=told,
                actor=self.actor,
                now=self.app.clock(),
                rules=rules_of(self.app.settings),
            )
            work.commit()
        return "结果已登记。"

    def _done(self, obligation: str, proof: str) -> str:
        now, visit = self.app.clock(), _VISIT.fullmatch(proof)
        rules = rules_of(self.app.settings)
        with self.app.store() as work:
            if visit:
                found = done_by_visit(
                    work, obligation, visit[1].strip(), actor=self.actor, now=now, rules=rules
                )
            else:
                counts = self.app.settings.hardship.inbound_counts
                found = done_by_call(
                    work, obligation, proof, actor=self.actor, now=now, inbound=counts, rules=rules
                )
            sweep(work, now, rules=rules, pages=PEEK)
            still = unwritten(work, found)
            work.commit()
        return f"{obligation} 已完成。{still or ''}"

    def _waive(self, obligation: str, reason: str, _yes: str) -> str:
        with self.app.store() as work:
            waiver = waiving.ask(
                work,
                obligation,
                reason=reason,
                actor=self.actor,
                now=self.app.clock(),
                rules=rules_of(self.app.settings),
            )
            work.commit()
        if waiver.needs_two:
            return f"已申请，等另一位督导决定：hotline queue waivers --grant {waiver.id}"
        return f"{obligation} 已免除。"

    def _dial(self, obligation: str, _yes: str) -> str:
        attempt = asyncio.run(self._dialled(obligation))
        return f"已拨出 {attempt}。通完话按 o 登记结果，或按 v 登记完成。"

    async def _dialled(self, obligation: str) -> str:
        async with self.app.telephony() as line:
            now = DebtRound.wire(self.app.store, line.calls, line.queue, self.app.settings, self.app.clock)
            return (await now.dial(obligation, actor=self.actor, agent=self.actor)).id


_ACTS: Mapping[Verb, Callable[..., str]] = {
    Verb.CLAIM: Desk._claim,
    Verb.RELEASE: Desk._release,
    Verb.ASSIGN: Desk._assign,
    Verb.SNOOZE: Desk._snooze,
    Verb.WAKE: Desk._wake,
    Verb.ESCALATE: Desk._escalate,
    Verb.DECIDE: Desk._decide,
    Verb.OUTCOME: Desk._outcome,
    Verb.DONE: Desk._done,
    Verb.WAIVE: Desk._waive,
    Verb.DIAL: Desk._dial,
}


def _item(view: DebtView, now: datetime) -> Item:
    zone = view.situation.rules.windows.zone
    return Item(
        id=view.id,
        level="" if view.level is None else LEVEL_WORDS[Level(view.level)],
        kind=KIND_WORDS[view.obligation.kind],
        who=view.who,
        due=view.obligation.due_at.astimezone(zone).strftime("%m-%d %H:%M"),
        overdue=overdue_for(view) or "",
        owner=view.owner or "",
        short=view.short,
        phone=view.phone,
        remark=remark(view) or "",
        sign=_sign(view, now),
    )


def _sign(view: DebtView, now: datetime) -> str:
    if handling.is_snoozed(view.obligation, now):
        return "z"
    if view.step.why in {Why.IN_DOUBT, Why.RESULT_MISSING}:
        return "?"
    urgent = view.is_owed and view.obligation.priority <= URGENT_PRIORITY
    return "!" if urgent or view.is_handed_up else " "


def _waits_for_word(last: Attempt) -> bool:
    """Tell whether a person has still to say what became of the last call, or may say it better."""
    return last.result in {None, Result.UNKNOWN} or last.may_be_heard
