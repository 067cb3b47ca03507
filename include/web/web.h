/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gatehouse-web: all its parts on one loop, and the thread that asks PostgreSQL.
 */
#ifndef GATEHOUSE_WEB_WEB_H
#define GATEHOUSE_WEB_WEB_H

#include "base/log.h"
#include "base/loop.h"
#include "base/operator.h"
#include "web/actions.h"
#include "web/directory.h"
#include "web/feeds.h"
#include "web/files.h"
#include "web/rates.h"
#include "web/reader.h"
#include "web/sessions.h"
#include "web/settings.h"
#include "web/upstream.h"
#include "web/webhooks.h"
#include "wire/https.h"

struct questions;

/* Owner: the main thread. */
struct web {
	struct web_settings settings;
	struct loop *loop;
	struct stream_set *streams;
	struct https *https;
	uint16_t port;
	struct web_files *files;
	struct sessions *sessions;
	struct rates *requests, *attempts; /* by address */
	struct rates *signed_in;           /* by session */
	struct directory *directory;
	struct upstreams *upstreams;
	struct feeds *feeds;
	struct webhooks *webhooks; /* NULL: none is configured */
	struct reader *reader;
	struct questions *questions;
	struct actions *actions;
	struct operator_socket *operators;
	uint64_t refreshed_ms; /* when the directory was asked for */
	bool refreshing;
	struct log_pace keep_pace;
	uint64_t started_ms;
};

/* The way to the daemon by these settings; `streams` may be NULL where nothing is to be
 * connected. */
enum rc web_new_upstreams(struct upstreams **upstreams, struct web *web, struct stream_set *streams,
			  struct err *err) MUST_CHECK;
/* From settings that are loaded.  On failure web_close() takes back what there is. */
enum rc web_open(struct web *web, struct err *err) MUST_CHECK;
/* Until SIGTERM or SIGINT. */
void web_run(struct web *web);
void web_close(struct web *web);

/* api.c: answers one request. */
void web_on_request(struct evhttp_request *request, void *web);

#endif
