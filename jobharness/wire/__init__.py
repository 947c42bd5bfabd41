"""The harness's own TCP proxy between the app and its broker, and one framing per protocol.

    worker-1 --own listener--+                      +--> broker
    worker-2 --own listener--+--> proxy process ----+
    producer --own listener--+        ^
                                      | control (one JSON object a line, over a socket pair)
                                   harness

`proxy` is the process, `control` the harness's side of it. `link` is one connection: in each direction bytes pass the
framing (`framing` is the seam, one file per protocol), the armed steps (`steps`, which strike at one message), and a
pipe (`pipe`, which delays, thins or stops what passes). `match` says which message is meant, `jobs` whose job it is about.

With nothing armed no byte is changed, and what cannot be framed is passed on as it is, with a note. To add a protocol: a
file like `resp`, its name in `framing.FRAMINGS`, the property tests. `door` is a listener's port, which can be shut. What a
proxy cannot imitate by itself: while the broker is down, a connection is made and closed at once, and not refused.
"""
