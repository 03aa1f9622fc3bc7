"""Every edge of every shipped flow, walked on a real Asterisk by SIPp callers beside the flow's own meaning.

The callers press keys when the journal says that the line listens (`walk_pbx.py`), so no walk depends on
times. What the line writes of a call must be what `ivr.machine` says of the same events.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import short_home, test_settings
from walk_edges import Token, covered, draw_walks, edge_walks, required
from walk_pbx import Players, WalkPbx, compiled
from walks import Act, How, Plan, Walk, event_of, plan_of, quickened

from callcenter.keys import KeyRing
from ivr.acts import EarlyKey, Key
from ivr.loader import SHIPPED, load_flow, shipped

#: What the language can say and no shipped flow does.
EVERY_KIND = load_flow(Path(__file__).with_name("every_kind.yaml"))
FLOWS = {flow.name: quickened(flow) for flow in (*map(shipped, SHIPPED), EVERY_KIND)}
EDGE_WALKS = {name: edge_walks(flow) for name, flow in FLOWS.items()}
RANDOM_WALKS = 60


# --- flows that were tampered with ------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A compiled flow with one wrong edge, and the edge on which it must be found out."""

    flow: str
    #: The extension in which it is wrong.
    place: str
    right: str
    wrong: str
    edge: Token

    def text(self, name: str) -> str:
        """Return the wrong flow's text as a context of its own."""
        before, mark, after = compiled(FLOWS[self.flow]).partition(f"exten => {self.place},1,")
        section, gap, rest = after.partition("\n\n")
        assert section.count(self.right) == 1, f"{self.flow}/{self.place}: no single `{self.right}`"
        text = before + mark + section.replace(self.right, self.wrong) + gap + rest
        return text.replace(f"flow-{self.flow}", f"flow-{name}")

    def walk(self) -> Walk:
        """Return the shortest walk over the edge."""
        walks = [walk for walk in EDGE_WALKS[self.flow] if self.edge in _edges(walk)]
        return min(walks, key=lambda walk: plan_of(walk).cost)


def _edges(walk: Walk) -> set[Token]:
    early = {("early",)} if isinstance(walk.acts[0].event, EarlyKey) else set()
    return covered([walk]) | early


MUTANTS = {
    "a key leads elsewhere": Mutant(
        flow="inbound",
        place="greet",
        right="Goto(requests__which,1)",
        wrong="Goto(microclass__intro,1)",
        edge=("way", "greet", "key 2"),
    ),
    "a key while waiting leads elsewhere": Mutant(
        flow="inbound",
        place="queue",
        right="Goto(line_12356,1)",
        wrong="Goto(callback__has_number,1)",
        edge=("way", "queue", "key 2"),
    ),
    "the longest wait is taken for nobody there": Mutant(
        flow="inbound",
        place="queue",
        right='="TIMEOUT"]?long_wait,1:escalate,1',
        wrong='="TIMEOUT"]?escalate,1:long_wait,1',
        edge=("way", "queue", "on_cap"),
    ),
    "yes and no are changed": Mutant(
        flow="checkin",
        place="risk",
        right="?neutral_hello,1:who,1",
        wrong="?who,1:neutral_hello,1",
        edge=("way", "risk", "yes"),
    ),
    "a hang-up loses its outcome": Mutant(
        flow="checkin",
        place="b",
        right='="how"]',
        wrong='="who"]',
        edge=("hung up", "how", ""),
    ),
    "anybody's month of birth is right": Mutant(
        flow="checkin",
        place="code",
        right="?identified,1:wrong",
        wrong="?identified,1:identified,1",
        edge=("stayed", "code", "m", "no"),
    ),
    "thoughts of death trip nothing": Mutant(
        flow="phq9",
        place="last_item",
        right="${HOTLINE_POINTS}>=1]",
        wrong="${HOTLINE_POINTS}>=9]",
        edge=("way", "last_item", "on_tripwire"),
    ),
    "a point too many is asked for": Mutant(
        flow="gad7",
        place="items",
        right="${HOTLINE_SCORE}>=10]",
        wrong="${HOTLINE_SCORE}>=11]",
        edge=("sum", "items", "10"),
    ),
    "a pause ends at the beginning": Mutant(
        flow="inbound",
        place="microclass__pieces",
        right='| "${HOTLINE_KEY}"="2"]?play',
        wrong='| "${HOTLINE_KEY}"="2"]?piece',
        edge=("stayed", "microclass__pieces", "p", "2"),
    ),
    "a lone 0 reaches nobody": Mutant(
        flow="inbound",
        place="callback__other",
        right='"="x0"]?k0',
        wrong='"="x9"]?k0',
        edge=("way", "callback__other", "key 0"),
    ),
    "a try is lost": Mutant(
        flow="every_kind",
        place="choose",
        right="${HOTLINE_MISSES}<3]",
        wrong="${HOTLINE_MISSES}<2]",
        edge=("way", "choose", "on_silence"),
    ),
    "a promise is not written": Mutant(
        flow="inbound",
        place="callback__noted",
        right="CELGenUserEvent(PROMISE,",
        wrong="NoOp(PROMISE,",
        edge=("way", "callback__noted", "next"),
    ),
    "the wrong set of prompts is spoken": Mutant(
        flow="inbound",
        place="in_dialect",
        right="(language)=zh_wx",
        wrong="(language)=zh_slow",
        edge=("way", "in_dialect", "next"),
    ),
    "a cheek presses a key": Mutant(
        flow="return_call",
        place="s",
        right="Wait(0.7)",
        wrong="Wait(0.1)",
        edge=("early",),
    ),
}
NAMES = {what: f"mutant_{number}" for number, what in enumerate(MUTANTS)}


