/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What main.c's table of verbs points to.  Each reads its own part of the
 * command line, does what the verb says, and returns the exit code.
 */
#ifndef GATEHOUSE_CTL_VERBS_H
#define GATEHOUSE_CTL_VERBS_H

#include "ctl/ctl.h"

int verb_init(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_migrate(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_setup_apply(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
/* `what`: the kind of record that is sent. */
int verb_card(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_site_check(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_card_import(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_card_export(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
/* `what`: enum admin_site_list. */
int verb_card_list(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_label(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_status(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_tail(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_reload(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_web_init(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_web_enrol(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_web_status(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_webhook_secret(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_webhook_test(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_console_login(struct ctl *ctl, const struct verb *verb, int argc, char **argv);

/* `what`: enum setup_kind.  SETUP_CONTROLLERS and SETUP_CONSOLES have verbs of
 * their own to add, because they are given certificates. */
int verb_put(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_alarms(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_act(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_alarm_report(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_site_move(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_gaps(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_list(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_enrol(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_issue(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_enable(struct ctl *ctl, const struct verb *verb, int argc, char **argv);
int verb_disable(struct ctl *ctl, const struct verb *verb, int argc, char **argv);

#endif
