"""Words that do the same work in a sentence, for `parola.domain.intent`: English and Italian."""

_KINDS = {
    "asks": "what how why when where who which whose whether che come cosa perché quando dove chi "
    "quale quali qual quanto quanta quanti quante",
    "may": "can could would will may might può puoi potete potrebbe potresti riesco riesci",
    "turns": "do does did is are was were has have had am",
    "please": "please favore piacere cortesia prego",
    "wants": "need want like vorrei voglio vogliamo bisogno serve servono volevo",
    "time": "today tomorrow tonight morning afternoon evening noon monday tuesday wednesday "
    "thursday friday saturday sunday week month minutes minute hour hours january february march "
    "april june july august september october november december half past oggi domani "
    "stasera mattina pomeriggio sera mezzogiorno lunedì martedì mercoledì giovedì venerdì sabato "
    "domenica settimana mese minuti ora ore gennaio febbraio marzo aprile maggio giugno luglio "
    "agosto settembre ottobre novembre dicembre mezza quarto",
    "number": "one two three four five six seven eight nine ten eleven twelve fifteen twenty "
    "thirty un una due tre quattro cinque sei sette otto nove dieci undici dodici quattordici "
    "quindici venti trenta",
    "place": "room hall floor entrance desk door doors station restaurant stairs sala aula piano "
    "ingresso banco porta porte stazione ristorante segreteria",
    "event": "session talk workshop lunch dinner break keynote party programme speaker "
    "registration edition conference train sessione intervento laboratorio pranzo cena pausa festa "
    "programma relatore iscrizioni edizione conferenza treno bus",
    "happens": "starts start begins begin opens open closes close leaves departs ends moved "
    "cancelled served published takes comincia inizia apre aprono chiude chiudono parte spostato "
    "spostata annullato servito continua riprende riprendiamo scade tiene",
    "not": "not no never nobody nothing cannot don't doesn't didn't can't won't non nessuno niente "
    "mai nulla",
    "again": "again every always keeps twice third ancora sempre nuovo volta volte",
    "you": "you your yours vi voi tu ti te vostro vostra la lei le",
    "i": "i me my mi io mio mia",
    "hello": "hello hi hey welcome goodbye bye ciao salve buongiorno buonasera benvenuti benvenuto "
    "arrivederci",
    "thanks": "thank thanks grateful appreciate appreciated congratulations applause bravo grazie "
    "ringrazio ringraziare complimenti congratulazioni applauso bravi",
}

KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}
"""What a word does, for those that do it often; one kind each."""
