/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places at which a test has the process die, as by kill -9: between two steps of
 * whatever must survive that.  Only in a build with -DGATEHOUSE_CRASH_POINTS, which
 * is for tests; in any other a crash point is nothing at all.
 *
 * GATEHOUSE_CRASH_AT="name" or "name:3" in the environment: die when the process
 * comes to that point for the first, or third, time.  A name that no point has ends
 * the process at once, so that a test can't wait for what never comes.
 *
 * The names are one list, so that a test can go through all of them.
 */
#ifndef GATEHOUSE_BASE_CRASH_POINT_H
#define GATEHOUSE_BASE_CRASH_POINT_H

#include <stdio.h>

#define CRASH_POINTS(X)                                                                            \
	X(SPARE_CREATED, "spare-created")         /* spare.tmp is there, empty */                  \
	X(SPARE_FILLED, "spare-filled")           /* and full of synced zeros */                   \
	X(SPARE_NAMED, "spare-named")             /* and durably a spare */                        \
	X(ROLL_SYNCED, "roll-synced")             /* the full segment is durable */                \
	X(ROLL_OPENED, "roll-opened")             /* the spare is open */                          \
	X(ROLL_HEADER, "roll-header")             /* and has a header, not synced */               \
	X(ROLL_NAMED, "roll-named")               /* and is durably a segment */                   \
	X(ROLL_SHELVED, "roll-shelved")           /* and is what is appended to */                 \
	X(APPEND_WRITTEN, "append-written")       /* a group is written, not synced */             \
	X(APPEND_SYNCED, "append-synced")         /* and durable, its producer not told */         \
	X(UNLINK_BEFORE, "unlink-before")         /* a segment is about to go */                   \
	X(UNLINK_AFTER, "unlink-after")           /* its name is gone, not durably */              \
	X(UNLINK_SYNCED, "unlink-synced")         /* durably gone */                               \
	X(CHECKPOINT_BEFORE, "checkpoint-before") /* one is made, nothing written */               \
	X(CHECKPOINT_SAVED, "checkpoint-saved")   /* durable, the hold not moved */                \
	X(CHECKPOINT_HELD, "checkpoint-held")     /* the hold is moved */                          \
	X(REPLACE_WRITTEN, "replace-written")     /* NAME.tmp is written, not synced */            \
	X(REPLACE_DONE, "replace-done")           /* and has durably become NAME */                \
	X(RENAME_SYNCED, "rename-synced")         /* the file is synced, its name the old one */   \
	X(RENAME_DONE, "rename-done")             /* its name is the new one, not durably */       \
	X(SNAPSHOT_BEFORE, "snapshot-before")     /* a register came, no snapshot of it */         \
	X(SNAPSHOT_SAVED, "snapshot-saved")       /* its snapshot is durable */                    \
	X(RIGHTS_BEFORE, "rights-before")         /* rights are to be saved, nothing written */    \
	X(RIGHTS_SAVED, "rights-saved")           /* they are durable, the hold not moved */       \
	X(RIGHTS_HELD, "rights-held")             /* the hold is moved */                          \
	X(COMMIT_BEGUN, "commit-begun")           /* the cursor is moved, no row copied */         \
	X(COMMIT_COPIED, "commit-copied")         /* all rows are copied, COMMIT not sent */       \
	X(COMMIT_SENT, "commit-sent")             /* COMMIT is sent, not answered */               \
	X(COMMIT_DONE, "commit-done")             /* COMMIT is answered, nobody told */            \
	X(RECOVERY_WIPED, "recovery-wiped")       /* bytes behind the end are saved and wiped */   \
	X(RECOVERY_DONE, "recovery-done")         /* the tail is durable, nothing published */

enum crash_point {
#define CRASH_POINT_ENUM(id, name) CRASH_##id,
	CRASH_POINTS(CRASH_POINT_ENUM)
#undef CRASH_POINT_ENUM
		CRASH_POINT_COUNT
};

#ifdef GATEHOUSE_CRASH_POINTS
/* Any thread. */
void crash_point(enum crash_point point);
/* One name a line. */
void crash_points_list(FILE *out);
#else
#define crash_point(point) ((void)0)
#endif

#endif
