"""Synonyms, opposites and units, as tables: one meaning a line. Plain data, read by `words`.

Synonyms are few: "cancel" is not "delete", and "check" is not "approve". A missing one costs a merge and
never makes a wrong one.
"""

from __future__ import annotations

# The first word of a line stands for all of them.
SYNONYMS = """
check verify ensure validate inspect
find locate lookup discover determine identify figure
return yield
compute calculate derive calculation computation
send forward route go submit direct assign pass transmit transfer hand belong
show display present
write compose
fetch retrieve obtain load
modify change alter edit update amend
repair fix mend
user person people individual human
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
store save keep retain preserve maintain
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
explain describe clarify
consist comprise
reason cause
detail information info
previous prior preceding
next following
necessary essential
id identifier
configuration config
photo picture image
film movie
song track
contact reach
inform notify tell
postpone delay defer
assume presume guess
parcel package shipment
row record entry tuple
database db
immediately instantly
correctly properly
help assist
enter type
guest visitor
agree consent
happen occur
subtract deduct
multiply times
quantity count
lookup consult
additional extra further
usual normal typical
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
