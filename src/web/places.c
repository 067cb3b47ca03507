/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with a lock, and a thread that replaces files in it. */
#include "web/places.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

#define PLACES_LOCK "lock"

/* Owner: who opened it; the thread has the folder's name and the mailboxes. */
struct places {
	char *dir;
	int lock_fd;
	struct mailbox box, *answers;
	pthread_t thread;
	atomic_bool stop;
};

void
place_mail_free(struct place_mail **mail)
{
	if (*mail == NULL)
		return;
	free((*mail)->text);
	free(*mail);
	*mail = NULL;
}

static void
places_write(struct places *places, struct place_mail *mail)
{
	char *name = xasprintf("%s.place", mail->name);

	mail->rc = fs_replace_file(places->dir, name, mail->text, strlen(mail->text), &mail->err);
	free(name);
	mail->mail.kind = PLACES_MAIL_SAVED;
	mailbox_post(places->answers, &mail->mail);
}

static void *
places_run(void *arg)
{
	struct places *places = arg;
	bool stop;

	do {
		struct mail *mail;

		(void)mailbox_wait(&places->box, -1);
		/* before the mail is taken: what was posted before the stop is written */
		stop = atomic_load(&places->stop);
		mail = mailbox_take_all(&places->box);
		while (mail != NULL) {
			struct mail *next = mail->next;

			places_write(places, CONTAINER_OF(mail, struct place_mail, mail));
			mail = next;
		}
	} while (!stop);
	return NULL;
}

static enum rc
places_lock(struct places *places, struct err *err)
{
	char *path = xasprintf("%s/" PLACES_LOCK, places->dir);
	enum rc rc = fs_open(path, FS_READ_WRITE, &places->lock_fd, err);

	if (rc != RC_OK && err->sys == ENOENT)
		rc = fs_open(path, FS_CREATE_KEY, &places->lock_fd, err);
	if (rc == RC_OK)
		rc = fs_lock(places->lock_fd, err);
	if (rc == RC_AGAIN)
		(void)err_fail(err, "another gatehouse-web uses \"%s\"", places->dir);
	free(path);
	return rc;
}

static void
places_free(struct places *places)
{
	fs_close(places->lock_fd);
	mailbox_fini(&places->box);
	free(places->dir);
	free(places);
}

enum rc
places_open(struct places **out, const char *dir, struct mailbox *answers, struct err *err)
{
	struct places *places = xcalloc(1, sizeof(*places));
	enum rc rc = mailbox_init(&places->box, err);

	if (rc != RC_OK) {
		free(places);
		return rc;
	}
	places->answers = answers;
	places->dir = xstrdup(dir);
	places->lock_fd = -1;
	rc = fs_make_dir(dir, err);
	if (rc == RC_OK)
		rc = places_lock(places, err);
	if (rc == RC_OK && pthread_create(&places->thread, NULL, places_run, places) != 0)
		rc = err_fail(err, "could not start a thread");
	if (rc != RC_OK) {
		places_free(places);
		return rc;
	}
	*out = places;
	return RC_OK;
}

enum rc
places_load(const struct places *places, const char *name, char **text, struct err *err)
{
	char *path = xasprintf("%s/%s.place", places->dir, name);
	uint8_t *bytes = NULL;
	size_t n;
	enum rc rc = fs_read_file(path, PLACE_BYTES_MAX, &bytes, &n, err);

	if (rc == RC_FAIL && err->sys == ENOENT)
		rc = RC_OK;
	*text = (char *)bytes;
	free(path);
	return rc;
}

void
places_save(struct places *places, struct place_mail *mail)
{
	mail->mail.kind = PLACES_MAIL_SAVE;
	mailbox_post(&places->box, &mail->mail);
}

void
places_close(struct places **out)
{
	struct places *places = *out;

	if (places == NULL)
		return;
	*out = NULL;
	atomic_store(&places->stop, true);
	mailbox_ring(&places->box);
	(void)pthread_join(places->thread, NULL);
	places_free(places);
}
