/* mime.h - the bytes of a mail: headers in RFC 2047's words, bodies quoted-printable, addresses out of lists.
 * Pure. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* "Name: value" CR LF. Line ends in the value become blanks, so that no value can add a header; what is not
 * ASCII becomes encoded words; long lines are folded at blanks. */
void mime_header(struct buf *, const char *name, struct str value);

/* A header with addresses: only the names in front of them are encoded. */
void mime_address_header(struct buf *, const char *name, struct str list);

/* Quoted-printable; lines end in CR LF and have 76 bytes at most. */
void mime_quoted(struct buf *, struct str text);

/* a@b, "Name, with a comma" <c@d>: the bare addresses, terminated. ERR_PARSE names what is none. */
int mime_addresses(struct str list, struct arena *, const char ***out, size_t *n, struct err *);

bool mime_is_header_name(struct str);
