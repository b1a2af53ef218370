/* track.h - the life of an alert: raised, acknowledged, resolved, reopened, and by whom.
 *
 * An acknowledgement belongs to one firing of an alert and ends with it. Changes are kept in the state file
 * as the alerts' history; those of the last hours are counted here, to tell what flaps.
 *
 * Threads: one lock inside. Changes are written in batches by track_flush, acknowledgements at once. */
#pragma once
#include "model/alert.h"
#include "state/state.h"

#define TRACK_KEPT_MS  (365ll * 86400000) /* history */
#define TRACK_CHANGES  16                 /* newest changes of one alert that are counted for flapping */
#define TRACK_NAME_MAX 256
#define TRACK_TEXT_MAX 4096

enum track_kind {
    TRACK_RAISED,
    TRACK_RESOLVED,
    TRACK_REOPENED,
    TRACK_ACKNOWLEDGED,
    TRACK_COMMENTED,
    TRACK_ESCALATED
};
const char *track_kind_text(enum track_kind);

struct track;

int track_open(struct state *, struct track **out, struct err *); /* state NULL: in memory, without history */
void track_close(struct track *);

/* The alert fires or has resolved, seen now. True when that is a change; cheap when it is none. */
bool track_see(struct track *, uint64_t fp, struct labels, bool is_firing, int64_t now_ms);

/* It was firing when the process ended: no news. */
void track_resume(struct track *, uint64_t fp);

struct track_ack {
    int64_t at_ms; /* 0: not acknowledged */
    char who[TRACK_NAME_MAX];
};
/* ERR_FIND: nothing with this fingerprint fires. */
int track_acknowledge(struct track *, uint64_t fp, struct labels, struct str who, struct str text,
                      int64_t now_ms, struct err *);
int track_note(struct track *, enum track_kind, uint64_t fp, struct labels, struct str who, struct str text,
               int64_t now_ms, struct err *);
bool track_is_acknowledged(struct track *, uint64_t fp, struct track_ack *out); /* out may be NULL */
/* Changed at least `changes` times within the window, so many that nobody should be told each. */
bool track_is_flapping(struct track *, uint64_t fp, uint64_t changes, int64_t window_ms, int64_t now_ms);

void track_flush(struct track *, int64_t now_ms); /* to disk; forgets what is old */

struct track_event {
    int64_t at_ms;
    uint64_t fp;
    enum track_kind kind;
    struct labels labels;
    struct str who, text;
};
struct track_ask {
    int64_t from_ms, to_ms;
    uint64_t fp; /* 0: all */
    int64_t limit;
};
/* Newest first. */
int track_history(struct track *, const struct track_ask *, int (*visit)(const struct track_event *, void *),
                  void *ctx, struct err *);
