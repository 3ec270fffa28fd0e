"""The warden: starts every worker, reaps it, and writes down how it ended before it tells anybody.

    python -I -S -X frozen_modules heaptui/warden/__main__.py STATE_DIR SOCKET_PATH SERVE_ARGV_JSON

It outlives supervisors. One is connected at a time, by newline-delimited JSON on a unix socket; at
`hello` it learns what lives and what ended meanwhile. While there is work and no supervisor, the
warden starts one with SERVE_ARGV. It stands alone on purpose (standard library, one thread): what
is this small hardly ever dies, and if it does, its successor adopts what lives, from the journal.
Whoever starts it goes on starting and connecting until one answers: a second warden ends at once.
One whose state directory was deleted brings up nobody, and ends with the last of what it started.

From the supervisor::

    {"op":"hello","supervisor":id,"pid":n}      replaces whoever was connected; answer: state
    {"op":"spawn","task","attempt","argv","cwd","env","out","join":[cgroup.procs, ...],
     "rlimits":{"DATA":bytes},"oom_score_adj":n|null}    idempotent by (task, attempt)
    {"op":"ack","task","attempt"}               this end is stored: forget it
    {"op":"unended","n":n}                      tasks that are yet to be seen through

To the supervisor::

    {"ev":"state","warden":pid,"boot","live":[{task,attempt,pid,start,at}],"ended":[...]}
    {"ev":"started","task","attempt","pid","start","at"}           the command was executed
    {"ev":"ended","task","attempt","pid","start","at","code","signal","error","how","maxrss"},
     with "why" where `how` is "unseen"

`code`, `signal` and `error` exclude one another; all are null when nobody saw the end (`how` is
"unseen", `why` "reboot" or "unwatched"). `maxrss` (bytes) is the largest process of the tree, and
never less than what the warden takes itself: the kernel counts from the fork on.
"""
