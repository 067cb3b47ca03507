/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the simulated disk, shared by fs.c (what base/fs.h promises) and
 * fs_disk.c (pages, names and faults).  Everything under disk.lock.
 *
 * A file is a table of pages, each with two contents: `now` (what a read gets)
 * and `safe` (what is left without power), and a dirty bit for each sector.  A
 * page that isn't there is zeros in both, so that files of mostly zeros cost
 * nothing.  A name has two inodes in the same way.
 */
#ifndef GATEHOUSE_TESTS_FAKE_FS_DISK_H
#define GATEHOUSE_TESTS_FAKE_FS_DISK_H

#include <pthread.h>

#include "base/base.h"
#include "fs_fake.h"

enum {
	PAGE = 4096,
	SECTORS = PAGE / FS_FAKE_SECTOR,
	FDS_MAX = 4096,
	FD_BASE = 1 << 20, /* far from real descriptors: mixing them up is noticed */
	PATH_BYTES = 256,
};

struct page {
	uint8_t now[PAGE], safe[PAGE];
	uint8_t dirty; /* bit per sector: written, not synced */
};

struct inode {
	struct inode *next; /* all of the disk */
	uint64_t size, safe_size;
	struct page **pages;
	size_t n_pages;
	bool is_dir, sync_failed;
	int locked_by; /* fd, or -1 */
};

struct name {
	struct name *next;
	char path[PATH_BYTES];
	struct inode *now, *safe; /* NULL: there is no such file */
};

/* A change of a directory that was not synced.  from == NULL: only `to` changes. */
struct change {
	struct change *next;
	char dir[PATH_BYTES];
	struct name *from, *to;
	struct inode *inode; /* what `to` is after it */
};

struct disk {
	pthread_mutex_t lock;
	struct inode *inodes;
	struct name *names;
	struct change *changes, **changes_end;
	struct inode *fds[FDS_MAX];
	uint64_t random;
	uint64_t ops, syncs, resyncs, space;
	uint64_t off_at, fail_at, fail_sync_at; /* numbers of operations; 0: none */
	int fail_sys, fail_sync_sys;
	bool off;
	void (*on_sync)(void *arg);
	void *on_sync_arg;
};

/* The one static of the fakes: the functions of base/fs.h know no object to hang it on. */
extern struct disk disk;

enum fate {
	FATE_GOOD,  /* do it */
	FATE_FAILS, /* fails with errno; a write gets a part done */
	FATE_OFF,   /* power is lost while it is done */
	FATE_DEAD,  /* power was off before */
};

void disk_lock(void);
void disk_unlock(void);
/* Dice: a seed gives the same on every machine. */
uint64_t disk_random(void);
/* How many of `bytes` more the disk has room for. */
uint64_t disk_room(uint64_t bytes);
/* Every operation begins here; unless the fate is good, errno is set. */
enum fate op_begin(void);

struct inode *inode_new(bool is_dir);
/* bytes == NULL: zeros */
void inode_write(struct inode *inode, const uint8_t *bytes, size_t n, uint64_t offset);
void inode_read(struct inode *inode, uint8_t *to, size_t n, uint64_t offset);
void inode_set_size(struct inode *inode, uint64_t size);
void inode_sync(struct inode *inode);
/* What Linux does with pages whose writing failed: clean, readable, and not on the disk. */
void inode_fail_sync(struct inode *inode);

/* Makes the name where it doesn't exist yet, with no file. */
struct name *name_of(const char *path);
/* `to` becomes `inode` now, and on the disk when its directory is synced. */
void name_change(struct name *from, struct name *to, struct inode *inode);
/* Makes the changes of one directory (NULL: of all) safe with a chance of
 * `percent` each, oldest first; with `forget` the others are dropped. */
void changes_settle(const char *dir, unsigned percent, bool forget);
/* "a/b" -> "a"; "" where there is no slash */
void dir_of(const char *path, char out[PATH_BYTES]);
bool dir_exists(const char *dir);

#endif
