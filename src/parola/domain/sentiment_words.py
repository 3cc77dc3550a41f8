"""The English and Italian words that change what others say, for `parola.domain.sentiment`."""

from parola.domain.sentiment import BOOST, Grammar


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _boosters(more: str, less: str) -> dict[str, float]:
    return dict.fromkeys(more.split(), BOOST) | dict.fromkeys(less.split(), -BOOST)


ENGLISH = Grammar(
    # Source: vaderSentiment 3.3.2, NEGATE, BOOSTER_DICT and SPECIAL_CASES; "no" and "nobody" are
    # ours: VADER counts "no" as a word of blame.
    denials=_words(
        "ain't aren't can't couldn't daren't didn't doesn't don't hadn't hasn't haven't isn't "
        "mightn't mustn't needn't oughtn't shan't shouldn't wasn't weren't won't wouldn't aint "
        "arent cannot cant couldnt didnt doesnt dont hadnt hasnt havent isnt shouldnt wasnt werent "
        "wont wouldnt neither never none nope nor not nothing nowhere without rarely seldom "
        "despite no nobody"
    ),
    boosters=_boosters(
        "absolutely amazingly awfully completely considerable considerably decidedly deeply "
        "enormous enormously entirely especially exceptional exceptionally extreme extremely "
        "fabulously fully greatly highly hugely incredible incredibly intensely major more most "
        "particularly purely quite really remarkably so substantially thoroughly total totally "
        "tremendous tremendously unbelievably unusually utter utterly very",
        "almost barely hardly kinda less little marginal marginally occasional occasionally partly "
        "scarce scarcely slight slightly somewhat",
    ),
    but=frozenset({"but"}),
    phrases={
        ("yeah", "right"): -2.0,
        ("kiss", "of", "death"): -1.5,
        ("to", "die", "for"): 3.0,
        ("bus", "stop"): 0.0,
        ("without", "doubt"): 0.0,
        ("can't", "wait"): 2.0,
        ("waste", "of", "time"): -2.0,
    },
)

ITALIAN = Grammar(
    denials=_words(
        "non mai nessun nessuno nessuna niente nulla né neanche nemmeno neppure senza mica"
    ),
    boosters=_boosters(
        "molto molta molti molte davvero veramente così tanto tanta tanti tante troppo troppa "
        "troppi troppe assai estremamente particolarmente decisamente assolutamente completamente "
        "totalmente incredibilmente più super sempre parecchio",
        "poco poca pochi poche appena quasi abbastanza leggermente meno piuttosto parzialmente",
    ),
    but=frozenset({"ma", "però", "tuttavia"}),
    phrases={
        ("vedo", "l", "ora"): -3.0,  # never said without "non"
        ("senza", "dubbio"): 0.0,
        ("perdita", "di", "tempo"): -2.0,
        ("niente", "male"): 1.5,
        ("alla", "grande"): 2.5,
        ("in", "gamba"): 2.0,
        ("che", "peccato"): -2.0,
        ("preso", "in", "giro"): -2.0,
        ("presa", "in", "giro"): -2.0,
    },
    elides=True,
    endings="aeioàèìòé",
    superlatives=("issim",),
)
