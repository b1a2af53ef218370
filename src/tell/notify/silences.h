/* silences.h - who asked for silence about what, until when.
 *
 * States follow from the clock alone: pending before starts, active, expired from ends on. A change that
 * could surprise whoever was silenced (other matchers, an earlier start) makes a new silence and expires the
 * old one, as Alertmanager does.
 *
 * Threads: one lock inside; borrowed silences only while visited. */
#pragma once
#include "state/state.h"
#include "tell/notify/am_matchers.h"

#define SILENCES_MAX      10000
#define SILENCE_BYTES_MAX (64u << 10)
#define SILENCE_ID_MAX    40
#define SILENCE_KEPT_MS   (120ll * 3600000) /* after its end */

enum silence_state { SILENCE_EXPIRED, SILENCE_ACTIVE, SILENCE_PENDING };

struct silence {
    char id[SILENCE_ID_MAX];
    struct am_matchers matchers;
    struct labels annotations;
    int64_t starts_ms, ends_ms, updated_ms;
    struct str created_by, comment;
};

struct silences;

int silences_open(struct state *, struct silences **out, struct err *); /* state NULL: in memory */
void silences_close(struct silences *);

/* New (id empty) or changed; the id that holds from now on goes to id. s is copied. ERR_FIND: no such id.
 * ERR_RANGE, ERR_LIMIT: a sentence for the user. */
int silences_set(struct silences *, const struct silence *s, int64_t now_ms, char id[SILENCE_ID_MAX],
                 struct err *);
int silences_expire(struct silences *, struct str id, int64_t now_ms, struct err *); /* ERR_FIND, ERR_RANGE */
void silences_gc(struct silences *, int64_t now_ms);

static inline enum silence_state silence_state(const struct silence *s, int64_t now_ms)
{
    return now_ms < s->starts_ms ? SILENCE_PENDING : now_ms < s->ends_ms ? SILENCE_ACTIVE : SILENCE_EXPIRED;
}
const char *silence_state_text(enum silence_state);

/* In no order. visit: non-zero stops, and is returned. */
int silences_each(struct silences *, int (*visit)(const struct silence *, void *), void *ctx);
bool silences_mute(struct silences *, struct labels, int64_t now_ms); /* is any active one for it? */
