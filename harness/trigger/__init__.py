"""After the trigger: what an entry keeps of a stream, is it new, is it the detector.

`entry` finds a card and the program of its firmware, `stream` reads events in time order,
`accept` runs the one on the other, `folder` owns the files that come of it. `cluster` compares the
accepted events with an expectation, `watch` with a reference.
"""
