"""All that the model is compared with, by name."""

from collections.abc import Callable, Mapping
from functools import partial

from model.baselines.dmf import DMF
from model.baselines.itemknn import ItemKNN
from model.baselines.logistic import Logistic
from model.baselines.recent import Recent
from model.baselines.recurrent import CLSTM, GRU4Rec
from model.baselines.sasrec import SASRec
from model.baselines.tdcn import TDCNR
from model.baselines.time_lstm import TimeLSTM
from model.contract import Ranker

RIVALS: Mapping[str, Callable[..., Ranker]] = {
    "timepop": partial(Recent, days=(1, 7)),
    "pop-1d": partial(Recent, days=(1,)),
    "pop-7d": partial(Recent, days=(7,)),
    "pop-30d": partial(Recent, days=(30,)),
    "pop-all": partial(Recent, days=()),
    "item-knn": ItemKNN,
    "logistic": Logistic,
    "gru4rec": GRU4Rec,
    "sasrec": SASRec,
    "clstm": CLSTM,
    "time-lstm-1": partial(TimeLSTM, variant=1),
    "time-lstm-2": partial(TimeLSTM, variant=2),
    "time-lstm-3": partial(TimeLSTM, variant=3),
    "dmf": DMF,
    "tdcn-r": TDCNR,
}
