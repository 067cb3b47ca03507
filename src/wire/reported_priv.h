/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both who read a Record share: a controller's (reported.c) and a registration
 * desk's (registration.c).
 */
#ifndef GATEHOUSE_WIRE_REPORTED_PRIV_H
#define GATEHOUSE_WIRE_REPORTED_PRIV_H

#include "pb.h"
#include "wire/controller_msg.h"
#include "wire/kind.h"

/* 2000-01-01 and 2100-01-01 in microseconds of Unix time: what lies outside is
 * no clock that is off but a field that is broken. */
#define TIME_MIN_US (INT64_C(946684800) * 1000000)
#define TIME_MAX_US (INT64_C(4102444800) * 1000000)

static inline const Gatehouse__V1__Record *
reported_pb(const struct reported *reported)
{
	return (const Gatehouse__V1__Record *)(const void *)reported;
}

/* Each: REJECT_NONE, or why not. */
enum reject reported_check_time(const Gatehouse__V1__Record *pb, struct err *err) MUST_CHECK;
enum reject reported_check_card(const Gatehouse__V1__Record *pb, const struct kind *kind,
				struct err *err) MUST_CHECK;

#endif
