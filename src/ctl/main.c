/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gatehousectl: everything that an operator does.  This file is the table of its
 * verbs and nothing else, so that tests can link all the rest.
 */
#include <argp.h>
#include <locale.h>
#include <sys/stat.h>

#include "ctl/setup.h"
#include "ctl/verbs.h"
#include "store/admin.h"
#include "wire/alarm.h"
#include "wire/kind.h"

static const struct verb verbs[] = {
	{NULL, "init", verb_init, 0, "make a new installation"},
	{NULL, "migrate", verb_migrate, 0, "bring the database to this version"},
	{"setup", "apply", verb_setup_apply, 0, "put a file's rows into the register"},

	{"station", "add", verb_put, SETUP_STATIONS, "put one station"},
	{"station", "list", verb_list, SETUP_STATIONS, "list stations"},
	{"area", "add", verb_put, SETUP_AREAS, "put one area"},
	{"area", "list", verb_list, SETUP_AREAS, "list areas"},
	{"site", "add", verb_put, SETUP_SITES, "put one site"},
	{"site", "list", verb_list, SETUP_SITES, "list sites"},
	{"site", "move", verb_site_move, 0, "move a site to another area and its station"},
	{"site", "check", verb_site_check, 0, "what is to be put in order in the register"},
	{"door", "add", verb_put, SETUP_DOORS, "put one door"},
	{"door", "list", verb_list, SETUP_DOORS, "list doors"},
	{"door", "label", verb_label, 0, "make a sheet of door labels to print"},

	{"unit", "add", verb_put, SETUP_UNITS, "put one unit"},
	{"unit", "list", verb_list, SETUP_UNITS, "list units"},
	{"group", "add", verb_put, SETUP_GROUPS, "put one group of doors"},
	{"group", "list", verb_list, SETUP_GROUPS, "list groups of doors"},

	{"controller", "add", verb_enrol, SETUP_CONTROLLERS, "put controllers, with certificates"},
	{"controller", "issue", verb_issue, SETUP_CONTROLLERS, "new certificates for controllers"},
	{"controller", "list", verb_list, SETUP_CONTROLLERS, "list controllers"},
	{"controller", "enable", verb_enable, SETUP_CONTROLLERS, "let controllers connect"},
	{"controller", "disable", verb_disable, SETUP_CONTROLLERS, "send controllers away"},
	{"console", "add", verb_enrol, SETUP_CONSOLES, "put consoles, with certificates"},
	{"console", "issue", verb_issue, SETUP_CONSOLES, "new certificates for consoles"},
	{"console", "list", verb_list, SETUP_CONSOLES, "list consoles"},
	{"console", "enable", verb_enable, SETUP_CONSOLES, "let consoles connect"},
	{"console", "disable", verb_disable, SETUP_CONSOLES, "send consoles away"},
	{"desk", "add", verb_enrol, SETUP_DESKS, "put registration desks, with certificates"},
	{"desk", "issue", verb_issue, SETUP_DESKS, "new certificates for registration desks"},
	{"desk", "list", verb_list, SETUP_DESKS, "list registration desks"},
	{"desk", "enable", verb_enable, SETUP_DESKS, "let registration desks connect"},
	{"desk", "disable", verb_disable, SETUP_DESKS, "send registration desks away"},
	{"console", "login", verb_console_login, 0, "a link that signs a browser in, once"},

	{"web", "init", verb_web_init, 0, "what gatehouse-web needs to run"},
	{"web", "enrol", verb_web_enrol, 0, "its way to the daemon, for new stations"},
	{"web", "status", verb_web_status, 0, "what gatehouse-web is doing"},
	{"web", "webhook-secret", verb_webhook_secret, 0, "a file with a secret for a webhook"},
	{"web", "webhook-test", verb_webhook_test, 0, "send a webhook a test"},

	{"card", "register", verb_card, KIND_CODE_CARD_REGISTERED, "register a card"},
	{"card", "extend", verb_card, KIND_CODE_CARD_EXTENDED, "give a card another window"},
	{"card", "suspend", verb_card, KIND_CODE_CARD_SUSPENDED, "let a card open nothing for now"},
	{"card", "resume", verb_card, KIND_CODE_CARD_RESUMED, "let it open again"},
	{"card", "lost", verb_card, KIND_CODE_CARD_REPORTED_LOST, "report a card lost"},
	{"card", "revoke", verb_card, KIND_CODE_CARD_REVOKED, "end a card for good"},
	{"card", "list", verb_card_list, ADMIN_SITE_CARDS, "list a site's cards"},
	{"card", "import", verb_card_import, 0, "cards and rights from a file"},
	{"card", "export", verb_card_export, 0, "cards and rights to a file"},
	{"grant", "set", verb_card, KIND_CODE_GRANT_SET, "let a card open doors"},
	{"grant", "remove", verb_card, KIND_CODE_GRANT_REMOVED, "let it open them no more"},
	{"grant", "list", verb_card_list, ADMIN_SITE_GRANTS, "list the rights of a site's cards"},

	{NULL, "status", verb_status, 0, "what the daemon is doing"},
	{"alarms", "list", verb_alarms, false, "alarms that are not done"},
	{"alarms", "show", verb_alarms, true, "one of them, with everything"},
	{"alarms", "ack", verb_act, VERB_ACCEPT, "say that one answers for an alarm"},
	{"alarms", "reject", verb_act, VERB_REJECT, "it is not ours: calls the next station"},
	{"alarms", "dispatched", verb_act, VERB_DISPATCHED, "somebody is on the way"},
	{"alarms", "on_scene", verb_act, VERB_ON_SCENE, "somebody is there"},
	{"alarms", "close", verb_act, VERB_CLOSE, "an alarm is done, with its outcome"},
	{"alarms", "cancel", verb_act, VERB_CANCEL, "take back an acknowledgement"},
	{"alarms", "comment", verb_act, VERB_COMMENT, "say something about an alarm"},
	{"alarms", "hand_over", verb_act, VERB_HAND_OVER, "hand an alarm to another station"},
	{"alarms", "shelve", verb_act, VERB_SHELVE, "put an alarm aside for a time"},
	{"alarms", "unshelve", verb_act, VERB_UNSHELVE, "take it from the shelf"},
	{"alarms", "reset", verb_act, VERB_RESET, "end a latched alarm"},
	{"alarms", "out_of_service", verb_act, VERB_OUT_OF_SERVICE,
	 "take an alarm out of service for a time"},
	{"alarms", "in_service", verb_act, VERB_IN_SERVICE, "put it back into service"},
	{"alarms", "report", verb_alarm_report, 0, "how long alarms took, against the limits"},
	{NULL, "gaps", verb_gaps, 0, "holes in the sequences of controllers"},
	{NULL, "tail", verb_tail, 0, "alarms as they come"},
	{NULL, "reload", verb_reload, 0, "let the daemon load the register again"},
};

int
main(int argc, char **argv)
{
	/* only for the width of characters; numbers stay as they are */
	(void)setlocale(LC_CTYPE, "");
	argp_err_exit_status = CTL_USAGE;
	(void)umask(S_IWGRP | S_IRWXO);
	return ctl_run(verbs, ARRAY_LEN(verbs), argc, argv);
}
