/* fingerprint.h - which errors are the same error: by the type of the exception, its message without what
 * differs from case to case, and the innermost frames of its stack.
 *
 * In a message, numbers become <n>, hex of 8 digits and more and UUIDs <id>, quoted text <s>, addresses of
 * the web <url>, what looks like a file <path>. Frames lose their line numbers, so that a release that moves
 * lines moves no errors; the frames of Python stand innermost last, those of others first. Pure. */
#pragma once
#include "base/buf.h"
#include "base/hash.h"

#define FINGERPRINT_MESSAGE_MAX 256 /* of the message only so much counts */
#define FINGERPRINT_FRAMES      3

struct error_text {
    struct str type, message, stack; /* any may be empty */
};

void error_normalise(struct str message, struct buf *out);
/* The frames that count, one a line. */
void error_frames(struct str stack, struct buf *out);
struct hash128 error_fingerprint(const struct error_text *);
