/* SPDX-License-Identifier: Apache-2.0 */
/* A rig on the simulated disk: an open journal, alone on a disk that forgets it behind the test. */
#ifndef GATEHOUSE_TESTS_JOURNAL_DISK_RIG_H
#define GATEHOUSE_TESTS_JOURNAL_DISK_RIG_H

#include "fixture.h"

#include "../../fake/fs_fake.h"
#include "base/fs.h"

static const char dir[] = "j";

static inline void
rig_begin(struct rig *rig)
{
	fs_fake_reset(1);
	rig_init(rig, dir);
	assert_int_equal(fs_make_dir(dir, &rig->err), RC_OK);
	rig_open(rig);
}

static inline void
rig_end(struct rig *rig)
{
	(void)rig_collect(rig);
	rig_fini(rig);
	fs_fake_reset(0);
}

/* For tests whose state is the rig. */
static inline int
rig_set_up(void **state)
{
	*state = xcalloc(1, sizeof(struct rig));
	rig_begin(*state);
	return 0;
}

static inline int
rig_tear_down(void **state)
{
	rig_end(*state);
	free(*state);
	return 0;
}

#endif
