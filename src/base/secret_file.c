/* SPDX-License-Identifier: Apache-2.0 */
/* The mode first, then the content. */
#include "base/secret_file.h"

#include <sys/stat.h>

#include "base/fs.h"

enum rc
secret_file_read(const char *path, size_t max, uint8_t **bytes, size_t *n, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_sys(err, "could not read key file \"%s\"", path);
	if ((st.st_mode & 077) != 0)
		return err_invalid(err,
				   "key file \"%s\" has mode %04o, expected 0600: "
				   "others must not read it",
				   path, (unsigned)(st.st_mode & 07777));
	return fs_read_file(path, max, bytes, n, err);
}
