"""Small built-in stop lists by language: function words that carry no topic. The learned stop list does the rest."""

_TEXT = {
    "de": (
        "aber als am an auch auf aus bei bin bis da das dass dem den der des die du ein eine einem einen einer er es für hat ich "
        "ihr im in ist ja mit nach nicht noch nur oder sich sie sind so und uns von vor war was wie wir wird zu zum zur über"
    ),
    "en": (
        "a about after all also am an and any are as at be been before but by can could did do does doing don't down for from get "
        "had has have he her here him his how i i'm if in into is it it's its just like me more most my no not now of off on one only "
        "or our out over own rt same she should so some such than that the their them then there these they this those through to "
        "too under up very via was we were what when where which while who why will with would you you're your"
    ),
    "es": (
        "a al como con de del desde el ella en era es esta este está fue ha hay la las le les lo los me mi más muy no nos o para "
        "pero por porque que qué se si sin sobre son su sus sí también te tu un una uno y ya yo"
    ),
    "fr": (
        "a ai au aux avec c'est ce ces cette dans de des du elle en est et eu il ils j'ai je la le les leur lui ma mais me "
        "mon ne nous on ou où par pas plus pour qu que qui sa se ses son sont sur ta te tu un une vous y à été être"
    ),
    "it": (
        "a ad al alla anche che chi ci come con da dal del della di e ed gli ha ho i il in io la le lo ma mi nel nella non o per "
        "più quando questo se sei si sono su suo ti tra tu un una è"
    ),
    "nl": (
        "aan als bij dat de den der die dit een en er had heb het hij hoe ik in is je maar me met mijn naar niet nog of om ook "
        "op te tot u uit van voor was wat we wel ze zich zijn"
    ),
    "pt": (
        "a ao aos as até com como da das de do dos e ela ele em era essa esse está eu foi há isso já lhe mais mas me meu muito na nas "
        "no nos não o os ou para pela pelo por que quem se sem ser seu sua são também te tem um uma você à é"
    ),
}
LANGUAGES = {language: frozenset(words.split()) for language, words in _TEXT.items()}
