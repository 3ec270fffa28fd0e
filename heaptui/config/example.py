"""The configuration as `heaptui config` prints it: every key, with what it means."""

from __future__ import annotations

EXAMPLE = """\
# heaptui's configuration. Every line that is commented out shows the default.

[queue]
# How many tasks run at once. Default: twice the cores, at least 4.
# concurrency = 8

[limits]
# A task without a cap of its own gets this share of the host's memory, divided by concurrency.
# share = 0.8
# ... or a fixed size for every such task: 300M, 2G.
# cap = "2G"
# Between TERM and kill: 45s, 2m.
# grace = "10s"
# Kept of each attempt's output; the oldest is given back.
# output = "64M"

[retry]
# How often a task that failed by itself is tried again.
# retries = 0
# The first wait before another attempt; it doubles up to backoff_max.
# backoff = "2s"
# backoff_max = "5m"

[history]
# Ended tasks are kept this long, and at most so many.
# keep_days = 30
# keep_tasks = 20000

[heap]
# Node and Python tasks report their heaps, and can collect and snapshot them.
# preload = true
# A heap snapshot that does not fit under its task's cap: ask, always or never raise the cap while
# it is written.
# raise_cap = "ask"
# Where snapshots go; they may hold secrets. Default: snapshots/ in the state directory.
# directory = "/var/tmp/heaps"
# The latest are kept, and together not more than this.
# keep_snapshots = 20
# keep = "10G"

[policy]
# What heaptui does about memory: act, or observe: only say what it would have done.
# mode = "act"
# Where it begins to act, of a task's cap (page cache not counted), or "off" ...
# soft = "80%"
# ... or when the cap is predicted to be reached within this.
# ahead = "60s"
# What it does then, in this order, until it fits: collect garbage, ask for a checkpoint, recycle.
# steps = ["gc", "checkpoint", "recycle"]
# Garbage collection besides: off, "every 5m", or "at 70%" of the heap's limit.
# gc = "off"
# A worker that drains has this long to finish what it has in hand.
# drain = "30s"
# Recycle a task that keeps no checkpoints too: it begins anew, and what it had done is lost.
# recycle_anew = false
# Another attempt when nobody knows how one ended, though it keeps no checkpoints.
# retry_lost = false
# After an end for lack of memory: so many more attempts, each with its cap times the factor, as far
# as the machine has it, and never above the ceiling.
# oom_retries = 1
# oom_factor = 1.5
# oom_ceiling = "12G"
# What is done with a task that says what it works through, when that did not help: propose to split
# it, auto: split it at once, or off.
# split = "propose"
# More bad ends than this within the period, and the task is quarantined.
# restarts = 5
# restart_period = "10m"
# After an attempt that ran this long the waits between attempts begin small again.
# stable = "10m"

# Any of soft, ahead, steps, gc, drain, recycle_anew, retry_lost, oom_retries, oom_factor,
# oom_ceiling and split, for the tasks of one kind (command, node, python) alone:
# [policy.kinds.node]
# gc = "at 70%"

[admission]
# What all tasks together may be expected to reach. Default: what the machine has available.
# budget = "4G"
# Left to everybody else on this machine: a share of it, or a size.
# reserve = "10%"
# Nothing starts while tasks stall for memory more than this percentage of the time (PSI, 10 s) ...
# pressure = 10
# ... and above this the task that grows fastest is recycled, if relieve says so.
# heavy = 40
# relieve = true

[alerts]
# heaptui itself, and any one task, beyond this size.
# supervisor = "1G"
# worker = "4G"
# A task that reaches its cap within this, at the rate of its last minute.
# cap_within = "20m"
# Swap in use, and the percentage of time that tasks stall for memory.
# swap = "50%"
# pressure = 20
# A task that neither prints nor computes for so long, or "off".
# silent = "15m"
# What rings when an alert begins: off, bell, or notify (OSC 9, a notification of the terminal's).
# bell = "bell"
# Run for each alert that begins and ends, with its JSON on standard input, in the environment that
# the supervisor was started in.
# hook = ["/usr/local/bin/page-me"]

[split]
# Tokens that one child's context may take; what its agent's own prompt takes is less for its slice.
# budget = 30000
# A child is asked for a checkpoint and ended after this.
# timeout = "20m"
# A program that proposes the children: it reads the task as JSON on standard input.
# planner = ["/usr/local/bin/plan-split"]
# planner_timeout = "60s"

[metrics]
# OpenMetrics on 127.0.0.1 too: any user of this machine can read it there (names of tasks and
# figures, nothing else). On the supervisor's own socket it is always there, for you alone.
# port = 9464

[app]
# auto (by the terminal), dark, light, ansi, or the path of a theme file.
# theme = "auto"
# Nothing beyond ASCII on the screen.
# ascii = false

[app.keys]
# An action's id, as ctrl+p shows it, and the keys it shall have.
# "task.stop" = "K,f9"
"""
