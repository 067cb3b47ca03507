/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for a test, made once by the openssl program: a CA, a server, and
 * clients whose identity is urn:gatehouse:ROLE:NAME.
 */
#ifndef GATEHOUSE_TESTS_SUPPORT_CERTIFICATES_H
#define GATEHOUSE_TESTS_SUPPORT_CERTIFICATES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/tls.h"

/* Into `dir`, where a CA is: NAME.pem and NAME.key for each of `names`, which are
 * separated by spaces.  0 when it worked, as cmocka's setups want it. */
static inline int
certificates_add(const char *dir, const char *role, const char *names)
{
	static const char script[] =
		"cd %s && exec 2>/dev/null && "
		"new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes' && "
		"for who in %s; do "
		"echo subjectAltName=URI:urn:gatehouse:%s:$who >$who.ext && "
		"openssl req $new -keyout $who.key -out $who.csr -subj /CN=$who && "
		"openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
		"-extfile $who.ext -out $who.pem || exit 1; done";
	char *command = xasprintf(script, dir, names, role);
	int result = system(command);

	free(command);
	return result;
}

/* The same with a new CA, and a server. */
static inline int
certificates_make(const char *dir, const char *role, const char *names)
{
	static const char script[] =
		"cd %s && exec 2>/dev/null && "
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
		"-keyout ca.key -out ca.pem -days 2 -subj /CN=ca";
	char *command = xasprintf(script, dir), *all = xasprintf("server %s", names);
	int result = system(command);

	if (result == 0)
		result = certificates_add(dir, role, all);
	free(command);
	free(all);
	return result;
}

static inline struct tls *
certificates_tls(const char *dir, const char *who, bool server)
{
	char *ca = xasprintf("%s/ca.pem", dir), *certificate = xasprintf("%s/%s.pem", dir, who),
	     *key = xasprintf("%s/%s.key", dir, who);
	struct tls_files files = {.ca = ca, .certificate = certificate, .key = key};
	struct tls *tls = NULL;
	struct err err;

	if ((server ? tls_server_new : tls_client_new)(&tls, &files, &err) != RC_OK)
		fail_msg("%s", err.msg);
	free(ca);
	free(certificate);
	free(key);
	return tls;
}

#endif
