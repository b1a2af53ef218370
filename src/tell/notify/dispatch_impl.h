/* dispatch_impl.h - what the files of the dispatcher share. */
#pragma once
#include "tell/notify/dispatch.h"

/* A queue of deliveries to one integration; lives on over a reload, by the integration's key. */
struct lane {
    struct delivery *first, *last;
    size_t in_flight;
};

/* group.c */
void group_join(struct dispatch *, const struct am_route *, struct held *, int64_t now_ms);
void group_flush(struct dispatch *, struct am_group *, int64_t now_ms);
void group_escalate(struct dispatch *, struct am_group *, int64_t now_ms);
void group_told(struct dispatch *, struct am_group *, bool ok, int64_t now_ms);
void group_free(struct dispatch *, struct am_group *);
void groups_gc(struct dispatch *);
void groups_reload(struct dispatch *, int64_t now_ms);

/* dispatch_queue.c */
void queue_push(struct dispatch *, struct delivery *);
void queue_retry_due(struct dispatch *, int64_t now_ms);
void queue_release(struct dispatch *);
