/* pem_file.h - libcurl takes certificates and keys from files; a PEM text given in a configuration becomes a
 * file that exists in memory only.
 *
 * Equal texts have one name, and a name means the same text for as long as the process lives: libcurl tells
 * connections apart by these names. So nothing is ever freed; a ceiling bounds what reloads can add. */
#pragma once
#include "base/str.h"

#define PEM_FILES_MAX 4096

/* A path to open; NULL when there is no memory or too many. Any thread. */
const char *pem_file(struct str text);
