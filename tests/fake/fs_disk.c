/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated disk itself: pages, names, what is lost with the power, and the
 * levers of a test; see fs_fake.h for what it models.
 *
 * Owner: any thread, everything under disk.lock.
 */
#include "fs_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct disk disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .space = UINT64_MAX};

void
disk_lock(void)
{
	must(pthread_mutex_lock(&disk.lock) == 0);
}

void
disk_unlock(void)
{
	must(pthread_mutex_unlock(&disk.lock) == 0);
}

/* splitmix64 */
uint64_t
disk_random(void)
{
	uint64_t z = disk.random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}
/* ---- Faults ------------------------------------------------------------- */

enum fate
op_begin(void)
{
	errno = EIO;
	if (disk.off)
		return FATE_DEAD;
	disk.ops++;
	if (disk.ops == disk.off_at) {
		disk.off = true;
		return FATE_OFF;
	}
	if (disk.ops == disk.fail_at) {
		errno = disk.fail_sys;
		return FATE_FAILS;
	}
	return FATE_GOOD;
}

uint64_t
fs_fake_ops(void)
{
	disk_lock();
	uint64_t ops = disk.ops;
	disk_unlock();
	return ops;
}

void
fs_fake_power_off_in(uint64_t n)
{
	disk_lock();
	disk.off_at = n ? disk.ops + n : 0;
	disk_unlock();
}

bool
fs_fake_power_is_off(void)
{
	disk_lock();
	bool off = disk.off;
	disk_unlock();
	return off;
}

void
fs_fake_fail_in(uint64_t n, int sys)
{
	disk_lock();
	disk.fail_at = n ? disk.ops + n : 0;
	disk.fail_sys = sys;
	disk_unlock();
}

void
fs_fake_fail_sync_in(uint64_t n, int sys)
{
	disk_lock();
	disk.fail_sync_at = n ? disk.syncs + n : 0;
	disk.fail_sync_sys = sys;
	disk_unlock();
}

uint64_t
fs_fake_resyncs(void)
{
	disk_lock();
	uint64_t resyncs = disk.resyncs;
	disk_unlock();
	return resyncs;
}

void
fs_fake_set_space(uint64_t bytes)
{
	disk_lock();
	disk.space = bytes;
	disk_unlock();
}

void
fs_fake_on_sync(void (*call)(void *arg), void *arg)
{
	disk_lock();
	disk.on_sync = call;
	disk.on_sync_arg = arg;
	disk_unlock();
}

/* ---- Inodes: all with the lock held ------------------------------------- */

struct inode *
inode_new(bool is_dir)
{
	struct inode *inode = xcalloc(1, sizeof(*inode));

	inode->is_dir = is_dir;
	inode->locked_by = -1;
	inode->next = disk.inodes;
	disk.inodes = inode;
	return inode;
}

static struct page *
inode_page(struct inode *inode, uint64_t offset, bool make)
{
	size_t at = (size_t)(offset / PAGE);

	if (at >= inode->n_pages) {
		if (!make)
			return NULL;
		size_t n = at + 1 > 2 * inode->n_pages ? at + 1 : 2 * inode->n_pages;

		inode->pages = xrealloc(inode->pages, n * sizeof(inode->pages[0]));
		memset(inode->pages + inode->n_pages, 0,
		       (n - inode->n_pages) * sizeof(inode->pages[0]));
		inode->n_pages = n;
	}
	if (!inode->pages[at] && make)
		inode->pages[at] = xcalloc(1, sizeof(struct page));
	return inode->pages[at];
}

void
inode_write(struct inode *inode, const uint8_t *bytes, size_t n, uint64_t offset)
{
	if (offset + n > inode->size)
		inode->size = offset + n;
	while (n > 0) {
		size_t in_page = (size_t)(offset % PAGE);
		size_t step = n < PAGE - in_page ? n : PAGE - in_page;
		struct page *page = inode_page(inode, offset, bytes != NULL);

		if (page) {
			if (bytes)
				memcpy(page->now + in_page, bytes, step);
			else
				memset(page->now + in_page, 0, step);
			for (size_t s = in_page / FS_FAKE_SECTOR;
			     s <= (in_page + step - 1) / FS_FAKE_SECTOR; s++)
				page->dirty |= (uint8_t)(1u << s);
		}
		if (bytes)
			bytes += step;
		offset += step;
		n -= step;
	}
}

