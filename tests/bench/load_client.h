/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One controller of the load: the contract as cheaply as it can be spoken, so that
 * what is measured is the server.  Each record is a TLS record of its own; what goes
 * out at once goes out by one write().
 *
 * Owner: the one thread of the program.
 */
#ifndef GATEHOUSE_TESTS_LOAD_CLIENT_H
#define GATEHOUSE_TESTS_LOAD_CLIENT_H

#include <openssl/ssl.h>

#include "sim/enrolment.h"

enum client_state {
	CLIENT_AWAY,
	CLIENT_SHAKING,  /* connecting, or in the handshake */
	CLIENT_GREETING, /* said hello */
	CLIENT_READY,    /* was welcomed */
	CLIENT_CLOSING,  /* said goodbye, waits for the other side to close */
};

struct load;

struct client {
	struct load *load;
	const struct enrolment *enrolment;
	X509 *certificate;
	EVP_PKEY *key;
	SSL *ssl;
	SSL_SESSION *session; /* the last ticket's; NULL: none came */
	int fd;
	enum client_state state;
	uint64_t retry_at_ms;
	uint64_t seed; /* of its records' content */
	/* acked <= sent <= allowed */
	uint64_t acked, sent, allowed;
	uint32_t number;
	uint16_t kept; /* bytes of a frame that is not whole yet */
	uint8_t in[512];
};

/* What is the same for all clients, and what became of them. */
struct load {
	SSL_CTX *ctx;
	int epoll;
	struct client *clients;
	size_t n;
	unsigned source_addresses;
	uint64_t epoch, window;
	int64_t base_us;     /* device time of a backlog's last record */
	uint64_t spacing_us; /* between two records of a backlog; 0: they happen now */
	bool greet;          /* say hello after the handshake, else goodbye */
	bool resume;         /* by the ticket, where there is one */
	/* now */
	size_t shaking, ready, away;
	/* since load_begin() */
	uint64_t handshakes, resumed, tickets, failed, acked, writes;
	char suite[64], group[32]; /* of the last handshake */
	char problem[256];         /* of the last failure, or empty */
};

/* Borrows the enrolment. */
void client_init(struct client *client, struct load *load, const struct enrolment *enrolment,
		 uint32_t number);
void client_free(struct client *client);

/* Begins a connection; a failure is counted, and tried again later. */
void client_connect(struct client *client);
/* Its descriptor is ready for something. */
void client_wake(struct client *client);
/* Sends what window and allowance let it. */
void client_send(struct client *client);
/* Says goodbye; away when the server has closed, too. */
void client_close(struct client *client);

SSL_CTX *client_context_new(void);

#endif
