/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse-web: the whole run. */
#include "base/log.h"
#include "base/server.h"
#include "base/version.h"
#include "web/web.h"

const char *argp_program_version = "gatehouse-web " GATEHOUSE_VERSION;

/* Only what webhooks need of the consoles is looked at: their stations. */
static enum rc
test_webhooks(struct web *web, struct err *err)
{
	struct upstreams *upstreams = NULL;
	enum rc rc;

	if (web->settings.n_webhooks == 0)
		return RC_OK;
	rc = web_new_upstreams(&upstreams, web, NULL, err);
	if (rc == RC_OK)
		rc = webhooks_check(&web->settings, upstreams, err);
	upstreams_free(&upstreams);
	return rc;
}

static enum rc
test_configuration(void *arg, struct err *err)
{
	struct web *web = arg;
	const struct tls_files files = web_tls_files(&web->settings);
	struct tls *tls = NULL;
	struct web_files *pages = NULL;
	enum rc rc = tls_server_new(&tls, &files, err);

	if (rc == RC_OK)
		rc = web_files_load(&pages, web->settings.static_dir, err);
	if (rc == RC_OK)
		rc = test_webhooks(web, err);
	tls_unref(&tls);
	web_files_free(&pages);
	web_settings_free(&web->settings);
	return rc;
}

static void
serve(void *arg)
{
	struct web *web = arg;
	struct err err;

	log_setup((enum log_level)web->settings.log_level,
		  (enum log_target)web->settings.log_target);
	(void)server_raise_descriptors();
	if (web_open(web, &err) != RC_OK)
		fatal("could not start: %s", err.msg);
	web_run(web);
	web_close(web);
}

static enum rc
load(void *arg, const char *path, struct err *err)
{
	struct web *web = arg;

	return web_settings_load(path, &web->settings, err);
}

int
main(int argc, char **argv)
{
	static const struct server_program program = {
		.name = "gatehouse-web",
		.config = WEB_CONFIG_DEFAULT,
		.doc = "Serves dispatchers' pages over HTTPS: alarms as they come, from the daemon "
		       "of which it is a client, and what PostgreSQL knows about them."
		       "\vExit codes: 0 stopped as asked, 1 failed, 2 wrong usage or "
		       "configuration.\n"
		       "gatehousectl web init makes a configuration that works.",
		.write_reference = web_settings_write_reference,
		.load = load,
		.test = test_configuration,
		.serve = serve,
	};
	static struct web web;

	tls_fail_without_memory();
	return server_main(&program, &web, argc, argv);
}
