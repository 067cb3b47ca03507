/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One page of a dispatcher: signed in by a link as a browser is, with two connections, one
 * for what it asks and one for the stream.  It looks into an event no further than it
 * must: changes are told apart by their positions, and the times in one are read once for
 * all pages.
 *
 * Owner: the one thread of the program.
 */
#ifndef GATEHOUSE_TESTS_PAGE_CLIENT_H
#define GATEHOUSE_TESTS_PAGE_CLIENT_H

#include <netinet/in.h>
#include <openssl/ssl.h>

#include "sim/latency.h"

enum {
	PAGE_READ_BYTES = 16 * 1024,  /* the longest TLS record */
	PAGE_EVENT_BYTES = 64 * 1024, /* of an event that is not whole yet, and a read */
	PAGE_COOKIE_MAX = 160,
	PAGE_TO_SHOW_MAX = 64, /* as the page's own limit for one request */
};

struct page;
struct pages;

/* One connection of a page. */
struct page_link {
	struct page *page;
	SSL *ssl;
	int fd;
	bool open; /* the handshake is done */
	size_t kept;
	char in[PAGE_READ_BYTES + 1024]; /* of a header, or of a chunk's line */
};

struct page {
	struct pages *all;
	const char *secret;
	char cookie[PAGE_COOKIE_MAX], token[PAGE_COOKIE_MAX];
	struct page_link ask, stream;
	bool asking;    /* a reply is to come */
	bool streaming; /* the stream's header came */
	bool ready;     /* it knows what stands */
	size_t left;    /* of the chunk */
	size_t n_text;
	char text[PAGE_EVENT_BYTES]; /* of the event that is not whole yet */
	size_t seen;                 /* changes */
	/* what it will say that it shows */
	uint64_t show_at_ms; /* 0: nothing */
	size_t n_to_show;
	struct {
		uint64_t alarm_id;
		uint32_t change;
	} to_show[PAGE_TO_SHOW_MAX];
};

/* A change of an alarm, as the first page that got it read it. */
struct page_change {
	uint64_t alarm_id, position;
	uint32_t change;               /* of its alarm, from 1 */
	bool waits;                    /* for a dispatcher */
	int64_t device_us, durable_us; /* wall clock; 0: nothing that a controller did */
	int64_t last_us;               /* when the last page had it */
};

/* What is the same for all, and what became of them. */
struct pages {
	SSL_CTX *ctx;
	int epoll;
	struct sockaddr_in address;
	char host[64];          /* of the server, as in a request */
	uint64_t show_after_ms; /* 0: pages say nothing of what they show */
	struct page *pages;
	size_t n, ready;
	/* In the order of the stream; every page must have the same. */
	struct page_change *changes;
	size_t n_changes, capacity;
	uint64_t wrong;   /* changes that are not that which others had there: lost or double */
	uint64_t resyncs; /* after the first */
	uint64_t shown;   /* requests that said so */
	struct latency since_sent, since_durable; /* of what controllers did, over all pages */
};

SSL_CTX *pages_context_new(void);
/* Begins to sign in.  Borrows the secret.  What goes wrong ends the program. */
void page_begin(struct page *page, struct pages *all, const char *secret);
/* Its descriptor is ready for something. */
void page_link_wake(struct page_link *link);
/* Says what is shown, when it is time. */
void page_tick(struct page *page, uint64_t now_ms);
void page_end(struct page *page);

#endif
