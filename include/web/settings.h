/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every limit and choice of gatehouse-web: one struct, filled from one YAML file by
 * the table in web/settings.c, which also is the reference in conf/gatehouse-web.yaml.
 * gatehousectl reads the same file.
 *
 * Immutable after loading; any thread.
 */
#ifndef GATEHOUSE_WEB_SETTINGS_H
#define GATEHOUSE_WEB_SETTINGS_H

#include <stdio.h>

#include "base/base.h"
#include "wire/tls.h"

#define WEB_CONFIG_DEFAULT "/etc/gatehouse-web/gatehouse-web.yaml"

enum { WEBHOOKS_MAX = 32, WEBHOOK_NAME_MAX = 64, WEBHOOK_KINDS_MAX = 64 };

/* Who wants to be called. */
struct webhook_settings {
	char *name, *url, *station;
	char *secret_file, *ca_file; /* ca_file "": the system's authorities */
	int64_t severity_min;        /* enum severity */
	char *kinds;                 /* names with commas between them; "": all */
};

struct web_settings {
	/* http */
	char *address;
	int64_t port;
	char *public_url; /* "" : made of the certificate's first name and the port */
	char *static_dir, *plans_dir;
	int64_t connections_max;
	int64_t headers_max_kb, body_max_kb;
	int64_t idle_s;
	int64_t requests_per_minute; /* of one address */

	/* tls */
	char *tls_ca, *tls_certificate, *tls_key;
	char *tls_revoked; /* "": no lists */

	/* state */
	char *state_dir;

	/* daemon */
	char *consoles_dir; /* enrolled consoles, one for each station */
	int64_t linger_s;   /* a station that nobody watches is left after this */
	int64_t retry_ms;
	int64_t actions_max;

	/* postgresql */
	char *conninfo;
	int64_t connect_timeout_s, statement_timeout_ms;
	int64_t postgresql_retry_ms, postgresql_retry_max_ms;
	int64_t refresh_s; /* the consoles' rights */
	int64_t kept_s;    /* so old may they be at a start without PostgreSQL */
	int64_t questions_max;

	/* session */
	int64_t link_s, session_idle_s, session_max_s;
	int64_t sessions_max, sessions_per_console;
	int64_t session_requests_per_minute;
	int64_t attempts_per_minute; /* to sign in, of one address */

	/* stream */
	int64_t history;  /* changes of one station */
	int64_t queue_kb; /* unsent, of one page */
	int64_t keepalive_s;
	int64_t stall_s;

	/* webhook: of each one */
	bool webhook_loopback_http;
	int64_t webhook_timeout_ms;
	int64_t webhook_attempts;
	int64_t webhook_retry_first_ms, webhook_retry_factor, webhook_retry_max_s;
	int64_t webhook_under_way, webhook_queue;
	int64_t webhook_answer_kb;
	int64_t webhook_save_ms;

	char *control_socket;

	/* log */
	int64_t log_level;  /* enum log_level */
	int64_t log_target; /* enum log_target */

	/* webhooks */
	struct webhook_settings *webhooks;
	size_t n_webhooks;
};

enum rc web_settings_load(const char *path, struct web_settings *settings,
			  struct err *err) MUST_CHECK;
void web_settings_free(struct web_settings *settings);

/* Borrowed from the settings. */
struct tls_files web_tls_files(const struct web_settings *settings);
/* Kinds by their codes from names with commas between them. */
enum rc webhook_kinds_read(const char *text, uint16_t kinds[WEBHOOK_KINDS_MAX], size_t *n,
			   struct err *err) MUST_CHECK;

/* The commented reference: conf/gatehouse-web.yaml is exactly this. */
void web_settings_write_reference(FILE *out);

#endif
