/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk in memory in the place of base/fs.c: the same functions, and beside
 * them what a test needs to make it fail.
 *
 * What is written is in the cache until it is synced.  When power is lost, each
 * unsynced sector of 512 bytes, each unsynced size and each unsynced change of
 * a directory survives or not by itself, as the seed says: this is worse than
 * any real file system, and no better than POSIX promises.  A rename is one
 * change.  A power loss in the middle of a sync keeps some of its sectors.
 *
 * One disk per process, under one lock; fs_fake_reset() begins a new one.
 * Paths are plain text: "journal/lock".  A directory without a slash in its
 * name is durable as soon as it is made.
 */
#ifndef GATEHOUSE_TESTS_FAKE_FS_FAKE_H
#define GATEHOUSE_TESTS_FAKE_FS_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FS_FAKE_SECTOR = 512 };

/* An empty disk without limits and faults. */
void fs_fake_reset(uint64_t seed);

/* ---- Faults --------------------------------------------------------------- */

/* Operations (create, write, fill, truncate, sync, rename, sync of a directory,
 * unlink, new directory) since the reset. */
uint64_t fs_fake_ops(void);

/* Power is lost in the n-th operation from now on (1: in the next one); 0: not at
 * all.  From then on everything fails with EIO. */
void fs_fake_power_off_in(uint64_t n);
bool fs_fake_power_is_off(void);
/* Power comes back, and what was unsynced is thrown with the dice.  All file
 * descriptors and locks are gone. */
void fs_fake_power_on(void);
/* The process dies, power stays: descriptors and locks are gone, nothing else. */
void fs_fake_kill_process(void);

/* The n-th operation from now on fails with errno `sys`, once; 0: none.  A write
 * gets part of its bytes in before.  A failed sync leaves its bytes readable but never durable,
 * as Linux does, and each later sync of that file counts as a resync. */
void fs_fake_fail_in(uint64_t n, int sys);
/* The same, for the n-th sync (of a file, by any way) from now on. */
void fs_fake_fail_sync_in(uint64_t n, int sys);
uint64_t fs_fake_resyncs(void);

/* How large the disk is; UINT64_MAX: no limit. */
void fs_fake_set_space(uint64_t bytes);
uint64_t fs_fake_used(void);

/* Called at the beginning of every sync of a file, before anything of it is
 * durable, without the disk's lock. */
void fs_fake_on_sync(void (*call)(void *arg), void *arg);

/* ---- Looking and tampering: durable at once, never counted, never failing -- */

bool fs_fake_exists(const char *path);
/* The content as a reader would see it, in new memory; NULL: no such file. */
uint8_t *fs_fake_get(const char *path, size_t *n);
/* Creates or replaces. */
void fs_fake_put(const char *path, const void *bytes, size_t n);
void fs_fake_remove(const char *path);
void fs_fake_move(const char *from, const char *to);

#endif
