/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's certificates: loaded at the start, loaded again when asked, watched
 * for their end; and the memory of the clients that were here, which lies on the
 * disk between two runs.
 *
 * New certificates hold for new connections.  Those that stand stay, but for those
 * whose certificate has been revoked.  Where a file is not usable, everything
 * stays as it was.
 *
 * Owner: the main thread.
 */
#include <stdlib.h>

#include "base/log.h"
#include "daemon/gatehoused.h"

/* ---- Loading --------------------------------------------------------------- */

static enum rc
certificates_load(struct gatehoused *daemon, struct tls **tls, struct err *err)
{
	const struct settings *settings = &daemon->settings;
	struct tls_files files = {
		.ca = settings->tls_ca,
		.certificate = settings->tls_certificate,
		.key = settings->tls_key,
		.revoked = settings->tls_revoked[0] != '\0' ? settings->tls_revoked : NULL,
	};
	enum rc rc = tls_server_new(tls, &files, err);

	if (rc == RC_OK && daemon->tls_sessions != NULL)
		tls_resume_at_server(*tls, daemon->tls_sessions);
	return rc;
}

enum rc
gatehoused_open_tls(struct gatehoused *daemon, struct err *err)
{
	struct tls_sessions_conf conf = {
		.max = (size_t)daemon->settings.resume_max,
		.lifetime_s = daemon->settings.resume_s,
	};

	if (conf.lifetime_s > 0)
		daemon->tls_sessions = tls_sessions_new(&conf);
	return certificates_load(daemon, &daemon->tls, err);
}

void
gatehoused_reload_tls(struct gatehoused *daemon)
{
	struct tls *tls;
	struct err err;

	if (certificates_load(daemon, &tls, &err) != RC_OK) {
		log_error("daemon", "certificates not loaded, those of before stay: %s", err.msg);
		return;
	}
	tls_unref(&daemon->tls);
	daemon->tls = tls;
	daemon->certificate_warned = 0;
	for (unsigned i = 0; i < daemon->n_workers; i++) {
		struct worker_tls *mail = xcalloc(1, sizeof(*mail));

		mail->mail.kind = WORKER_MAIL_TLS;
		mail->tls = tls_ref(tls);
		mailbox_post(worker_mailbox(daemon->workers[i]), &mail->mail);
	}
	log_info("daemon", "certificates loaded days_left=%d", tls_days_left(tls));
	gatehoused_watch_certificate(daemon);
}

/* ---- Its end ---------------------------------------------------------------- */

void
gatehoused_watch_certificate(struct gatehoused *daemon)
{
	static const int days_before[] = {30, 7, 1, 0};
	int left = tls_days_left(daemon->tls);
	unsigned passed = 0;

	while (passed < ARRAY_LEN(days_before) && left < days_before[passed])
		passed++;
	if (passed <= daemon->certificate_warned)
		return;
	daemon->certificate_warned = passed;
	if (left < 0)
		log_error("daemon", "certificate \"%s\" has ended: clients refuse it",
			  daemon->settings.tls_certificate);
	else
		log_warning("daemon", "certificate \"%s\" ends in %d days",
			    daemon->settings.tls_certificate, left);
}

/* ---- Sessions over a restart ------------------------------------------------- */

void
gatehoused_load_tls_sessions(struct gatehoused *daemon)
{
	struct err err;
	enum rc rc;

	if (daemon->tls_sessions == NULL)
		return;
	rc = tls_sessions_load(daemon->tls_sessions, daemon->settings.state_dir, &err);
	if (rc == RC_OK)
		log_info("daemon", "clients that may come back by a short handshake: %zu",
			 tls_sessions_count(daemon->tls_sessions));
	else if (rc != RC_EOF)
		log_warning("daemon", "sessions of clients not used: %s", err.msg);
}

void
gatehoused_save_tls_sessions(struct gatehoused *daemon)
{
	struct err err;

	if (daemon->tls_sessions != NULL &&
	    tls_sessions_save(daemon->tls_sessions, daemon->settings.state_dir, &err) != RC_OK)
		log_warning("daemon", "sessions of clients not saved: %s", err.msg);
}
