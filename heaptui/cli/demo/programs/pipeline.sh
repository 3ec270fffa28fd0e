#!/bin/sh
# A pipeline of several processes that runs for about five minutes: what a task's tree looks like.
set -eu

produce() {
    batch=1
    while [ "$batch" -le 150 ]; do
        line=1
        while [ "$line" -le 20 ]; do
            echo "batch $batch line $line of $(( (batch * 7919 + line * 104729) % 1000 ))"
            line=$(( line + 1 ))
        done
        batch=$(( batch + 1 ))
        sleep 2
    done
}

# a loop of the shell's own: grep would hold its output back until a block is full
keep() {
    while read -r line; do
        case $line in
            *" of 13") ;;
            *) echo "$line" ;;
        esac
    done
}

produce | keep | awk '
    { sum += $NF; seen += 1 }
    seen % 20 == 0 { printf "%d records, mean %.1f\n", seen, sum / seen; fflush() }
    END { printf "done: %d records\n", seen }
'
