/* SPDX-License-Identifier: Apache-2.0 */
/* Records that the server makes itself: see the header for their identity. */
#include "fleet/observer.h"

#include <string.h>

void
observer_init(struct observer *observer, int64_t start_us, uint32_t node, unsigned index,
	      unsigned count)
{
	must(index < count && node < (1u << OBSERVER_NODE_BITS));
	*observer = (struct observer){
		.epoch = -((start_us / 1000 << OBSERVER_NODE_BITS) | (int64_t)node),
		.next_seq = index + 1,
		.step = count,
	};
}

void
observer_record(struct observer *observer, const struct observed *about, uint16_t kind,
		int64_t now_us, const char *detail, struct record *record)
{
	*record = (struct record){
		.controller_id = about->controller_id,
		.site_id = about->site_id,
		.kind = kind,
		.epoch = observer->epoch,
		.seq = observer->next_seq,
		.device_time_us = now_us,
		.received_us = now_us,
		.raw_code = "",
		.detail = detail != NULL ? detail : "",
		.detail_len = detail != NULL ? strlen(detail) : 0,
	};
	observer->next_seq += observer->step;
}
