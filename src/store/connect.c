/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the link: host by host, without blocking.
 *
 * libpq would go through the hosts by itself, but its asynchronous connecting
 * knows no time limit: a first host that accepts and then says nothing (stopped
 * process, half a failover) would hide the others for ever.  So each host gets an
 * attempt and a time limit of its own.
 *
 * Does not look up names asynchronously: libpq resolves a host name when an
 * attempt begins, for as long as the resolver takes.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "link.h"

/* The conninfo's lists; NULL where it has none. */
struct hosts {
	const char *host, *hostaddr, *port;
	size_t n; /* at least 1 */
};

static size_t
hosts_count(const char *list)
{
	size_t n = 1;

	if (list == NULL)
		return 0;
	for (const char *comma = strchr(list, ','); comma != NULL; comma = strchr(comma + 1, ','))
		n++;
	return n;
}

/* Returns new: the i-th of the list, or all of it where it has one for all hosts. */
static char *
hosts_item(const char *list, size_t i)
{
	if (list == NULL)
		return NULL;
	if (hosts_count(list) > 1) {
		for (; i > 0; i--)
			list = strchr(list, ',') + 1;
	}
	return xasprintf("%.*s", (int)strcspn(list, ","), list);
}

static const char *
hosts_option(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword != NULL; options++) {
		if (strcmp(options->keyword, keyword) == 0)
			return options->val != NULL && options->val[0] != '\0' ? options->val
									       : NULL;
	}
	return NULL;
}

/* Borrows from `options`. */
static enum rc
hosts_find(const PQconninfoOption *options, struct hosts *hosts, struct err *err)
{
	size_t names, addresses, ports;

	hosts->host = hosts_option(options, "host");
	hosts->hostaddr = hosts_option(options, "hostaddr");
	hosts->port = hosts_option(options, "port");
	names = hosts_count(hosts->host);
	addresses = hosts_count(hosts->hostaddr);
	ports = hosts_count(hosts->port);
	hosts->n = names > addresses ? names : addresses;
	if (hosts->n == 0)
		hosts->n = 1;
	if ((names > 0 && names != hosts->n) || (addresses > 0 && addresses != hosts->n) ||
	    (ports > 1 && ports != hosts->n))
		return err_fail(err,
				"could not connect: host, hostaddr and port name different numbers"
				" of servers");
	return RC_OK;
}

static void
link_on_notice(void *arg, const char *message)
{
	(void)arg;
	log_debug("store", "postgresql says %s", message);
}

static enum rc
link_handshake(struct link *link, struct err *err)
{
	/* as libpq wants it: behave as if the last answer had been "writing" */
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	uint64_t deadline_ms = clock_mono_ms() + link->conf->connect_timeout_ms;

	if (link->conn == NULL)
		return err_fail(err, "could not connect: out of memory");
	while (PQstatus(link->conn) != CONNECTION_BAD && status != PGRES_POLLING_OK) {
		short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;

		if (link_wait(link, events, deadline_ms, err) != RC_OK)
			return RC_FAIL;
		status = PQconnectPoll(link->conn);
		if (status == PGRES_POLLING_FAILED)
			break;
	}
	if (status != PGRES_POLLING_OK)
		return link_fail(link, "connect", err);
	if (PQsetnonblocking(link->conn, 1) != 0)
		return link_fail(link, "make the connection non-blocking", err);
	return RC_OK;
}

/*
 * What stands before `dbname` is a default that the conninfo may change, what
 * stands behind it wins over the conninfo.  The kernel's time limit on
 * unanswered bytes covers what happens while nobody waits for an answer.
 */
static enum rc
link_open_host(struct link *link, const struct hosts *hosts, size_t i, struct err *err)
{
	char *host = hosts->n > 1 ? hosts_item(hosts->host, i) : NULL;
	char *hostaddr = hosts->n > 1 ? hosts_item(hosts->hostaddr, i) : NULL;
	char *port = hosts->n > 1 ? hosts_item(hosts->port, i) : NULL;
	char *name = xasprintf("gatehoused node %u", link->conf->node);
	char *unanswered_ms =
		xasprintf("%llu", (unsigned long long)link->conf->statement_timeout_ms);
	const char *const keywords[] = {"application_name",
					"target_session_attrs",
					"keepalives_idle",
					"keepalives_interval",
					"keepalives_count",
					"tcp_user_timeout",
					"dbname",
					"client_encoding",
					"host",
					"hostaddr",
					"port",
					NULL};
	const char *const values[] = {
		name,   "read-write", "10",     "5",  "3", unanswered_ms, link->conf->conninfo,
		"UTF8", host,         hostaddr, port, NULL};
	enum rc rc;

	link->conn = PQconnectStartParams(keywords, values, 1);
	if (link->conn != NULL)
		PQsetNoticeProcessor(link->conn, link_on_notice, NULL);
	rc = link_handshake(link, err);
	if (rc != RC_OK)
		link_close(link);
	free(host);
	free(hostaddr);
	free(port);
	free(name);
	free(unanswered_ms);
	return rc;
}

enum rc
link_open(struct link *link, struct err *err)
{
	char *mistake = NULL;
	PQconninfoOption *options = PQconninfoParse(link->conf->conninfo, &mistake);
	struct hosts hosts;
	enum rc rc;

	must(link->conn == NULL);
	if (options == NULL) {
		/* libpq's words could repeat a password */
		rc = err_fail(err, "could not connect: the connection string is not valid");
		goto out;
	}
	rc = hosts_find(options, &hosts, err);
	if (rc != RC_OK)
		goto out;
	rc = RC_FAIL;
	for (size_t i = 0; i < hosts.n && rc != RC_OK; i++)
		rc = link_open_host(link, &hosts, i, err);
out:
	PQfreemem(mistake);
	PQconninfoFree(options);
	return rc;
}