void
inode_read(struct inode *inode, uint8_t *to, size_t n, uint64_t offset)
{
	while (n > 0) {
		size_t in_page = (size_t)(offset % PAGE);
		size_t step = n < PAGE - in_page ? n : PAGE - in_page;
		struct page *page = inode_page(inode, offset, false);

		if (page)
			memcpy(to, page->now + in_page, step);
		else
			memset(to, 0, step);
		to += step;
		offset += step;
		n -= step;
	}
}

void
inode_set_size(struct inode *inode, uint64_t size)
{
	if (size < inode->size)
		inode_write(inode, NULL, (size_t)(inode->size - size), size);
	inode->size = size;
}

/* Every dirty sector becomes safe with a chance of `percent`, or is put back. */
static void
inode_settle(struct inode *inode, unsigned percent, bool put_back)
{
	for (size_t i = 0; i < inode->n_pages; i++) {
		struct page *page = inode->pages[i];

		for (unsigned s = 0; page && page->dirty && s < SECTORS; s++) {
			size_t at = s * FS_FAKE_SECTOR;

			if (!(page->dirty & (1u << s)))
				continue;
			if (disk_random() % 100 < percent)
				memcpy(page->safe + at, page->now + at, FS_FAKE_SECTOR);
			else if (!put_back)
				continue;
			page->dirty &= (uint8_t) ~(1u << s);
		}
	}
}

void
inode_sync(struct inode *inode)
{
	inode_settle(inode, 100, false);
	inode->safe_size = inode->size;
}

void
inode_fail_sync(struct inode *inode)
{
	for (size_t i = 0; i < inode->n_pages; i++) {
		if (inode->pages[i])
			inode->pages[i]->dirty = 0;
	}
	inode->sync_failed = true;
}

/* Power comes back: what is safe is all there is. */
static void
inode_lose_power(struct inode *inode, unsigned percent)
{
	inode_settle(inode, percent, true);
	if (disk_random() % 100 < percent)
		inode->safe_size = inode->size;
	for (size_t i = 0; i < inode->n_pages; i++) {
		struct page *page = inode->pages[i];
		uint64_t begin = (uint64_t)i * PAGE;

		if (!page)
			continue;
		if (begin >= inode->safe_size)
			memset(page->safe, 0, PAGE);
		else if (begin + PAGE > inode->safe_size)
			memset(page->safe + (inode->safe_size - begin), 0,
			       (size_t)(begin + PAGE - inode->safe_size));
		memcpy(page->now, page->safe, PAGE);
		page->dirty = 0;
	}
	inode->size = inode->safe_size;
	inode->sync_failed = false;
	inode->locked_by = -1;
}

static void
inode_free(struct inode *inode)
{
	for (size_t i = 0; i < inode->n_pages; i++)
		free(inode->pages[i]);
	free(inode->pages);
	free(inode);
}

/* ---- Names and directories: all with the lock held ---------------------- */

struct name *
name_of(const char *path)
{
	struct name *name;

	must(strlen(path) < PATH_BYTES);
	for (name = disk.names; name; name = name->next) {
		if (strcmp(name->path, path) == 0)
			return name;
	}
	name = xcalloc(1, sizeof(*name));
	memcpy(name->path, path, strlen(path) + 1);
	name->next = disk.names;
	disk.names = name;
	return name;
}

static struct inode *
inode_of(const char *path)
{
	return name_of(path)->now;
}

void
dir_of(const char *path, char out[PATH_BYTES])
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	must(n < PATH_BYTES);
	memcpy(out, path, n);
	out[n] = '\0';
}

static void
change_apply(const struct change *change)
{
	if (change->from && change->from->safe == change->inode)
		change->from->safe = NULL;
	change->to->safe = change->inode;
}

void
name_change(struct name *from, struct name *to, struct inode *inode)
{
	struct change *change = xcalloc(1, sizeof(*change));

	*change = (struct change){.from = from, .to = to, .inode = inode};
	dir_of(to->path, change->dir);
	if (from)
		from->now = NULL;
	to->now = inode;
	if (change->dir[0] == '\0') {
		change_apply(change);
		free(change);
		return;
	}
	if (!disk.changes_end)
		disk.changes_end = &disk.changes;
	*disk.changes_end = change;
	disk.changes_end = &change->next;
}

