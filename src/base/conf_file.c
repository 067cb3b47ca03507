/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anchors, aliases and tags are refused: the one could multiply a small file, the other
 * change what a text means, and a person who reads the file should see what the daemon sees.
 */
#include "conf_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf_priv.h"

/* ---- Mistakes ------------------------------------------------------------ */

size_t
conf_file_line(const struct conf_file *file)
{
	return file->at.start_mark.line + 1;
}

enum rc
conf_file_mistake(struct conf_file *file, size_t line, const char *fmt, ...)
{
	char text[sizeof(file->err->msg)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return err_invalid(file->err, "%.160s:%zu: %s", file->path, line, text);
}

const char *
conf_file_what(const struct conf_file *file)
{
	const yaml_event_t *event = &file->at;

	/* libyaml's enum also counts the ends, which are found where something is missing */
	if (event->type == YAML_SCALAR_EVENT)
		return event->data.scalar.length > 0 ? "a value" : "nothing";
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return "a list";
	if (event->type == YAML_MAPPING_START_EVENT)
		return "a mapping";
	return "nothing";
}

/* Not a mistake in the file: whoever asks may try again. */
static enum rc
conf_file_no_memory(const char *path, struct err *err)
{
	errno = ENOMEM;
	return err_sys(err, "could not read \"%s\"", path);
}

/* libyaml marks a problem in the file by place, one in its encoding by offset only. */
static enum rc
conf_file_yaml_failed(struct conf_file *file)
{
	const yaml_parser_t *parser = &file->parser;
	size_t line = parser->problem_mark.line + 1;

	if (parser->error == YAML_MEMORY_ERROR)
		return conf_file_no_memory(file->path, file->err);
	if (parser->error == YAML_READER_ERROR)
		line = parser->mark.line + 1;
	return conf_file_mistake(file, line, "not YAML: %s",
				 parser->problem != NULL ? parser->problem : "unknown problem");
}

static enum rc
conf_file_refuse(struct conf_file *file, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor != NULL)
		return conf_file_mistake(file, conf_file_line(file),
					 "found anchor \"&%.60s\", expected values written out",
					 (const char *)anchor);
	if (tag != NULL)
		return conf_file_mistake(file, conf_file_line(file),
					 "found tag \"%.60s\", expected none", (const char *)tag);
	return RC_OK;
}

/* ---- Events -------------------------------------------------------------- */

enum rc
conf_file_next(struct conf_file *file)
{
	yaml_event_delete(&file->at);
	if (!yaml_parser_parse(&file->parser, &file->at))
		return conf_file_yaml_failed(file);
	if (file->at.type == YAML_ALIAS_EVENT)
		return conf_file_mistake(file, conf_file_line(file),
					 "found alias \"*%.60s\", expected values written out",
					 (const char *)file->at.data.alias.anchor);
	if (file->at.type == YAML_SCALAR_EVENT)
		return conf_file_refuse(file, file->at.data.scalar.anchor,
					file->at.data.scalar.tag);
	if (file->at.type == YAML_SEQUENCE_START_EVENT)
		return conf_file_refuse(file, file->at.data.sequence_start.anchor,
					file->at.data.sequence_start.tag);
	if (file->at.type == YAML_MAPPING_START_EVENT)
		return conf_file_refuse(file, file->at.data.mapping_start.anchor,
					file->at.data.mapping_start.tag);
	return RC_OK;
}

bool
conf_file_at_nothing(const struct conf_file *file)
{
	return file->at.type == YAML_SCALAR_EVENT && file->at.data.scalar.length == 0 &&
	       file->at.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

const char *
conf_file_name(struct conf_file *file, const char *expected)
{
	const char *name = (const char *)file->at.data.scalar.value;

	if (file->at.type != YAML_SCALAR_EVENT || file->at.data.scalar.length == 0) {
		(void)conf_file_mistake(file, conf_file_line(file), "found %s, expected %s",
					conf_file_what(file), expected);
		return NULL;
	}
	if (file->at.data.scalar.length > CONF_NAME_MAX ||
	    strlen(name) != file->at.data.scalar.length) {
		(void)conf_file_mistake(file, conf_file_line(file),
					"found \"%.60s...\", expected %s", name, expected);
		return NULL;
	}
	return name;
}

/* ---- Beginning and end ---------------------------------------------------- */

enum rc
conf_file_open(struct conf_file *file, const char *path, const void *text, size_t n,
	       struct err *err)
{
	*file = (struct conf_file){.path = path, .err = err};
	if (!yaml_parser_initialize(&file->parser))
		return conf_file_no_memory(path, err);
	yaml_parser_set_input_string(&file->parser, text, n);
	return RC_OK;
}

void
conf_file_close(struct conf_file *file)
{
	yaml_event_delete(&file->at);
	yaml_parser_delete(&file->parser);
}