# --- the line -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def line(_tools: None, keys: KeyRing, request: pytest.FixtureRequest) -> Iterator[WalkPbx]:
    """An Asterisk with all flows and all mutants."""
    texts = {NAMES[what]: mutant.text(NAMES[what]) for what, mutant in MUTANTS.items()}
    settings = test_settings(short_home())
    pbx = WalkPbx(settings=settings, keys=keys, users=(), flows=FLOWS, texts=texts)
    pbx.start()
    yield pbx
    pbx.process.stop()
    if not request.session.testsfailed:
        shutil.rmtree(settings.home)


def unlike(pbx: WalkPbx, folder: Path, plans: list[Plan]) -> list[str]:
    """Play walks and return how each differs from its meaning."""
    heard = Players(pbx, folder / "walks", plans).play()
    return [text for plan, one in zip(plans, heard, strict=True) if (text := one.unlike(plan))]


# --- every edge ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FLOWS)
def test_the_walks_take_every_way_out_of_every_node(name: str) -> None:
    assert required(FLOWS[name]) <= covered(EDGE_WALKS[name])


def test_keys_come_early_and_late_and_in_bursts_and_callers_leave_everywhere() -> None:
    walks = [walk for some in EDGE_WALKS.values() for walk in some]
    manners = [act.how for walk in walks for act in walk.acts if isinstance(act.event, Key)]
    assert min(manners.count(how) for how in How) > 50
    assert sum(isinstance(act.event, EarlyKey) for walk in walks for act in walk.acts) > 20
    left = {token[1] for token in covered(EDGE_WALKS["inbound"]) if token[0] == "hung up"}
    waiting = {moment.node for walk in EDGE_WALKS["inbound"] for moment in plan_of(walk).moments}
    looks = {m.node for walk in walks for m in plan_of(walk).moments if m.kind == "look"}
    assert waiting - looks <= left


def test_asterisk_takes_every_edge_of_every_flow_as_the_machine_means(line: WalkPbx, tmp_path: Path) -> None:
    plans = [plan_of(walk) for walks in EDGE_WALKS.values() for walk in walks]
    edges = sum(len(covered(walks)) for walks in EDGE_WALKS.values())
    rows = sum(len(plan.rows) for plan in plans)
    print(f"{len(plans)} walks, {edges} edges, {rows} rows")  # noqa: T201  the run's figures
    assert unlike(line, tmp_path, plans) == []


def test_asterisk_takes_random_walks_as_the_machine_means(line: WalkPbx, tmp_path: Path) -> None:
    plans = [plan_of(walk) for walk in draw_walks(list(FLOWS.values()), RANDOM_WALKS)]
    assert len(plans) >= RANDOM_WALKS
    assert unlike(line, tmp_path, plans) == []


# --- what no edge shows -------------------------------------------------------------------------------


def walk_of(flow: str, words: str) -> Walk:
    return Walk(flow=FLOWS[flow], acts=tuple(Act(event_of(word)) for word in words.split()))


def test_a_key_that_a_queue_does_not_offer_changes_nothing(line: WalkPbx, tmp_path: Path) -> None:
    walks = [
        # Nothing is offered here, but others offer 1 and 3: the caller leaves the queue and goes back.
        walk_of("gad7", "0 1 3 capped hungup"),
        walk_of("gad7", "0 3 hungup"),
        walk_of("checkin", "no 0 silence 2 1 capped failed hungup"),
        # Nobody offers 7, and `*` and `#` are never offered.
        walk_of("inbound", "no no 0 7 * # capped hungup"),
        walk_of("inbound", "no no 0 5 9 1 no no 0 # answered hungup"),
    ]
    assert unlike(line, tmp_path, [plan_of(walk) for walk in walks]) == []


def test_whoever_asks_again_and_again_is_heard_so_often_and_no_more(line: WalkPbx, tmp_path: Path) -> None:
    walks = [
        walk_of("every_kind", "silence * * * * * * * * answered hungup"),
        walk_of("every_kind", "* * * * * * 9 9 9 silence"),
        walk_of("every_kind", "silence 1 1 * 1 * * * * * # * silence 1 1 1 # hungup"),
    ]
    assert unlike(line, tmp_path, [plan_of(walk) for walk in walks]) == []


def test_a_message_is_kept_by_the_calls_own_name_also_if_the_caller_hangs_up(
    line: WalkPbx, tmp_path: Path
) -> None:
    folder = line.home / "spool" / "messages"
    before = set(folder.glob("*-message.wav"))
    walks = [walk_of("every_kind", f"silence 2 silence {end} hungup") for end in ("#", "silence", "")]
    assert unlike(line, tmp_path, [plan_of(walk) for walk in walks]) == []
    kept = set(folder.glob("*-message.wav")) - before
    calls = {row[8] for row in line.journal() if row[1] == "PROMISE" and "kind=message" in row[11]}
    assert len(kept) == len(walks)
    assert {file.name.removesuffix("-message.wav") for file in kept} <= calls


# --- and a wrong edge is found out --------------------------------------------------------------------


def test_a_wrong_edge_in_the_dialplan_is_found_out(line: WalkPbx, tmp_path: Path) -> None:
    plans = {what: plan_of(mutant.walk()) for what, mutant in MUTANTS.items()}
    players = Players(line, tmp_path / "walks", list(plans.values()), into=[NAMES[what] for what in plans])
    heard = dict(zip(plans, players.play(), strict=True))
    assert [what for what, plan in plans.items() if not heard[what].unlike(plan)] == []