void
changes_settle(const char *dir, unsigned percent, bool forget)
{
	struct change **link = &disk.changes;

	while (*link) {
		struct change *change = *link;
		bool ours = !dir || strcmp(dir, change->dir) == 0;
		bool keep = ours && disk_random() % 100 < percent;

		if (keep)
			change_apply(change);
		if (keep || (ours && forget)) {
			*link = change->next;
			free(change);
		} else {
			link = &change->next;
		}
	}
	disk.changes_end = link;
}

bool
dir_exists(const char *dir)
{
	return dir[0] == '\0' || (inode_of(dir) && inode_of(dir)->is_dir);
}

uint64_t
fs_fake_used(void)
{
	uint64_t used = 0;

	disk_lock();
	for (struct name *name = disk.names; name; name = name->next)
		used += name->now ? name->now->size : 0;
	disk_unlock();
	return used;
}

uint64_t
disk_room(uint64_t bytes)
{
	uint64_t used = 0;

	if (disk.space == UINT64_MAX)
		return bytes;
	for (struct name *name = disk.names; name; name = name->next)
		used += name->now ? name->now->size : 0;
	uint64_t left = disk.space > used ? disk.space - used : 0;
	return bytes < left ? bytes : left;
}

/* ---- Life of the disk --------------------------------------------------- */

static void
fds_close_all(void)
{
	for (int i = 0; i < FDS_MAX; i++) {
		if (disk.fds[i])
			disk.fds[i]->locked_by = -1;
		disk.fds[i] = NULL;
	}
}

void
fs_fake_reset(uint64_t seed)
{
	disk_lock();
	fds_close_all();
	changes_settle(NULL, 0, true);
	while (disk.names) {
		struct name *next = disk.names->next;

		free(disk.names);
		disk.names = next;
	}
	while (disk.inodes) {
		struct inode *next = disk.inodes->next;

		inode_free(disk.inodes);
		disk.inodes = next;
	}
	disk.random = seed;
	disk.ops = disk.syncs = disk.resyncs = 0;
	disk.off_at = disk.fail_at = disk.fail_sync_at = 0;
	disk.space = UINT64_MAX;
	disk.off = false;
	disk.on_sync = NULL;
	disk_unlock();
}

void
fs_fake_power_on(void)
{
	/* all lost, nearly all lost, half, nearly all there, all there */
	const unsigned chances[] = {0, 10, 50, 90, 100};

	disk_lock();
	unsigned files = chances[disk_random() % ARRAY_LEN(chances)];
	unsigned names = chances[disk_random() % ARRAY_LEN(chances)];

	fds_close_all();
	for (struct inode *inode = disk.inodes; inode; inode = inode->next)
		inode_lose_power(inode, files);
	changes_settle(NULL, names, true);
	for (struct name *name = disk.names; name; name = name->next)
		name->now = name->safe;
	disk.off = false;
	disk.off_at = disk.fail_at = disk.fail_sync_at = 0;
	disk_unlock();
}

void
fs_fake_kill_process(void)
{
	disk_lock();
	fds_close_all();
	disk_unlock();
}
/* ---- Looking and tampering ---------------------------------------------- */

bool
fs_fake_exists(const char *path)
{
	disk_lock();
	bool there = inode_of(path) != NULL;
	disk_unlock();
	return there;
}

uint8_t *
fs_fake_get(const char *path, size_t *n)
{
	uint8_t *bytes = NULL;

	disk_lock();
	struct inode *inode = inode_of(path);
	if (inode) {
		*n = (size_t)inode->size;
		bytes = xcalloc(1, *n + 1);
		inode_read(inode, bytes, *n, 0);
	}
	disk_unlock();
	return bytes;
}

/* Lock held: what tampering changed is on the disk, and so is all before it. */
static void
name_settle(struct name *name, struct inode *inode)
{
	name->now = inode;
	changes_settle(NULL, 100, false);
	name->safe = inode;
}

void
fs_fake_put(const char *path, const void *bytes, size_t n)
{
	disk_lock();
	struct inode *inode = inode_new(false);
	if (n > 0)
		inode_write(inode, bytes, n, 0);
	inode_sync(inode);
	name_settle(name_of(path), inode);
	disk_unlock();
}

void
fs_fake_remove(const char *path)
{
	disk_lock();
	name_settle(name_of(path), NULL);
	disk_unlock();
}

void
fs_fake_move(const char *from, const char *to)
{
	disk_lock();
	struct inode *inode = inode_of(from);
	name_settle(name_of(from), NULL);
	name_settle(name_of(to), inode);
	disk_unlock();
}
