/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that wait for an answer from elsewhere.  Bounded; one whose connection
 * ends meanwhile is forgotten, and nobody is found for its answer.
 *
 * Time is the caller's, monotonic milliseconds.  Owner: the thread of the loop.
 */
#ifndef GATEHOUSE_WEB_PENDING_H
#define GATEHOUSE_WEB_PENDING_H

#include "base/base.h"

struct evhttp_request;
struct pending;

struct pending *pending_new(size_t max);
/* What still waits is dropped with its server. */
void pending_free(struct pending **pending);

/* Takes the request, and says by which ticket its answer finds it, from 1; RC_AGAIN: too
 * many wait.  `of`: what it waits for. */
enum rc pending_add(struct pending *pending, struct evhttp_request *request, const void *of,
		    uint64_t now_ms, uint64_t *ticket) MUST_CHECK;
/* Gives it back; NULL when it is gone, or there was none. */
struct evhttp_request *pending_take(struct pending *pending, uint64_t ticket);
/* One that waits for that, or NULL; one that has waited since before, or NULL. */
struct evhttp_request *pending_take_of(struct pending *pending, const void *of);
struct evhttp_request *pending_take_old(struct pending *pending, uint64_t before_ms);

#endif
