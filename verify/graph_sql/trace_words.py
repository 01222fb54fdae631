"""What words the verifier `trace` takes as a direction, an operator, an aggregate, a refusal; in English and Chinese.

May be imported by `trace` only; imports nothing of ours.
Design reason: everything that depends on a natural language is data in one place, so that a wording that is refused
unjustly is mended by a word here and never by a rule.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

_I = re.IGNORECASE

DIRECTED = re.compile(
    r"<-|->|→|←|\bfrom\b.*?\bto\b|\bout of\b|\binto\b|\b(?:out|in)(?:going|coming|bound)\b|\bsources?\b"
    r"|\bdestinations?\b"
    r"|\barrow\w*|\bdirection\b|\bforwards?\b|\bbackwards?\b|\bpoint(?:s|ing)\b|\bstarts?\b|\bends?\b"
    r"|\bleaves?\b|\bleaving\b"
    r"|\barriv\w+|\breaches\b|\bsend\w*|\breceiv\w+|\bgoes\b|\bruns?\b|从.*?[到向]|由.*?[到向指]|指向|箭头"
    r"|方向|起点|终点|出发|到达"
    r"|流向|源|目标|目的|往|朝|正向|反向|入边|出边|顺着|逆着",
    _I,
)
"""A direction is spoken of."""

ANY_WAY = re.compile(
    r"\beither (?:direction|way|side|end)\b|\bany direction\b|\bboth (?:directions|ways)\b|\bundirected\b"
    r"|\bwhichever\b"
    r"|\bno (?:arrow\w*|direction)\b|\bwithout (?:an? |any )?(?:arrow\w*|direction)\b"
    r"|\bregardless of (?:the )?direction\b"
    r"|\bdirection (?:is open|does(?:n't| not) matter)|\bwhich way\b|\bdashes\b|\barrow\w* (?:stay|out"
    r"|away)|\bno matter who\b"
    r"|\bforwards or backwards\b|\bother way round\b|不[论管分限]\S{0,8}方向|方向(?:不[论限]|无所谓|任意)"
    r"|任[意一]方向|双向|无方向|无向|两个方向"
    r"|正反|正着|正读|不[带写要]箭头|(?:去掉|省去)箭头|短横|无所谓|哪一?[边个端]",
    _I,
)
"""It is said that the direction is open."""

REJECTS = re.compile(
    r"\b(?:wrong\w*|incorrect|invalid|mistake\w*|tempt\w*|nearly|almost|at first|initially|originally|swapped|useless"
    r"|first (?:idea|thought|draft|instinct|impulse|version)|instinct|unnecessary|needless|invert\w*"
    r"|only used|no longer"
    r"|neither|nor|cannot|can't|couldn't|won't|wouldn't|mustn't|shouldn't|don't|doesn't|didn't|needn't|never|unlike"
    r"|(?:would|could|might) (?:be|lose|mean|give|make|return|match|find|read|turn|have|need|also|say|get"
    r"|run|reach|count|let|only)"
    r"|(?:do|does|did|must|need|should|can|could|may|will|would) not|no need|not (?:needed|necessary|right"
    r"|correct|enough"
    r"|asked|wanted|what|part|as|yet|in the (?:schema|question|graph)|read|used|selected|output)|am not"
    r"|fails?|reject\w*"
    r"|and not|but not|drop(?:ped)? (?:it|this|that)|there is no|has no|have no|belongs? to another|turned round)\b"
    r"|(?:instead of|rather than|and not|not|without|avoid\w*)(?: (?:writing|using|the|an?|label|condition"
    r"|arrow|pattern|putting))* ?\x01"
    r"|不(?:需要?|用|必|对|行|能|该|应|可以|写|加|要|想|选|输出|合|成立|存在|符|满足题)|没(?:有?必要|人"
    r"|有要)|无需|别用|并非|而不是|而非|错|差点|起初|一开始|本来|原本"
    r"|颠倒|反了|反过来|会不会|能不能|免得|多余|如果写|要是写|若写|写成\s*\x01\s*就|(?:不是|并没有"
    r"|没有)\s*\x01|会(?:漏|丢|变|把|成)",
    _I,
)
"""What stands in such a clause is no claim. `\\x01` stands for a piece of code."""

DOUBTS = re.compile(rf"{REJECTS.pattern}|\b(?:no|not|without|nothing)\b|不|没|未", _I)
"""The same for whole clauses of SQL, of which a sentence says in many ways that they are left out."""

NEXT_REJECTS = re.compile(
    r"\s*(?:wait|hmm|no[,.:!—-]|not quite|that (?:is|was|would|'s) (?:not|wrong|the wrong|backwards?"
    r"|revers\w+|swap\w*)|that's (?:wrong|not)"
    r"|that would|actually|but (?:no|that|this|then|wait)|oops|scratch that|on second thought"
    r"|不对|不行|不能|不会|不是|等等|等一下|那样|这样不|这样就错|但(?:这样|那样|是这样|这会|那会)|可(?:这样|那样|是那样)"
    r"|错了|不，|哦不|再一想)",
    _I,
)
"""A sentence that begins so takes the one before it back."""

EXAMPLE = re.compile(
    r"\b(?:for example|for instance|e\.g\.|say|suppose|imagine|if)\b|例如|比如|假设|假如|譬如|如果", _I
)
"""Numbers and names in such a sentence are made up."""

OUTPUT = re.compile(
    r"\bCOLUMNS\b|\b(?:out(?:put|puts)|return(?:s|ed)?|hand out|pass(?:ed)? on|expose[sd]?|project\w*"
    r"|leaves the graph"
    r"|to the outside|report(?:s|ed)?)\b|输出|带出|取出|传出|交出|交给外层|返回",
    _I,
)
"""The clause says what comes out."""

NO_FILTER = re.compile(
    r"\bno (?:filter|condition|restriction)s? (?:at all|(?:is |are )?(?:needed|necessary|required)"
    r"|to (?:apply|place))|\bnothing to filter\b"
    r"|\bunfiltered\b|\bwithout (?:any )?filter|不(?:用|需要?|必)(?:任何|加任何|加)?(?:筛选|过滤)|(?:没有"
    r"|无需|不加)(?:任何|额外的?)?(?:筛选|过滤|限制|筛选条件|过滤条件)",
    _I,
)
"""It is claimed that nothing is filtered."""

_OVER = (
    r"more than|greater than|above|over|exceed\w*|larger than|bigger than|higher than|later than|after"
    r"|beyond|longer than|upwards of|strictly (?:more|greater)|大于|超过|高于|多于|晚于|之后|以后|长于"
    r"|超出"
)
_FROM = (
    r"at least|no(?:t)? (?:less|fewer|lower|smaller|earlier|under|below) than|not (?:below|under|before)"
    r"|minimum(?: of)?|greater than or equal to|or (?:more|above|higher|greater|later|larger|longer)|from"
    r"|since|starting|reach\w*|≥|不少于|不低于|不小于|至少|大于等于|大于或等于|大于或者等于|[及或]?以上"
    r"|不早于|达到|起"
)
_UNDER = (
    r"less than|fewer than|below|under|smaller than|lower than|earlier than|before|shorter than|小于|低于"
    r"|少于|不足|不到|早于|之前|以前|短于"
)
_UPTO = (
    r"at most|no(?:t)? (?:more|greater|larger|higher|longer|later|above|over) than|not (?:above|over"
    r"|exceed\w*|after)|maximum(?: of)?|less than or equal to|or (?:less|below|under|fewer|lower|earlier"
    r"|smaller|shorter)|up to|within|不超过|至多|最多|不大于|不高于|小于等于|小于或等于|小于或者等于"
    r"|[及或]?以下|不多于|不晚于|以内"
)
_OTHER = (
    r"not|other than|differ\w*|except|isn't|aren't|apart from|exclud\w+|unequal|anything but|≠|不是|不为"
    r"|不等|不同|除|以外|不在|非|不"
)
_LIKE = (
    r"contain\w*|start\w*|begin\w*|end\w*|like|pattern|somewhere|includ\w+|anywhere|包含|含有|含|开头|结尾"
    r"|起头|打头|带有|带|以"
)
_NULL = (
    r"null|missing|empty|unknown|absent|no (?:value|entry)|without|blank|not (?:filled|recorded|set|known"
    r"|stored)|unset|空|缺|没有|未|未知|不为空"
)
OPERATORS = {
    ">": re.compile(_OVER, _I),
    ">=": re.compile(f"{_FROM}|{_OVER}", _I),
    "<": re.compile(_UNDER, _I),
    "<=": re.compile(f"{_UPTO}|{_UNDER}", _I),
    "<>": re.compile(_OTHER, _I),
    "LIKE": re.compile(_LIKE, _I),
    "NULL": re.compile(_NULL, _I),
    "BETWEEN": re.compile(rf"between|\bto\b|through|range|{_FROM}|{_UPTO}|在|到|至|之间|介于", _I),
    "IN": re.compile(r"\bin\b|one of|either|among|any of|\bor\b|之一|或|其中|属于|、", _I),
}
"""Which words say an operator, anywhere in the thinking."""

_EXACT = {">=": _FROM, "<=": _UPTO, ">": _OVER, "<": _UNDER}
BEFORE_VALUE = {
    sign: re.compile(rf"(?:{words})\s*(?:the\s+)?(?:DATE\s*)?[`'\"“]?\s*$", _I) for sign, words in _EXACT.items()
}
"""The same words directly before a value; asked in this order, so that `no less than` is not read as `less than`."""

AGGREGATES = {
    "COUNT": re.compile(
        r"\bcount\w*|\bnumber of\b|\bhow (?:many|often)\b|数量|个数|多少|计数|几[个次条笔]|总数|数目|次数", _I
    ),
    "SUM": re.compile(r"\bsum\w*|\btotals?\b|\badd\w*|\baltogether\b|合计|总和|总计|之和|求和|总|累计|加起来", _I),
    "AVG": re.compile(r"\bavg\b|\baverages?\b|\bmean\b|平均|均值", _I),
    "MIN": re.compile(r"\bmin\b|\bminimum\b|\b\w{2,}est\b|\bfirst\b|\bleast\b|最|min", _I),
    "MAX": re.compile(r"\bmax\b|\bmaximum\b|\b\w{2,}est\b|\blast\b|\bmost\b|最|max", _I),
    "LISTAGG": re.compile(r"\blistagg\b|\blist\w*|\bconcatenat\w*|\bjoin\w*|\bstring\w*|拼接|连接|串|列", _I),
}
"""Which words say an aggregate."""

CLAUSES = {
    "DISTINCT": re.compile(r"\bDISTINCT\b"),
    "GROUP BY": re.compile(r"\bGROUP BY\b"),
    "HAVING": re.compile(r"\bHAVING\b"),
    "ORDER BY": re.compile(r"\bORDER BY\b"),
    "UNION": re.compile(r"\bUNION\b"),
    "LEFT JOIN": re.compile(r"\bLEFT (?:OUTER )?JOIN\b"),
    "FETCH FIRST": re.compile(r"\bFETCH FIRST\b"),
}
"""Clauses that are claimed when they are named in capitals."""

_NAMES = """
    select distinct from where match columns graph_table as and or not is null in like between exists group by
    order having union all intersect except minus join inner left right full outer cross on with fetch first
    next rows row
    only ties offset limit asc desc nulls last case when then else end cast date timestamp interval extract year month
    day hour minute second count sum avg min max listagg wm_concat stddev variance coalesce nvl nullif upper lower abs
    round mod trunc ceil floor sqrt power length substr instr replace trim concat to_char to_date to_number one per
    step vertex edge vertex_id edge_id vertex_equal edge_equal property_exists binding_count element_number matchnum
    element_id graph labeled label source destination of over partition row_number rank dense_rank true false any
    shortest path walk trail acyclic simple properties property create table tables key references sysdate
    current_date dual greatest least sign ln exp element matched return oracle"""
SQL_WORDS = frozenset(_NAMES.split())
"""Names that belong to the language, in lower case."""

_COUNTED = "zero one two three four five six seven eight nine ten eleven twelve"
SMALL = _COUNTED.split()
"""Words of the numbers from 0 on."""
_HAN = {"零": 0, "一": 1, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10}
_ORDINALS = {"single": 1, "once": 1, "twice": 2, "first": 1, "second": 2, "third": 3, "itself": 0, "none": 0, "no": 0}
_TIMES = {
    "k": 1000,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
    "千": 1000,
    "万": 10**4,
    "亿": 10**8,
    "%": "0.01",
}
_TIMES |= {"percent": "0.01"}
_NUMBER = re.compile(
    r"(?<![\w.])-?(\d{1,3}(?:[, ]\d{3})+|\d+)(\.\d+)?(?:\s*(k|thousand|million|billion|千|万|亿|%"
    r"|percent)(?![a-z]))?",
    _I,
)
_GLUED = re.compile(r"(?<=[\u4e00-\u9fff])(\d+)(\.\d+)?(?=[\u4e00-\u9fff,.，。）)\s]|$)")


def numbers_in(text: str) -> Iterator[tuple[int, Decimal]]:
    """Every number written in digits with its place, thousands separators and multipliers read."""
    for match in _NUMBER.finditer(text):
        value = Decimal(re.sub(r"[, ]", "", match[1]) + (match[2] or ""))
        yield match.start(1), value
        if match[3]:
            yield match.start(1), value * Decimal(str(_TIMES[match[3].lower()]))
    for match in _GLUED.finditer(text):
        yield match.start(1), Decimal(match[1] + (match[2] or ""))


def worded_numbers(text: str) -> set[Decimal]:
    """Small numbers that are written as words."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    found = {Decimal(value) for value, word in enumerate(SMALL) if word in words}
    found |= {Decimal(value) for word, value in _ORDINALS.items() if word in words}
    return found | {Decimal(value) for sign, value in _HAN.items() if sign in text}


LEAKS = re.compile(r"(?:给定|给出|提供|所给|已有|现成)的?(?:查询|语句)|\b(?:given|provided) (?:query|sql)\b", _I)
"""Hints at a known query that only matter where a query is what is asked for."""

AGAIN = re.compile(
    r"\b(?:another|again|second|further|next|then|both|twice|each|also|back|returns?|one more|in a row)\b"
    r"|再|又|第二|另|也|两|各|然后|接着",
    _I,
)
"""Says that there is more than one step of a kind."""
