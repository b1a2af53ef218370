/* oauth2.h - tokens by OAuth's client credentials (RFC 6749, 4.4): asked for once and used until shortly
 * before they end. Waits for the token's server when there is none: OAUTH2_TIMEOUT_MS at most.
 *
 * Tokens are kept a process, found by all that was asked for them with. Threads: any. */
#pragma once
#include "net/http_conf.h"

#define OAUTH2_TIMEOUT_MS 10000

/* The header's two words, in the arena. ERR_IO, ERR_TIMEOUT, ERR_PARSE, ERR_RANGE; a failure is remembered
 * for a few seconds, so that a dead server is not waited for again and again. No secret is ever in the text.
 */
int oauth2_token(const struct http_oauth2 *, const struct outbound *, struct arena *, const char **type,
                 const char **token, struct err *);
