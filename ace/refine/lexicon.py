"""Words whose meaning the comparison of lessons depends on: light ones, synonyms, opposites, units, numbers.

Plain data, English. What is not listed here stands for itself, so a missing entry costs a merge and never
makes a wrong one. Synonyms are few on purpose: "cancel" is not "delete", and "check" is not "approve".
"""

from __future__ import annotations

# Say nothing of their own: articles, pronouns, copulas, causes and conditions, and what every lesson asks for.
LIGHT = frozenset(
    """a an the this that these those it its they them their theirs there here he she his her him we us our you
    your yours i me my who whom whose which what is are was were be been being am has have had having do does did
    doing done will would shall should must ought need needs needed required require requires of in on at as for
    with and if when whenever where because since so thus therefore hence then else otherwise while whereas also
    too very really simply quite please always such however please into onto to from by via
    through using use uses used usage make makes made get gets got gotten give gives given one ones times time
    kind way ways thing things case cases fact about regarding concerning along together up
    trying try tries tried called named whether how long let lets actually
    instance example note remember sure per within upon both value values means meaning mean refer refers
    stand stands denote denotes represent represents whatsoever ever altogether""".split()
) - {"per", "within", "up"}

# Say little: one lesson may have them and the other not.
FAINT = frozenset(
    """put place say state store hold record express report go compute calculate derive expect know come
    look follow happen occur apply work treat consider appear become seem result
    leave keep remain stay""".split()
)

# Say of a name what everybody sees: "the table orders". Left out beside a name.
TYPES = frozenset(
    """table column field argument parameter option flag function method endpoint variable attribute property
    key setting tool command keyword header class type file api""".split()
)

IRREGULAR = dict(
    pair.split("/")
    for pair in """sent/send written/write wrote/write kept/keep found/find taken/take took/take paid/pay
    held/hold said/say left/leave built/build bought/buy sold/sell gone/go went/go done/do known/know
    chosen/choose chose/choose shown/show drawn/draw broken/break spent/spend lost/lose won/win met/meet
    told/tell thought/think brought/bring came/come began/begin begun/begin ran/run read/read meant/mean
    understood/understand given/give gave/give forgotten/forget hidden/hide drove/drive driven/drive
    children/child men/man women/woman people/person data/data indices/index matrices/matrix
    criteria/criterion feet/foot worse/bad better/good best/good fewer/few lesser/little""".split()
)

# The first word of a line stands for all of them.
SYNONYMS = """
check verify ensure validate inspect
find locate lookup discover determine identify figure
return yield
compute calculate derive calculation computation
send forward route go submit direct assign pass transmit belong
show display present
keep retain preserve maintain continue
wait pause
write compose
fetch retrieve obtain load
modify change alter edit update amend
repair fix mend
user person people
customer client
manager supervisor
question request query enquiry inquiry ask
ticket issue
refund reimburse reimbursement repayment
item product article
entire whole full
relative family
phone telephone
email mail
mistake error fault
wrong incorrect
right correct
permission authorisation authorization consent
text string
literal constant
table relation
name label
column attribute
argument parameter
answer reply response respond
document documentation docs manual
sort arrange rank
amount sum
reported stated expressed
store save hold contain
quickly fast promptly soon
again anew retry repeat
large big
combine merge unite
link connect
separate distinct
page sheet
choose select pick
mark flag tag
quit exit
invoice bill
employee staff worker
company firm business
vacation holiday
car vehicle
price cost
payment pay paid
delivery deliver
convert transform translate turn
rule policy
method approach
result outcome
number figure
apology apologise apologize sorry
empty blank
later subsequent subsequently
task job assignment
attempt trial
call invoke
polite courteous courtesy
field property
copy duplicate
list enumerate
available accessible
""".strip()

