# SPDX-License-Identifier: Apache-2.0
"""Growth as a picture: what the table's rows of growth say, drawn by gnuplot."""

import statistics
import subprocess

SCRIPT = """
set terminal svg size 1000,360 font 'sans,11' background '#ffffff'
set output '{out}'
set multiplot layout 1,3
set grid lc '#dddddd'
set key top left
set yrange [0:*]
set logscale x
set format x '%.0f'
set style line 1 lc '#1f4e79' lw 2 pt 7 ps 0.8
set style line 2 lc '#b85c00' lw 2 pt 5 ps 0.8
set xlabel 'connections'
set title 'CPU of gatehoused per record, window 8'
set ylabel 'us'
plot '-' using 1:2:3:4 with yerrorlines ls 1 title 'median, least, most'
{records}
e
set title 'per connection'
set ylabel 'KiB'
set y2label 'ms'
set ytics nomirror
set y2tics
set y2range [0:*]
plot '-' using 1:2 with linespoints ls 1 title 'memory, idle (KiB)', \\
     '-' using 1:2 axes x1y2 with linespoints ls 2 title 'CPU to connect (ms)'
{memory}
e
{handshakes}
e
set xlabel 'consoles'
set title 'one alarm to all consoles'
set ylabel 'ms'
set y2label 'us'
plot '-' using 1:2 with linespoints ls 1 title 'last console, p99 (ms)', \\
     '-' using 1:2 axes x1y2 with linespoints ls 2 title 'CPU of gatehoused (us)'
{latency}
e
{fan_out}
e
unset multiplot
"""


def _lines(points, *values):
    return "\n".join(" ".join(str(value(point)) for value in values) for point in points)


def script(points, out):
    connections, consoles = points["connections"], points["consoles"]

    def get(name):
        return lambda point: point[name]

    return SCRIPT.format(
        out=out,
        records=_lines(connections, get("connections"), lambda p: statistics.median(p["us"]),
                       lambda p: min(p["us"]), lambda p: max(p["us"])),
        memory=_lines(connections, get("connections"), get("kib")),
        handshakes=_lines(connections, get("connections"), get("connect_ms")),
        latency=_lines(consoles, get("consoles"), get("p99_ms")),
        fan_out=_lines(consoles, get("consoles"), get("us")))


def draw(points, out):
    """False when there is not enough to draw: then there is no picture, not an old one."""
    out.unlink(missing_ok=True)
    if len(points["connections"]) < 2 or len(points["consoles"]) < 2:
        return False
    subprocess.run(["gnuplot"], input=script(points, out), text=True, check=True, timeout=60)
    return True
