/* silence_json.h - a silence as the v2 API writes it; it is also how one is kept on disk. */
#pragma once
#include "base/buf.h"
#include "tell/notify/silences.h"

/* {"id":...,"status":{"state":...},...}; now_ms decides the state. */
void silence_json_put(struct buf *, const struct silence *, int64_t now_ms);
/* Reads both what a client posts and what silence_json_put wrote. Texts go to the arena; the regexes are
 * yours (am_matchers_release), also after an error. */
int silence_json_read(struct str json, struct arena *, struct silence *, struct err *);

/* RFC 3339 to ms. A year before 1970 (Go's zero time) is 0. */
bool am_time_read(struct str, int64_t *ms);
void am_time_put(struct buf *, int64_t ms); /* "2024-01-02T03:04:05.678Z", with the quotes */
