/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon says, to the station of which it is. */
#include "upstream_priv.h"

static uint64_t
taker_welcome(void *station, uint32_t node)
{
	station_set_node(station, node);
	return station_position(station);
}

static void
taker_connected(void *station, bool connected)
{
	station_set_connected(station, connected);
}

static void
taker_alarm(void *station, const struct console_alarm *alarm)
{
	station_take_alarm(station, alarm);
}

static void
taker_resync(void *station, const char *reason)
{
	(void)reason;
	station_begin_resync(station);
}

static void
taker_snapshot_end(void *station, uint64_t position)
{
	station_end_resync(station, position);
}

static void
taker_position(void *station, uint64_t position)
{
	station_note_end(station, position);
}

const struct upstream_taker station_taker = {
	.welcome = taker_welcome,
	.connected = taker_connected,
	.alarm = taker_alarm,
	.resync = taker_resync,
	.snapshot_end = taker_snapshot_end,
	.position = taker_position,
};
