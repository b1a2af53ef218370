/* fsck_sealed.h - what can be said of an encrypted store without its key: that every checksum is right. */
#pragma once
#include "store/embedded.h"

/* As embedded_fsck; rows are not counted. Nothing is read but lengths and checksums, so only what a disk does
 * to bytes is found, and files that are missing are not missed. */
int fsck_sealed(const char *dir, void (*line)(void *ctx, const char *text), void *ctx, struct fsck_report *,
                struct err *);
