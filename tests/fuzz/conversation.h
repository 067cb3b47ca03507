/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzzers of whole conversations share: one site with a controller and a door,
 * steps as the input has them, and answers that are frames.
 *
 * The input is a row of steps.  A step is a byte and what belongs to it: below
 * CONVERSATION_STEP_MIN so many bytes that the peer says in one piece; from there on, what
 * happens around it.  The fuzzer names those steps, and they are the meaning of its corpus.
 */
#ifndef GATEHOUSE_TESTS_FUZZ_CONVERSATION_H
#define GATEHOUSE_TESTS_FUZZ_CONVERSATION_H

#include "../fake/stream_fake.h"
#include "register/register.h"
#include "wire/frame.h"

enum { ELM = 7, SITE = 41, ELM_FRONT = 71 };
enum { CONVERSATION_STEP_MIN = 0xf0, CONVERSATION_STEPS_MAX = 100, ANSWER_MAX = 65536 };

/* A register that takes more before it is built. */
static inline struct reg_builder *
conversation_register(void)
{
	struct reg_builder *b = reg_builder_new();

	reg_add_station(b, 1, "C", "Centre");
	reg_add_area(b, 11, 0, 1, "north", "North");
	reg_add_site(b, SITE, 11, "elm", "Elm Court", "Elm Road 1");
	reg_add_controller(b, ELM, SITE, "elm-1", true);
	reg_add_door(b, &(struct door){.id = ELM_FRONT,
				       .site_id = SITE,
				       .controller_id = ELM,
				       .number = 1,
				       .code = "elm-front",
				       .name = "Front"});
	return b;
}

/* Takes the builder. */
static inline struct reg *
conversation_build(struct reg_builder *b)
{
	struct reg *reg = NULL;
	struct err err;

	if (reg_build(&b, 1, &reg, &err) != RC_OK)
		fatal("%s", err.msg);
	return reg;
}

struct conversation {
	struct stream *stream; /* the fuzzer's; another one after its peer came again */
	void (*happen)(void *arg, uint8_t step);
	void (*turn)(void *arg); /* behind each step */
	void (*on_answer)(void *arg, const uint8_t *payload, size_t n);
	void *arg;
};

static inline void
conversation_run(struct conversation *c, const uint8_t *data, size_t n)
{
	for (int i = 0; n > 0 && i < CONVERSATION_STEPS_MAX; i++) {
		uint8_t step = *data++;

		n--;
		if (step < CONVERSATION_STEP_MIN) {
			size_t len = step < n ? step : n;

			stream_fake_say(c->stream, data, len);
			data += len;
			n -= len;
		} else {
			c->happen(c->arg, step);
		}
		c->turn(c->arg);
	}
}

/* Each answer so far, which must be whole; the kernel has taken them then. */
static inline void
conversation_answers(struct conversation *c)
{
	size_t n = buf_len(&c->stream->out), len, used;
	const uint8_t *at = n > 0 ? buf_front(&c->stream->out) : NULL, *payload;

	while (n > 0) {
		must(frame_parse(at, n, ANSWER_MAX, &payload, &len, &used) == FRAME_WHOLE);
		c->on_answer(c->arg, payload, len);
		at += used;
		n -= used;
	}
	stream_fake_drain(c->stream);
}

#endif
