#!/usr/bin/env bash
# Let Parola hear what a program plays: "loopback.sh up" with APP=firefox [MONITOR=1], "loopback.sh down".
# Works with PulseAudio, and with PipeWire in its place, through pactl.
set -euo pipefail
export LC_ALL=C
SINK=loopback
DELAY_MS=50 # as the conference system's

say() { echo "$*" >&2; }

ready() {
    if ! command -v pactl >/dev/null 2>&1; then
        say "This needs pactl: apt-get install pulseaudio-utils"
        exit 3
    fi
    if ! pactl info >/dev/null 2>&1; then
        say "Neither PulseAudio nor PipeWire answers; run this as the user whose desktop plays the sound."
        exit 3
    fi
}

# Numbers of our modules: the sink, and the branch to the loudspeakers.
sinks() { pactl list short modules | awk -F'\t' -v a="sink_name=$SINK" '$2 == "module-null-sink" && (" " $3 " ") ~ (" " a " ") {print $1}'; }
branches() { pactl list short modules | awk -F'\t' -v a="source=$SINK.monitor" '$2 == "module-loopback" && index($3, a) {print $1}'; }

# What plays: a line for each stream, "number<tab>names in lower case".
streams() {
    pactl list sink-inputs | awk '
        /^Sink Input #/ { if (n != "") print n "\t" names; n = substr($3, 2); names = "" }
        /^\t\t(application\.name|application\.process\.binary|media\.name) = / {
            value = $0; sub(/^[^=]*= /, "", value); gsub(/"/, "", value); names = names tolower(value) "; " }
        END { if (n != "") print n "\t" names }'
}

up() {
    if [ -z "${APP:-}" ]; then
        say 'Say which program: make loopback APP=firefox'
        exit 2
    fi
    local found speakers
    found=$(streams | awk -F'\t' -v app="${APP,,}" 'index($2, app) {print $1}')
    if [ -z "$found" ]; then
        say "$APP plays nothing at the moment; start its sound first. Playing now:"
        streams | sed 's/^[0-9]*\t/  /' >&2
        exit 1
    fi
    speakers=$(pactl info | sed -n 's/^Default Sink: //p')
    if [ -z "$(sinks)" ]; then
        pactl load-module module-null-sink "sink_name=$SINK" sink_properties=device.description=Parola >/dev/null
    fi
    if [ "${MONITOR:-}" = 1 ] && [ -z "$(branches)" ]; then
        pactl load-module module-loopback "source=$SINK.monitor" "sink=$speakers" "latency_msec=$DELAY_MS" >/dev/null
    fi
    for stream in $found; do pactl move-sink-input "$stream" "$SINK"; done
    say "$APP plays into Parola now: parola listen --device $SINK.monitor"
    if [ "${MONITOR:-}" != 1 ]; then say "To hear it here too: MONITOR=1"; fi
}

down() {
    local module sink
    sink=$(pactl list short sinks | awk -F'\t' -v s="$SINK" '$2 == s {print $1}')
    if [ -n "$sink" ]; then
        # The branch is a stream too, but it goes with its module.
        for module in $(branches); do pactl unload-module "$module"; done
        for stream in $(pactl list short sink-inputs | awk -F'\t' -v s="$sink" '$2 == s {print $1}'); do
            pactl move-sink-input "$stream" @DEFAULT_SINK@ || true # it ended just now
        done
    fi
    for module in $(branches) $(sinks); do pactl unload-module "$module"; done
    say "Programs play as before."
}

case "${1:-}" in
    up) ready; up ;;
    down) ready; down ;;
    *) say "usage: APP=firefox [MONITOR=1] $0 up | $0 down"; exit 2 ;;
esac
