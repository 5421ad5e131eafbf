"""Words that the comparison of lessons treats in a way of their own: light ones, negators, numbers, phrases.

Plain data, English; `meanings` has synonyms, opposites and units. What is not listed stands for itself.
"""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return text.split()


# Say nothing of their own: articles, pronouns, copulas, causes, conditions, and what every lesson asks for.
LIGHT = frozenset(
    _words(
        """a an the this that these those it its they them their theirs there here he she his her him we us
        our you your yours i me my who whom whose which what is are was were be been being am has have
        had having do does did doing done will would shall should must ought need needs needed required
        require requires of in on at as for with and if when whenever where because since so thus
        therefore hence then else otherwise while whereas also too very really simply quite please
        always such however please into onto to from by via through using use uses used usage make makes
        made get gets got gotten give gives given one ones times time kind way ways thing things case
        cases fact about regarding concerning along together up trying try tries tried called named
        whether how long let lets actually instance example note remember sure per within upon both
        value values means meaning mean refer refers stand stands denote denotes represent represents
        whatsoever ever altogether already still yet now currently somebody someone anybody anyone
        anything something else
        instead"""
    )
) - {"per", "within", "up"}

# Say little: one lesson may have them and the other not.
FAINT = frozenset(
    _words(
        """put place say state store hold record express report go compute calculate derive expect know
        come look follow happen occur apply work treat consider appear become seem result leave remain
        stay carry obtain set mark receive want wish like contain involve provide"""
    )
)

# Say of a name what everybody sees: "the table orders". Left out beside a name.
TYPES = frozenset(
    _words(
        """table column field argument parameter option flag function method endpoint variable attribute
        property key setting tool command keyword header class type file api"""
    )
)

IRREGULAR = dict(
    pair.split("/")
    for pair in _words(
        """sent/send written/write wrote/write kept/keep found/find taken/take took/take paid/pay held/hold
        said/say left/leave built/build bought/buy sold/sell gone/go went/go done/do known/know
        chosen/choose chose/choose shown/show drawn/draw broken/break spent/spend lost/lose won/win
        met/meet told/tell thought/think brought/bring came/come began/begin begun/begin ran/run
        read/read meant/mean understood/understand given/give gave/give forgotten/forget hidden/hide
        drove/drive driven/drive children/child men/man women/woman people/person data/data
        indices/index matrices/matrix criteria/criterion feet/foot worse/bad better/good best/good
        fewer/few lesser/little"""
    )
)

NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        _words("zero - two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen")
    )
    if word not in ("-", "zero")
} | {
    "zero": "0",
    "twenty": "20",
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "ninety": "90",
    "hundred": "100",
    "twice": "2",
    "thrice": "3",
    "dozen": "12",
    "half": "0.5",
    "third": "3rd",
    "fourth": "4th",
    "double": "2",
    "triple": "3",
}

# Names of days and months are facts like codes.
CALENDAR = frozenset(
    _words(
        """monday tuesday wednesday thursday friday saturday sunday january february march april june july
        august september october november december"""
    )
)

NEGATORS = frozenset(
    _words(
        """not no never cannot without none nobody nothing neither nor avoid refrain lack lacks lacking
        unless impossible except"""
    )
)

# Begin what a lesson is about, or when.
CONDITIONS = frozenset(_words("""if when whenever where for whose while during unless in on at"""))

# Begin another clause.
NEW_CLAUSE = frozenset(
    _words("""if when because since unless while so but else otherwise then which who after before""")
)

# Clauses that begin so may stand before or behind what they belong to.
EITHER_WAY = frozenset(("if", "when", "because", "since", "while", "who", "which"))

# What stands behind these may as well stand in front: "questions about hardware".
BENDING_BEFORE = frozenset(_words("""of about for in on with by through from via"""))

# No words that "to" or "from" lead to.
NOT_ARGUMENTS = frozenset(_words("""as which whom that what where"""))

# What stands before these is what a sentence is about.
VERBS = frozenset(_words("""is are was were has have means must holds contains can stands starts"""))

# Negators that are about the next word only.
NEAR = frozenset(_words("""without no lack lacks lacking except"""))

# Written in capitals for emphasis, no codes.
PLAIN_CAPITALS = frozenset(
    _words("""NOT NO NEVER ALWAYS AND OR ONLY MUST DO BEFORE AFTER IF WHEN MIN MAX JOIN""")
)

