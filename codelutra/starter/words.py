"""The words that tables, frames, columns and values are named with.

Every word becomes one token (see tokenizer.py), so that a small model can copy
any name from a prompt. None is a keyword of SQLite or Python, or a name that a
program of the corpus uses for itself; tests check that.
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


THINGS = _words("""
client sale nurse ward pilot flight chef dish baker loaf ranger park miner shaft tailor coat
author novel singer album coach player school pupil museum statue farm crop hotel guest studio
film clinic visit depot parcel garage truck harbor vessel theater play lab probe orchard tree
stable horse bakery brewery barrel cinema ticket library loan zoo animal station train bridge
tower castle village island forest river lake mountain valley desert garden meadow pond engine
motor rocket planet comet star moon satellite sensor reading signal circuit battery panel market
vendor stall basket shipment invoice payment account branch teller office desk worker task reef
whale hive bee kennel dog aquarium fish tank vineyard bottle quarry stone mill grain sample
trial dose patient doctor wing gym member lesson teacher exam essay contest runner race wind
tide rain snow frost pulse echo tone wave drift glow heat spark surge flux beam orbit sketch
mosaic lattice canvas tile quilt terrace plateau mesh fabric paddock acreage
""")

NUMBERS = _words("""
price cost weight height length width depth age score points rating speed distance hours minutes
days pages copies seats rooms beds floors volume mass power voltage pressure salary bonus budget
profit revenue tax fee discount stock units quantity pieces acres tons yards grams liters
calories sugar protein salt fat fiber altitude latitude rainfall humidity brightness noise level
stage round goals assists wins losses fouls laps jumps throws steps members visitors votes likes
shares views clicks errors retries tokens cycles torque fuel mileage doors wheels axles petals
leaves roots branches density purity acidity thickness hardness duration delay crew cargo decks
masts knots tempo beats tracks chords scenes acts moisture ripeness seeds weeds litters foals
eggs chicks stings frames
""")

CATEGORIES = _words("""
city region country color status kind category grade shape size brand model material season
month weekday genre style mood language origin climate habitat diet breed species family league
position surface weather channel platform method priority severity shift team division sector
zone district street flavor texture scent finish pattern currency theme medium period faculty
degree route carrier terminal
""")

LABELS = _words("""
name title code alias handle nickname slug tag surname heading caption
""")

VALUES = _words("""
north south east west central upper lower inner outer red blue green black white amber violet
silver golden open closed pending active idle paused ready broken small large huge tiny spring
summer autumn winter monday tuesday friday sunday oak pine maple birch cedar iron copper steel
brass glass clay silk wool cotton linen leather rock jazz folk opera swing blues drama comedy
horror western mystery sweet sour bitter salty spicy mild calm stormy rainy sunny cloudy foggy
express local night day morning evening junior senior adult novice expert basic premium standard
deluxe urban rural coastal alpine arid humid polar tropical lion wolf eagle shark falcon heron
otter badger lisbon oslo cairo lima quito delhi kyoto tunis paris berlin madrid solar gas coal
air sea rail road email phone web mail square oval flat curved urgent normal minor major fatal
gothic baroque modern classic rustic
""")
