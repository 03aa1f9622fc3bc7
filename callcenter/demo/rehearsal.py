"""The rehearsal: a day at the line in a few minutes, on a real Asterisk, in front of your eyes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from callcenter.demo import cast
from callcenter.demo.cast import SECOND
from callcenter.demo.runner import until
from callcenter.demo.screen import Screen, Watcher, show_calls, show_owed
from callcenter.demo.sipp import Answer, Caller, Carrier, Phone, presses
from callcenter.demo.stage import Stage
from callcenter.demo.verify import Played, verify
from scheduler.obligations import Kind

#: PINs of the two counsellors, made up for the rehearsal alone.
PINS = {"c001": "480195", "c002": "730264"}


@dataclass(slots=True)
class Cast:
    """Who is on stage now."""

    carrier: Carrier
    phones: dict[str, Phone] = field(default_factory=dict)


class Rehearsal:
    """Plays the scenes in order and remembers what was played, so that it can be verified."""

    def __init__(self, folder: Path, screen: Screen) -> None:
        self.began = datetime.now(UTC)
        self.stage = Stage(folder, self.began)
        self.screen = screen
        self.played = Played()
        self._cast: Cast | None = None

    def play(self) -> None:
        """Set the stage and play every scene."""
        self._set_up()
        with Watcher(self.stage.app.store, self.screen, self.began):
            self._sign_on()
            self._busy_hour()
            self._self_dial()
            self._alarm()
            self._nobody_on_duty()
            self._voicemail()
            self._check_ins()
        self._hear_the_others()

    def _hear_the_others(self) -> None:
        """Note what phones and carrier saw: at the end, when the BYE of every call has reached them."""
        cast_now = self._on_stage
        self.played.phones = {code: phone.calls() for code, phone in cast_now.phones.items()}
        self.played.mobile = cast_now.carrier.calls(cast.DUTY_MOBILE)
        self.played.voicemail = cast_now.carrier.calls(cast.VOICEMAIL_MOBILE)

    def summary(self) -> bool:
        """Print what came of it and verify it; return whether every figure is right."""
        app = self.stage.app
        with app.store() as work:
            calls = list(work.calls.between(self.began - timedelta(minutes=1), datetime.now(UTC)))
        self.screen.title("小结:来电")
        show_calls(self.screen, calls)
        self.screen.title("小结:还欠着的")
        show_owed(self.screen, app.store, datetime.now(UTC))
        self.screen.title("核对")
        findings = verify(self.stage, self.played, self.began)
        for finding in findings:
            mark = "[green]对[/green]" if finding.right else "[red]错[/red]"
            self.screen.console.print(f"{mark}  {finding.text}", highlight=False)
        return all(finding.right for finding in findings)

    # --- before the curtain ----------------------------------------------------------------

    def _set_up(self) -> None:
        stage = self.stage
        self.screen.title("准备:数据库、电话系统、人员")
        self._step("清理上一次排练", stage.clear)
        stage.write_config()
        self._step("建立密钥和数据库(Alembic)", lambda: stage.hotline("init", "--without-recovery-key"))
        self._step("登记咨询员、值班手机和督导", self._enrol)
        self._step("合成提示音,生成 Asterisk 配置", lambda: stage.hotline("pbx", "apply"))
        self._step("启动 Asterisk", stage.asterisk.start)
        self._step("启动后台服务(hotline serve)", stage.serve)
        self._step("话机和线路上线", self._connect)

    def _step(self, text: str, act: Callable[[], object]) -> None:
        began = monotonic()
        with self.screen.console.status(text):
            act()
        self.screen.line(f"{text}:{monotonic() - began:.1f} 秒")

    def _enrol(self) -> None:
        add = ("user", "add")
        for code, name in (("c001", "李静"), ("c002", "王海")):
            sip = ("--phone", "sip", "--role", "counsellor", "--pin", PINS[code])
            self.stage.hotline(*add, code, "--name", name, *sip)
        mobile = ("--phone", "mobile", "--role", "supervisor", "--mobile")
        self.stage.hotline(
            *add, "d001", "--name", "赵值班", *mobile, cast.DUTY_MOBILE, "--escalation-rank", "1"
        )
        self.stage.hotline(*add, "s001", "--name", "孙督导", *mobile, cast.ALARM_MOBILE, "--alarm-rank", "1")
        zone = self.stage.settings.site.zone
        start = (self.began - timedelta(minutes=5)).astimezone(zone).strftime("%Y-%m-%d %H:%M")
        for code in PINS:
            self.stage.hotline("duty", "add", code, start, "--length", "4h", "--reason", "演练从五分钟前开始")

    def _connect(self) -> None:
        self._cast = Cast(carrier=self.stage.carrier(cast.CARRIER))
        self._cast.phones["c001"] = self.stage.phone("c001", Answer(after=SECOND))
        self._cast.phones["c002"] = self.stage.phone("c002", Answer(after=2 * SECOND, talk=6 * SECOND))

    @property
    def _on_stage(self) -> Cast:
        if self._cast is None:
            raise RuntimeError("the stage is set up first")
        return self._cast

    # --- the scenes ------------------------------------------------------------------------

    def _sign_on(self) -> None:
        self.screen.title("第一幕:咨询员上线")
        self._feature_code("c001", "*11")
        self.stage.hotline("duty", "on", "c002")
        self.stage.until_members("c001", "c002")
        self.screen.line("c001 在话机上拨 *11 签到,c002 用命令签到;两人都在队列里")

    def _feature_code(self, code: str, feature: str) -> None:
        pin = PINS[code]
        keys = presses(" ".join(f"{key}@{3 + place * 0.4:.1f}" for place, key in enumerate(f"{pin}#")))
        self.stage.dial_from_phone(code, dials=feature, keys=keys).wait(30)

    def _busy_hour(self) -> None:
        self.screen.title("第二幕:四位职工打来,两位咨询员")
        talks: dict[str, timedelta | None] = {
            "13800000001": 18 * SECOND,
            "13800000002": 19 * SECOND,
            "13800000003": 27 * SECOND,
            "13800000004": 13.5 * SECOND,
        }
        on_line: dict[str, Caller] = {}
        for number, talk in talks.items():
            on_line[number] = self.stage.caller(number=number, name="职工", talk=talk)
            on_line[number].until_answered()
        for number, caller in on_line.items():
            self.played.callers[number] = caller.wait(90)
        self.played.answered |= {"13800000001", "13800000002", "13800000003"}
        self.played.abandoned.add("13800000004")

    def _self_dial(self) -> None:
        self.screen.title("自拨:从外线拨打自己的号码,证明来电打得进来")
        probe = self.stage.hotline_meanwhile("alarm", "selfdial")
        carrier = self._on_stage.carrier
        until(lambda: carrier.calls(cast.PUBLIC_NUMBER) or probe.poll() is not None, 30, what="自拨的电话")
        if probe.poll() is None:
            self.stage.caller(number=self.stage.settings.site.outbound_number).wait(30)
        said, complaint = probe.communicate(timeout=70)
        self.played.self_dial = probe.returncode == 0
        self.screen.line("打得进来" if self.played.self_dial else f"打不进来:{said}{complaint}")

    def _alarm(self) -> None:
        self.screen.title("告警演练:电话系统呼叫值班督导,按 1 确认")
        self.stage.hotline("alarm", "test")
        until(self._acknowledged, 60, what="督导确认告警")

    def _acknowledged(self) -> bool:
        self.stage.check_serving()
        with self.stage.app.store() as work:
            return any(alarm.acknowledged_by == "s001" for alarm in work.alarms.recent(5))

    def _nobody_on_duty(self) -> None:
        self.screen.title("第三幕:没有咨询员在线,呼叫值班手机,按 1 接听")
        self._feature_code("c001", "*12")
        self.stage.hotline("duty", "off", "c002")
        self.stage.until_members()
        caller = self.stage.caller(number="13800000005", name="职工", talk=28 * SECOND)
        self.played.callers["13800000005"] = caller.wait(90)
        self.played.answered.add("13800000005")

    def _voicemail(self) -> None:
        self.screen.title("第四幕:值班手机关机,语音信箱应答;不算接听")
        self.stage.hotline("user", "set", "d001", "--mobile", cast.VOICEMAIL_MOBILE)
        self.stage.hotline("pbx", "apply")
        caller = self.stage.caller(number="13800000006", name="职工", talk=34 * SECOND)
        self.played.callers["13800000006"] = caller.wait(90)
        self.played.overflowed.add("13800000006")

    def _check_ins(self) -> None:
        self.screen.title("第五幕:导入困难职工名册,调度按应回访逐一拨出")
        register = self.stage.folder / "register.csv"
        register.write_text(cast.REGISTER, encoding="utf-8")
        self.stage.hotline("hardship", "import", str(register), "--dry-run")
        self.stage.hotline("hardship", "import", str(register))
        self.screen.line("名册已导入:4 户")
        until(self._all_tried, 120, what="三位职工都已拨过")
        self.played.checkins = {
            number: self._on_stage.carrier.calls(number)
            for number in (cast.FINE, cast.CALL_BACK, cast.AWAY, cast.NO_CONSENT)
        }

    def _all_tried(self) -> bool:
        """Tell whether each worker who agreed to automated calls was called, and what came is on record."""
        self.stage.check_serving()
        with self.stage.app.store() as work:
            debts = [debt for debt in work.debts.open() if debt.kind is Kind.HARDSHIP]
            promised = any(debt.kind is Kind.CALLBACK for debt in work.debts.open())
            tried = [a for debt in debts for a in work.debts.attempts(debt.id)]
            satisfied = any(work.debts.last_contacts())
        return promised and satisfied and len([a for a in tried if a.result is not None]) >= 2