# Pairs that exclude each other. Each side may have several words.
OPPOSITES = """
ascending asc | descending desc
include | exclude omit ignore skip disregard
first initial | last final
enable activate | disable deactivate
morethan more greater exceed above higher beyond larger | lessthan less fewer below lower smaller
atleast | atmost
min minimum lowest smallest least cheapest | max maximum highest largest most
increase raise grow | decrease reduce shrink
accept approve approval grant | reject deny refuse decline
open | close shut
buyer buy | seller sell
sender | receiver recipient
add insert append | remove delete erase
start begin | end finish stop
allow permit | forbid prohibit ban
mandatory compulsory | optional
public | private
internal | external
input | output
read | write
source origin | target destination
parent | child children
credit | debit
gross | net
asset | liability
profit gain | loss
income earnings | expense expenditure
true | false
inner | outer
new newest latest recent | old oldest earliest
early | late
upper uppercase | lowercase
top | bottom
high | low
long | short
large big | small
many | few
within | past
same identical equal | different
local | remote
import | export
upload | download
push | pull
encode | decode
encrypt | decrypt
valid | invalid
active | inactive
visible | hidden
positive | negative
inside | outside
single | multiple several
singular | plural
manual manually | automatic automatically
domestic | international
inbound incoming | outbound outgoing
arrival arrive | departure depart
billing | shipping
supplier vendor merchant | customer client
lender | borrower
debtor | creditor
payable | receivable
partial partially | full fully whole entire
synchronous synchronously | asynchronous asynchronously
numerator | denominator
horizontal | vertical
weekday | weekend
success succeed successful | failure fail failed
correct right | incorrect wrong
exact exactly | approximate approximately
temporary temporarily | permanent permanently
primary | secondary
create | destroy
connect | disconnect
sensitive | insensitive
static | dynamic
present | absent missing
cheap | expensive
fast quick | slow slowly
strong | weak
hard | soft
up | down
winner win | loser lose
husband | wife
morning | evening
sum total | average
median | mode
adult | minor
online | offline
""".strip()

# Opposites that are so only where both are said: "all orders" is "orders".
SOFT = """
all every each both | any
always | sometimes usually often
""".strip()

# A unit under its first name. The short ones count only right behind a number.
UNITS = """
percent percentage pct %
usd dollar dollars $ us$
eur euro euros €
gbp £
jpy yen ¥
cent cents
millisecond milliseconds msec
second seconds secs
minute minutes mins
hour hours hourly hrs
day days daily
week weeks weekly
month months monthly
quarter quarters quarterly
year years yearly annual annually
kg kilogram kilograms kilogrammes
gram grams
lb lbs pound pounds
oz ounce ounces
meter meters metre metres
km kilometer kilometers kilometre kilometres
mile miles
cm centimeter centimeters centimetre centimetres
mm millimeter millimeters millimetre millimetres
inch inches
foot feet
kb kilobyte kilobytes
mb megabyte megabytes
gb gigabyte gigabytes
tb terabyte terabytes
byte bytes
bit bits
thousand thousands
million millions
billion billions
token tokens
character characters chars
celsius
fahrenheit
liter liters litre litres
utc gmt
""".strip()
SHORT_UNITS = {"s": "second", "h": "hour", "g": "gram", "m": "meter", "k": "thousand", "ms": "millisecond"}

NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        "zero - two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
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
    """monday tuesday wednesday thursday friday saturday sunday january february march april june july
    august september october november december""".split()
)

NEGATORS = frozenset(
    """not no never cannot without none nobody nothing neither nor avoid refrain lack lacks lacking unless
    impossible except""".split()
)

# Several words that stand for one, before words are told apart. In this order.
_MONTH = "(" + "|".join(sorted(CALENDAR, key=len)) + ")"
PHRASES = (
    (rf"\b{_MONTH} (\d{{1,2}})(?:st|nd|rd|th)?\b(?! ?[%€$])", r"\1_\2"),
    (rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}\b", r"\2_\1"),
    (r"\bcan(?:no|['’])t\b", "cannot"),
    (r"\bwon['’]t\b", "will not"),
    (r"n['’]t\b", " not"),
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
    (r"\bas soon as\b|\bonce\b", "when"),
    (r"\b(?:has|have|had) to\b|\bneeds? to\b|\bis to\b|\bare to\b", "must"),
    (r"\b(?:just|solely|exclusively)\b", "only"),
    (r"\bas well as\b|\balong with\b|\btogether with\b", "and"),
    (r"\bdue to\b|\bbecause of\b|\bowing to\b", "because"),
    (r"\bper cent\b", "percent"),
    (r"\b(?:keep|keeps|continue|continues|go on) (?=\w+ing\b)", ""),
    (r"\b(?:if|when|where) (?:the (?:question|user|task|customer) )?(?:asks?|asked|asking) (?:for|about)\b", "for"),
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
