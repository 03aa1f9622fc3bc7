"""What is wrong with a configuration, in the words of whoever has to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

#: What pydantic finds wrong, in the words of whoever has to mend it. `{...}` is filled from the finding.
_FAULTS = {
    "extra_forbidden": "没有这一项,请删去或改正拼写",
    "missing": "必须写",
    "value_error": "{error}",
    "string_type": "应为文字(加引号)",
    "string_pattern_mismatch": "格式不对,应符合 {pattern}",
    "string_too_short": "太短,至少 {min_length} 个字符",
    "string_too_long": "太长,至多 {max_length} 个字符",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "float_type": "应为数字",
    "float_parsing": "应为数字",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "greater_than_equal": "不能小于 {ge}",
    "greater_than": "应大于 {gt}",
    "less_than_equal": "不能大于 {le}",
    "less_than": "应小于 {lt}",
    "literal_error": "应为 {expected} 之一",
    "enum": "应为 {expected} 之一",
    "list_type": "应为列表",
    "tuple_type": "应为列表",
    "dict_type": "应为一节(键和值)",
    "model_type": "应为一节(键和值)",
    "model_attributes_type": "应为一节(键和值)",
    "too_short": "太少,至少 {min_length} 项",
    "too_long": "太多,至多 {max_length} 项",
    "time_delta_type": "应为时长(秒)",
    "time_delta_parsing": "应为时长(秒)",
    "time_type": '应为钟点,如 "08:30:00"',
    "time_parsing": '应为钟点,如 "08:30:00"',
    "date_type": '应为日期,如 "2026-11-23"',
    "date_parsing": '应为日期,如 "2026-11-23"',
    "date_from_datetime_parsing": '应为日期,如 "2026-11-23"',
}


class _Filling(dict[str, Any]):
    """What a finding says of itself; what it leaves out is left out."""

    def __missing__(self, key: str) -> str:
        return ""


def faults_of(file: Path, error: ValidationError) -> str:
    """Return a line for each wrong key: the file, the key and the mend."""
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        fault = _FAULTS.get(problem["type"])
        said = problem["msg"] if fault is None else fault.format_map(_Filling(problem.get("ctx", {})))
        lines.append(f"{file}:{key}:{said}")
    return "\n".join(lines)
