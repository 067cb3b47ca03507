/* SPDX-License-Identifier: Apache-2.0 */
/* The pages in memory; few enough to be looked for one by one. */
#include "web/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crc32c.h"
#include "base/fs.h"

struct web_files {
	struct web_file *items;
	size_t n;
};

const char *
web_file_type(const char *name)
{
	static const struct {
		const char *ending, *type;
	} types[] = {
		{".html", "text/html; charset=utf-8"},
		{".js", "text/javascript; charset=utf-8"},
		{".css", "text/css; charset=utf-8"},
		{".svg", "image/svg+xml"},
		{".json", "application/json"},
		{".yaml", "application/yaml; charset=utf-8"},
		{".txt", "text/plain; charset=utf-8"},
		{".png", "image/png"},
		{".jpg", "image/jpeg"},
		{".webp", "image/webp"},
	};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot != NULL && i < ARRAY_LEN(types); i++)
		if (strcmp(dot, types[i].ending) == 0)
			return types[i].type;
	return NULL;
}

struct load {
	struct web_files *files;
	const char *dir;    /* on the disk */
	const char *prefix; /* of the paths: "" or "/vendor" */
	struct err *err;
};

static enum rc
load_file(struct load *load, const char *path, const char *name)
{
	struct web_files *files = load->files;
	struct web_file file = {.type = web_file_type(name)};
	enum rc rc;

	if (files->n == WEB_FILES_MAX)
		return err_invalid(load->err, "\"%s\" has more than %d files", load->dir,
				   WEB_FILES_MAX);
	rc = fs_read_file(path, WEB_FILE_MAX, &file.bytes, &file.n, load->err);
	if (rc != RC_OK)
		return rc;
	file.path = xasprintf("%s/%s", load->prefix, name);
	(void)snprintf(file.etag, sizeof(file.etag), "\"%08x-%zx\"", crc32c(0, file.bytes, file.n),
		       file.n);
	files->items = xrealloc(files->items, (files->n + 1) * sizeof(*files->items));
	files->items[files->n++] = file;
	return RC_OK;
}

static enum rc
load_one(void *arg, const char *name)
{
	struct load *load = arg;
	char *path = xasprintf("%s/%s", load->dir, name);
	struct stat st;
	enum rc rc = RC_OK;

	if (name[0] == '.' || stat(path, &st) != 0) {
		free(path);
		return RC_OK;
	}
	if (S_ISDIR(st.st_mode) && load->prefix[0] == '\0') {
		char *prefix = xasprintf("/%s", name);
		struct load below = {load->files, path, prefix, load->err};

		rc = fs_list(path, load_one, &below, load->err);
		free(prefix);
	} else if (S_ISREG(st.st_mode) && web_file_type(name) != NULL) {
		rc = load_file(load, path, name);
	}
	free(path);
	return rc;
}

enum rc
web_files_load(struct web_files **out, const char *dir, struct err *err)
{
	struct web_files *files = xcalloc(1, sizeof(*files));
	struct load load = {files, dir, "", err};
	enum rc rc = fs_list(dir, load_one, &load, err);

	if (rc == RC_OK && web_files_find(files, "/") == NULL)
		rc = err_invalid(err, "\"%s\" has no index.html", dir);
	if (rc != RC_OK) {
		web_files_free(&files);
		return rc;
	}
	*out = files;
	return RC_OK;
}

const struct web_file *
web_files_find(const struct web_files *files, const char *path)
{
	if (strcmp(path, "/") == 0)
		path = "/index.html";
	for (size_t i = 0; i < files->n; i++)
		if (strcmp(files->items[i].path, path) == 0)
			return &files->items[i];
	return NULL;
}

void
web_files_free(struct web_files **out)
{
	struct web_files *files = *out;

	if (files == NULL)
		return;
	*out = NULL;
	for (size_t i = 0; i < files->n; i++) {
		free(files->items[i].path);
		free(files->items[i].bytes);
	}
	free(files->items);
	free(files);
}