# Several words that stand for one, before words are told apart. In this order.
_MONTH = "(" + "|".join(sorted(CALENDAR, key=len)) + ")"
PHRASES = (
    (rf"\b{_MONTH} (\d{{1,2}})(?:st|nd|rd|th)?\b(?! ?[%€$])", r"\1_\2"),
    (rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}\b", r"\2_\1"),
    (r"\bcan(?:no|['\u2019])t\b", "cannot"),
    (r"\bwon['\u2019]t\b", "will not"),
    (r"n['\u2019]t\b", " not"),
    (r"\bcannot\b", "not can"),
    (r"\b(?:is|are|was|be) (?:not possible|impossible)\b", "not can"),
    (r"\b(?:is|are|was|be) possible\b", "can"),
    (r"\b(?:is|are|be) (?:not allowed|forbidden|prohibited)\b", "not can"),
    (r"\b(?:is|are|be) (?:allowed|permitted|able) to\b", "can"),
    (r"\b(?:may|might|could)\b", "can"),
    (r"\b(?:no less|no fewer|not less|not fewer) than\b|\bat (?:the )?least\b|\bminimum of\b", "atleast"),
    (r"\b(?:no|not) (?:more|greater|larger) than\b|\bat (?:the )?most\b|\bmaximum of\b", "atmost"),
    (r"\b(?:more|greater|larger|bigger|higher|longer) than\b|\b(?:exceeds?|exceeding|above)\b", "morethan"),
    (r"\bover (?=[$€£]?\d)", "morethan "),
    (r"\b(?:less|fewer|smaller|lower|shorter) than\b|\bbelow\b|\bunder (?=[$€£]?\d)", "lessthan "),
    (r"\bin ?order to\b|\bso as to\b", "to"),
    (r"\bmake sure\b|\bbe sure\b", "check"),
    (r"\blog(?:ging|ged|s)?[ -]?in(?:to)?\b|\bsign(?:ing|ed|s)?[ -]?in\b(?! the)", "login"),
    (r"\b(?:leave|leaves|leaving|left)((?: \w+){0,6}?) out\b(?: of\b)?", r"exclude\1"),
    (r"\b(?:look|looks|looking) up\b|\b(?:find|finds|finding) out\b", "find"),
    (r"\b(?:give|gives|given|gave|come|comes) back\b", "return"),
    (r"\binstead of\b|\brather than\b|\bin place of\b", "insteadof"),
    (r"\bas soon as\b|\bonce\b(?= \w)", "when"),
    (r"\b(?:has|have|had) to\b|\bneeds? to\b|\bis to\b|\bare to\b", "must"),
    (r"\b(?:just|solely|exclusively)\b", "only"),
    (r"\bas well as\b|\balong with\b|\btogether with\b", "and"),
    (r"\bdue to\b|\bbecause of\b|\bowing to\b", "because"),
    (r"\bwhen (?:you |it |everything )?(?:have |has |are |is )?(?:finished|done)\b", "after finish"),
    (r"\bper cent\b", "percent"),
    (r"\b(?:keep|keeps|continue|continues|go on) (?=\w+ing\b)", ""),
    (
        r"\b(?:if|when|where) (?:the (?:question|user|task|client) )?(?:asks?|asked|asking) (?:for|about)\b",
        "for",
    ),
    (r"\border(?:s|ed|ing)? by\b", "sort by"),
    (r"\bin (\w+ending|reverse|alphabetical) order\b", r"\1"),
    (r"\b(?:regardless of|no matter|without regard to|ignoring) (?:the )?case\b", "caseless"),
    (r"\b(?:case[- ]insensitive(?:ly)?)\b", "caseless"),
    (r"\b(?:turn|switch)(?:s|es|ed|ing)? (\w+ )?on\b", r"enable \1"),
    (r"\b(?:turn|switch)(?:s|es|ed|ing)? (\w+ )?off\b", r"disable \1"),
    (r"\bwait(?:s|ing)? (?:until|till)\b", "after"),
    (r"\b(?:only then|then only)\b", "only"),
    (r"\b(?:after|later than) (?=\d+ \w)", "past "),
    (r"\b(?:day|date) on which\b", "day"),
)
