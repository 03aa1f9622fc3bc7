"""What a telephone number itself tells of where it is: for those who are sent to somebody in danger."""

from __future__ import annotations

import re

_MOBILE = re.compile(r"1[3-9]\d{9}")
_FIXED = re.compile(r"0\d{9,11}")
_SERVICE = re.compile(r"[48]00\d{7}")

#: Area code -> city. Not all there are: of another one only the code is told.
AREAS = {
    "010": "北京", "020": "广州", "021": "上海", "022": "天津", "023": "重庆", "024": "沈阳", "025": "南京",
    "027": "武汉", "028": "成都", "029": "西安",
    "0510": "无锡", "0511": "镇江", "0512": "苏州", "0513": "南通", "0514": "扬州", "0515": "盐城",
    "0516": "徐州", "0517": "淮安", "0518": "连云港", "0519": "常州", "0523": "泰州", "0527": "宿迁",
    "0570": "衢州", "0571": "杭州", "0572": "湖州", "0573": "嘉兴", "0574": "宁波", "0575": "绍兴",
    "0576": "台州", "0577": "温州", "0578": "丽水", "0579": "金华", "0580": "舟山",
    "0550": "滁州", "0551": "合肥", "0552": "蚌埠", "0553": "芜湖", "0554": "淮南", "0555": "马鞍山",
    "0556": "安庆", "0557": "宿州", "0559": "黄山", "0561": "淮北", "0562": "铜陵", "0563": "宣城",
    "0564": "六安", "0566": "池州",
    "0311": "石家庄", "0351": "太原", "0371": "郑州", "0411": "大连", "0431": "长春", "0451": "哈尔滨",
    "0471": "呼和浩特", "0531": "济南", "0532": "青岛", "0591": "福州", "0592": "厦门", "0731": "长沙",
    "0755": "深圳", "0771": "南宁", "0791": "南昌", "0851": "贵阳", "0871": "昆明", "0891": "拉萨",
    "0898": "海口", "0931": "兰州", "0951": "银川", "0971": "西宁", "0991": "乌鲁木齐",
}  # fmt: skip
#: Codes of three digits begin so; all others have four.
_SHORT = ("010", "02")


def origin_of(number: str) -> str:
    """Return what kind of number it is and where it stands, in words; never a guess at where somebody is."""
    if _MOBILE.fullmatch(number):
        return "手机：人在哪里看不出来，请对方向运营商定位"
    if _SERVICE.fullmatch(number):
        return "400/800 号码：看不出在哪里"
    if not _FIXED.fullmatch(number):
        return "看不出是什么号码"
    code = number[:3] if number.startswith(_SHORT) else number[:4]
    return f"固定电话，区号 {code}（{AREAS.get(code, '城市请对方查')}）"
